// Package metrics shows a gateway's counters to Prometheus. Everything comes from
// the status, so a scrape costs the data path a copy of each worker's ledger.
package metrics

import (
	"strconv"
	"sync"

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
	r.MustRegister(&collector{source: s, naming: newNaming()}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

type collector struct {
	source Source
	mu     sync.Mutex // held while a status is made: there is one at a time, however many scrape
	naming *naming
}

// Describe sends every description. Any goroutine.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, s := range Sections {
		for _, m := range s.Metrics {
			ch <- m.desc
		}
	}
}

// Collect reads the status once and sends every sample. Any goroutine.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	s := c.source.Status()
	named, others := c.naming.update(&s)
	c.mu.Unlock()
	e := emitter{ch}
	e.gateway(&s)
	e.iface(s.Underlay.Interface, s.Underlay.Name, "underlay", "")
	e.injected(s.Underlay.Name, s.Underlay.Injected)
	e.count(steered, s.Underlay.Steering.Late, s.Underlay.Name, "refused_late")
	e.count(complaints, s.Underlay.Complaints.Believed, s.Underlay.Name, "believed")
	e.count(complaints, s.Underlay.Complaints.Ignored, s.Underlay.Name, "ignored")
	e.drops(s.Underlay.Interface, s.Underlay.Name, "")
	for _, p := range s.Ports {
		e.port(&p)
	}
	for _, v := range s.VNIs {
		e.vni(&v)
	}
	e.remotes(&s, named, others)
	e.table(&s.FDB)
	for _, w := range s.Workers {
		e.worker(&w)
	}
	e.count(verdicts, s.Refused(), "xdp", dataplane.RemoteNotAllowed.String(), "true")
	e.put(memoryFrames, float64(s.Memory.Frames))
	e.put(memoryFree, float64(s.Memory.Free))
	e.put(memorySize, float64(s.Memory.FrameSize))
}

func (e emitter) gateway(s *control.Status) {
	e.put(buildInfo, 1, s.Version)
	e.flag(ready, s.Ready)
	e.put(uptime, s.Uptime)
	e.put(problems, float64(len(s.Problems)))
	e.count(reloads, s.Reloads.Applied, "applied")
	e.count(reloads, s.Reloads.Refused, "refused")
	e.flag(reloadOK, !s.Reloads.LastRefused)
	e.put(reloadTime, s.Reloads.LastApplied)
	e.put(reloadSeconds, s.Reloads.LastSeconds)
	e.count(linesLeftOut, s.Log.LeftOut)
	e.count(snapshots, s.Snapshots)
	e.count(routeLookups, s.Netlink.Routes)
	e.count(asks, s.Netlink.Asks)
	e.count(overruns, s.Netlink.Overruns)
}

// vniLabel is empty for a trunk, which has several.
func vniLabel(vni uint32) string {
	if vni == 0 {
		return ""
	}
	return strconv.FormatUint(uint64(vni), 10)
}
