package doctor

import (
	"fmt"
	"net"

	"vxgw/gateway"
)

var gatewayChecks = []Check{
	{"gateway.running", "Whether a `gw` runs on the underlay, and what its status complains of, with the cure that stands there.", "as `gw status` says", "gateway/status.go", running},
	{"gateway.start", "Whether a start could be planned: workers fit on CPUs, the CPUs that are named are there, and frames are large enough for the MTUs.", "as the error says", "gateway/foresee.go", start},
	{"gateway.leftovers", "What a `gw` that was killed has left: changes in its journal, a socket that nobody listens on. The next start puts it back, too.", "`gw cleanup --iface DEV`", "netdev/journal.go", leftovers},
	{"gateway.metrics", "Whether the address of `/metrics` is free.", "`--metrics ADDRESS:PORT`, or `--metrics ''`", "metrics/serve.go", metricsAddress},
}

func running(f *facts, n *notes) {
	if !f.named {
		return
	}
	n = n.of(f.underlay.name)
	s := f.Running
	switch {
	case s == nil && f.left.held:
		n.warn("gw status --wait 10s", "a gw holds the interface and does not answer: it starts, stops, or has another --control")
		return
	case s == nil:
		n.ok("no gw runs on it")
		return
	}
	before := len(n.report.Findings)
	for _, p := range s.Problems[:min(len(s.Problems), mostProblems)] {
		text, cure := apart(p)
		n.warn(cure, "%s", text)
	}
	if more := len(s.Problems) - mostProblems; more > 0 {
		n.warn("gw status -j has all", "%s", count(more, "more problem"))
	}
	for _, q := range s.Underlay.Queues {
		if q.Foreign > 0 {
			n.warn("tell the driver's maintainers; --mode copy", "queue %d: the driver handed out %d frames that it did not own", q.Queue, q.Foreign)
		}
		if q.Kernel.RxRingFull > 0 {
			n.warn("more workers or queues, or fewer packets: gw stats --watch", "queue %d: %d packets found the rx ring full", q.Queue, q.Kernel.RxRingFull)
		}
	}
	if s.Version != gateway.Version {
		n.ok("a gw of version %s runs, and this is %s", s.Version, gateway.Version)
	}
	if len(n.report.Findings) == before {
		n.ok("gw %s runs, pid %d, and has nothing to complain of", s.Version, s.PID)
	}
}

// mostProblems is how many of a status are told: a thousand remotes may fail for one reason.
const mostProblems = 10

func start(f *facts, n *notes) {
	if !f.wire.there() || f.Running != nil {
		return
	}
	p, err := f.plan.value, f.plan.err
	if err != nil {
		text, cure := apart(err.Error())
		n.fail(cure, "gw would not start: %s", text)
		return
	}
	n.ok("it would take %s, on CPU %s, and %s of frames", count(p.Workers, "worker"), ints(p.CPUs), size(f.frameMemory()))
}

func leftovers(f *facts, n *notes) {
	if !f.named || f.left.held || f.Running != nil {
		return
	}
	n = n.of(f.underlay.name)
	changes, ok := seen(n, f.left.changes, "what a killed gw has left")
	clean := "gw cleanup --iface " + f.underlay.name
	switch {
	case len(changes) > 0:
		var all []string
		for _, c := range changes {
			all = append(all, c.String())
		}
		n.warn(clean, "a gw that was killed has left: %s", few(all))
	case !ok:
	case f.left.socket:
		n.warn(clean, "a gw that was killed has left its socket")
	default:
		n.ok("no gw has left anything")
	}
}

func metricsAddress(f *facts, n *notes) {
	listen := f.Config.Metrics.Listen
	if listen == "" || f.Running != nil {
		return
	}
	if err := f.host.metrics; err != nil {
		_, port, _ := net.SplitHostPort(listen)
		n.fail(fmt.Sprintf("--metrics ADDRESS:PORT; ss -lntp sport = :%s tells who", port), "/metrics cannot be at %s: %v", listen, err)
		return
	}
	n.ok("%s is free for /metrics", listen)
}
