package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"vxgw/control"
	"vxgw/dataplane"
)

// worker sends what a worker counted.
func (e emitter) worker(w *control.Worker) {
	id := strconv.Itoa(w.ID)
	for v := range dataplane.VerdictCount {
		v := dataplane.Verdict(v)
		if v == 0 {
			continue
		}
		drop := strconv.FormatBool(v.Drop())
		e.count(verdicts, w.Verdicts[v.String()], id, v.String(), drop)
		e.count(copies, w.Copies[v.String()], id, v.String(), drop)
	}
	e.put(workerInfo, 1, id, strconv.Itoa(w.CPU))
	e.put(busy, w.Busy, id)
	e.put(spun, w.Spun, id)
	e.put(cpuTime, w.CPUTime, id)
	e.put(cpuWait, w.CPUWait, id)
	e.count(rounds, w.Rounds, id)
	e.count(sleeps, w.Sleeps, id)
	e.sizes(batches, &w.Batches, id)
	e.sizes(kickSizes, &w.Kicks, id)
	e.count(unnumbered, w.Unnumbered, id)
	e.count(answers, w.Answers, id)
	e.count(slowPath, w.SlowSent, id, "sent")
	e.count(slowPath, w.SlowFailed, id, "failed")
}

// sizes sends a histogram.
func (e emitter) sizes(m *Metric, h *control.Histogram, labels ...string) {
	upTo, n := map[float64]uint64{}, uint64(0)
	for i, bound := range h.Bounds {
		n += h.Counts[i]
		upTo[float64(bound)] = n
	}
	e.ch <- prometheus.MustNewConstHistogram(m.desc, h.Count(), float64(h.Sum), upTo, labels...)
}
