// Package metrics shows a gateway's counters to Prometheus. Everything comes from
// the status, so a scrape costs the data path a copy of each worker's ledger.
package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"vxgw/control"
	"vxgw/dataplane"
)

// Source is what metrics are made from: a running gateway.
type Source interface {
	Status() control.Status
}

// NewRegistry returns a registry with the gateway's metrics, the Go runtime's and
// the process's.
func NewRegistry(s Source) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

type collector struct{ source Source }

// Describe sends every description. Any goroutine.
func (c collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		ch <- d
	}
}

// Collect reads the status once and sends every sample. Any goroutine.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	s := c.source.Status()
	e := emitter{ch}
	e.gauge(buildInfo, 1, s.Version)
	e.gauge(ready, number(s.Ready))
	e.gauge(uptime, s.Uptime)
	e.iface(s.Underlay.Interface, "underlay", "")
	e.injected(s.Underlay.Name, s.Underlay.Injected)
	e.counter(complaints, s.Underlay.Complaints.Believed, s.Underlay.Name, "believed")
	e.counter(complaints, s.Underlay.Complaints.Ignored, s.Underlay.Name, "ignored")
	e.traffic(&s)
	for _, p := range s.Ports {
		e.iface(p.Interface, "port", vniLabel(p.VNI))
	}
	for _, v := range s.VNIs {
		e.gauge(vniEntries, float64(v.FDB), strconv.FormatUint(uint64(v.VNI), 10))
	}
	states := map[string]int{}
	for _, r := range s.Remotes {
		states[r.State]++
	}
	for state, n := range states {
		e.gauge(remotes, float64(n), state)
	}
	e.gauge(fdbEntries, float64(s.FDB.Entries))
	e.counter(fdbMoves, s.FDB.Moves)
	e.counter(fdbRefused, s.FDB.Refused)
	e.counter(fdbAged, s.FDB.Aged)
	e.gauge(memoryFrames, float64(s.Memory.Frames))
	e.gauge(memoryFree, float64(s.Memory.Free))
	for _, w := range s.Workers {
		e.worker(w)
	}
	e.counter(verdicts, s.Refused(), "xdp", dataplane.RemoteNotAllowed.String(), "true")
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// emitter sends samples.
type emitter struct{ ch chan<- prometheus.Metric }

func (e emitter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (e emitter) counter(d *prometheus.Desc, v uint64, labels ...string) {
	e.ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (e emitter) iface(i control.Interface, role, vni string) {
	e.gauge(linkUp, number(i.Up), i.Name, role, vni)
	if i.FallbackCode != "" {
		e.gauge(fellBack, 1, i.Name, i.FallbackCode)
	}
	e.counter(steered, i.Steering.Redirected, i.Name, "redirected")
	e.counter(steered, i.Steering.Passed, i.Name, "passed")
	e.counter(steered, i.Steering.NoSocket, i.Name, "no_socket")
	e.counter(steered, i.Steering.Refused, i.Name, "refused")
	for _, q := range i.Queues {
		queue := strconv.Itoa(q.Queue)
		e.gauge(queueMode, 1, i.Name, queue, q.Mode, i.XDP)
		e.counter(packets, q.RxPackets, i.Name, queue, "rx")
		e.counter(packets, q.TxPackets, i.Name, queue, "tx")
		e.counter(bytes, q.RxBytes, i.Name, queue, "rx")
		e.counter(bytes, q.TxBytes, i.Name, queue, "tx")
		e.counter(kicks, q.Kicks, i.Name, queue)
		e.counter(foreign, q.Foreign, i.Name, queue)
		if q.Kernel.StatisticsError != "" {
			continue
		}
		e.counter(kernelDrops, q.Kernel.RxDropped, i.Name, queue, "rx_dropped")
		e.counter(kernelDrops, q.Kernel.RxInvalid, i.Name, queue, "rx_invalid")
		e.counter(kernelDrops, q.Kernel.TxInvalid, i.Name, queue, "tx_invalid")
		e.counter(kernelDrops, q.Kernel.RxRingFull, i.Name, queue, "rx_ring_full")
		e.counter(kernelDrops, q.Kernel.FillRingEmpty, i.Name, queue, "fill_ring_empty")
		e.counter(kernelDrops, q.Kernel.TxRingEmpty, i.Name, queue, "tx_ring_empty")
	}
}

func (e emitter) injected(name string, i control.Injected) {
	e.counter(injected, i.Packets, name)
	e.counter(injectedBytes, i.Bytes, name)
	e.counter(injectDrops, i.TooLong, name, "too_long")
	e.counter(injectDrops, i.QueueFull, name, "queue_full")
	e.counter(injectDrops, i.NoFrame, name, "no_frame")
	e.counter(injectDrops, i.SocketFull, name, "socket_full")
}

func (e emitter) worker(w control.Worker) {
	id := strconv.Itoa(w.ID)
	for v := range dataplane.VerdictCount {
		v := dataplane.Verdict(v)
		if v == 0 {
			continue
		}
		drop := strconv.FormatBool(v.Drop())
		e.counter(verdicts, w.Verdicts[v.String()], id, v.String(), drop)
		e.counter(copies, w.Copies[v.String()], id, v.String(), drop)
	}
	e.counter(rounds, w.Rounds, id)
	e.counter(sleeps, w.Sleeps, id)
	e.counter(unnumbered, w.Unnumbered, id)
	e.counter(answers, w.Answers, id)
	e.counter(slowPath, w.SlowSent, id, "sent")
	e.counter(slowPath, w.SlowFailed, id, "failed")
}
