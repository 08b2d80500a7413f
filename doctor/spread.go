package doctor

import (
	"fmt"
	"slices"
	"strings"
)

var spreadChecks = []Check{
	{"spread.queues", "Whether the underlay has queues enough: each is one worker's, and one queue is one CPU's work.", "`ethtool -L DEV combined N`", "docs/operations.md#cpus", spreadQueues},
	{"spread.table", "Whether the NIC's table spreads packets over all of its queues.", "`ethtool -X DEV equal N`", "ETHTOOL_GRXFHINDIR", spreadTable},
	{"spread.hash", "Whether the NIC looks at UDP ports: tunnels have one pair of addresses and many source ports, so by addresses alone all of a VTEP's packets are one queue's.",
		"`ethtool -N DEV rx-flow-hash udp4 sdfn`, over IPv6 `udp6`", "RFC 7348 section 5", spreadHash},
	{"spread.interrupts", "Whether CPUs that would be workers' serve the underlay's interrupts, alone, and whether one CPU serves all of them.",
		"`echo CPU > /proc/irq/N/smp_affinity_list`, `--cpus`, or `--poll busy`", "docs/operations.md#cpus", spreadInterrupts},
	{"spread.node", "Whether workers would be on the NUMA node of the NIC.", "`--cpus` with CPUs of its node", "docs/operations.md#cpus", spreadNode},
}

func spreadQueues(f *facts, n *notes) {
	w := f.wire
	if !w.there() {
		return
	}
	n = n.of(w.name)
	p, ok := f.plan.value, f.plan.err == nil
	c := w.channels
	room := 0 // how many there could be
	if c.err == nil {
		room = int(max(c.value.MaxCombined, c.value.MaxRx))
	}
	queues := w.info.RxQueues
	switch {
	case ok && p.Workers > queues:
		n.warn(half(w.name, c.err == nil && c.value.MaxCombined > 0, uint32(min(max(p.Workers, 1), max(room, 1)))),
			"%d workers are asked for, and it has %d queues: the others receive nothing from it", p.Workers, queues)
	case queues == 1 && room > 1 && f.kernel.cpus > 2:
		n.warn(half(w.name, c.value.MaxCombined > 0, uint32(min(room, f.kernel.cpus/2))), "it has 1 queue of %d: one CPU does all the work", room)
	default:
		n.ok("it has %s, for %s", count(queues, "queue"), count(max(p.Workers, 1), "worker"))
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func spreadTable(f *facts, n *notes) {
	w := f.wire
	if !w.there() || w.info.RxQueues < 2 {
		return
	}
	n = n.of(w.name)
	table, ok := seen(n, w.table, "how packets are spread over queues")
	if !ok {
		return
	}
	used := slices.Clone(table)
	slices.Sort(used)
	used = slices.Compact(used)
	if len(used) < w.info.RxQueues {
		n.warn(fmt.Sprintf("ethtool -X %s equal %d", w.name, w.info.RxQueues), "packets are spread over %s of %d", count(len(used), "queue"), w.info.RxQueues)
		return
	}
	n.ok("packets are spread over all %d queues", w.info.RxQueues)
}

func spreadHash(f *facts, n *notes) {
	w := f.wire
	if !w.there() || w.info.RxQueues < 2 {
		return
	}
	n = n.of(w.name)
	for _, family := range []struct {
		name string
		by   fact[bool]
		six  bool
	}{{"udp4", w.ports4, false}, {"udp6", w.ports6, true}} {
		if family.six && !f.overIPv6() {
			continue
		}
		on, ok := seen(n, family.by, "by what "+family.name+" packets are spread")
		switch {
		case !ok:
		case !on:
			n.warn(fmt.Sprintf("ethtool -N %s rx-flow-hash %s sdfn", w.name, family.name), "it spreads %s packets by address alone: all that a VTEP sends is one queue's", family.name)
		default:
			n.ok("it spreads %s packets by port", family.name)
		}
	}
}

// overIPv6 reports whether tunnels go over IPv6.
func (f *facts) overIPv6() bool {
	for _, a := range slices.Concat(f.remotes, f.groups) {
		if a.Is6() {
			return true
		}
	}
	return false
}

func spreadInterrupts(f *facts, n *notes) {
	if !f.wire.there() || f.plan.err != nil {
		return
	}
	n = n.of(f.wire.name)
	p := f.plan.value
	if p.Unplaced != nil {
		n.unseen("run it as root", "which CPUs serve its interrupts: %v", p.Unplaced)
		return
	}
	all := p.Placement.Interrupts
	if len(all) == 0 {
		return // nothing that is hardware, or a /sys that does not show it
	}
	before := len(n.report.Findings)
	for _, s := range p.Shared {
		n.warn(strings.Replace(s.Cure, "OTHER", f.spare(s.CPU), 1), "a worker %s on CPU %d, which serves %s", f.will("is", "be"), s.CPU, s.Interrupts)
	}
	if len(all) > 1 && f.kernel.cpus > 1 && !slices.ContainsFunc(all, func(i interrupt) bool { return !slices.Equal(i.CPUs, all[0].CPUs) }) && len(all[0].CPUs) == 1 {
		var files []string
		for _, i := range all[1:] {
			files = append(files, fmt.Sprintf("/proc/irq/%d/smp_affinity_list", i.Number))
		}
		n.warn("echo "+f.spare(all[0].CPUs[0])+" | tee "+strings.Join(files, " "), "CPU %d serves all %d of its interrupts", all[0].CPUs[0], len(all))
	}
	if len(n.report.Findings) == before {
		n.ok("its %s leave the CPUs of workers alone", count(len(all), "interrupt"))
	}
}

// spare is a CPU without a worker and other than cpu, to type into a command.
func (f *facts) spare(cpu int) string {
	for c := range f.kernel.cpus {
		if c != cpu && !slices.Contains(f.plan.value.CPUs, c) {
			return fmt.Sprint(c)
		}
	}
	return "OTHER"
}

func spreadNode(f *facts, n *notes) {
	if !f.wire.there() || f.plan.err != nil || f.plan.value.Placement.Node == nil {
		return
	}
	n = n.of(f.wire.name)
	p := f.plan.value
	far := slices.DeleteFunc(slices.Clone(p.CPUs), func(cpu int) bool { return slices.Contains(p.Placement.Node, cpu) })
	if len(far) > 0 {
		n.warn("--cpus "+ints(p.Placement.Node), "workers %s on CPUs %s, far from the NIC's memory", f.will("are", "be"), ints(far))
		return
	}
	n.ok("workers %s near to it, on CPUs %s", f.will("are", "be"), ints(p.CPUs))
}

func ints(list []int) string {
	text := make([]string, len(list))
	for i, v := range list {
		text[i] = fmt.Sprint(v)
	}
	return strings.Join(text, ",")
}
