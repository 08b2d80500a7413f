package metrics

import "github.com/prometheus/client_golang/prometheus"

// Kind is what a metric is to Prometheus.
type Kind string

// The kinds.
const (
	Gauge     Kind = "gauge"     // what is now
	Counter   Kind = "counter"   // what was since the start, or since what it is of came
	Histogram Kind = "histogram" // how large something was
)

// Metric is one family of series: what a scrape has of it, and what docs/metrics.md says.
type Metric struct {
	Name   string // with gw_ in front
	Kind   Kind
	Unit   string // of the value; "1" for what is always 1, or 1 and 0
	Help   string
	Labels []string // in the order in which the emitter is given their values

	desc *prometheus.Desc
}

// Section is the metrics of one thing.
type Section struct {
	Title   string
	Metrics []*Metric
}

func (s *Section) add(kind Kind, name, unit, help string, labels []string) *Metric {
	m := &Metric{Name: "gw_" + name, Kind: kind, Unit: unit, Help: help, Labels: labels}
	m.desc = prometheus.NewDesc(m.Name, help, labels, nil)
	s.Metrics = append(s.Metrics, m)
	return m
}

func (s *Section) gauge(name, unit, help string, labels ...string) *Metric {
	return s.add(Gauge, name, unit, help, labels)
}

func (s *Section) counter(name, unit, help string, labels ...string) *Metric {
	return s.add(Counter, name, unit, help, labels)
}

func (s *Section) histogram(name, unit, help string, labels ...string) *Metric {
	return s.add(Histogram, name, unit, help, labels)
}

// emitter sends samples.
type emitter struct{ ch chan<- prometheus.Metric }

// put sends the value of a gauge or a counter.
func (e emitter) put(m *Metric, v float64, labels ...string) {
	kind := prometheus.GaugeValue
	if m.Kind == Counter {
		kind = prometheus.CounterValue
	}
	e.ch <- prometheus.MustNewConstMetric(m.desc, kind, v, labels...)
}

// count is put, of a whole number.
func (e emitter) count(m *Metric, v uint64, labels ...string) { e.put(m, float64(v), labels...) }

// flag is put, of 1 for true and 0 for false.
func (e emitter) flag(m *Metric, v bool, labels ...string) {
	n := 0.0
	if v {
		n = 1
	}
	e.put(m, n, labels...)
}
