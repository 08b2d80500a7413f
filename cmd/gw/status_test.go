package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"vxgw/control"
	"vxgw/metrics"
	"vxgw/stats"
)

// TestStatusOfManyRemotes has thousands of VTEPs, which anybody can forge.
func TestStatusOfManyRemotes(t *testing.T) {
	s := control.Status{Remotes: []control.Remote{}}
	for i := range 5000 {
		s.Remotes = append(s.Remotes, control.Remote{Address: fmt.Sprintf("10.1.%d.%d", i>>8, i&255)})
	}
	s.Remotes = append(s.Remotes, control.Remote{Address: "10.65.132.188", Configured: true})
	var out bytes.Buffer
	must(t, printStatus(&out, s))
	if n := strings.Count(out.String(), "\n"); n > 70 {
		t.Errorf("%d lines", n)
	}
	for _, w := range []string{"10.1.0.1 ", "10.65.132.188 ", "and 4951 more remotes"} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in\n%s", w, &out)
		}
	}
}

// TestStatusTable keeps its columns although an interface has a remark.
func TestStatusTable(t *testing.T) {
	var s control.Status
	s.Underlay.Interface = control.Interface{Name: "ens18", XDP: "native", Fallback: "zero-copy: operation not supported", FallbackCure: "turn it on"}
	s.Ports = []control.Port{{Interface: control.Interface{Name: "veth1", XDP: "generic", Fallback: "no native XDP"}, VNI: 42}}
	var out bytes.Buffer
	must(t, printStatus(&out, s))
	lines := strings.Split(out.String(), "\n")
	head, first, second := lines[2], lines[3], lines[4]
	if at := strings.Index(head, "XDP"); strings.Index(first, "native") != at || strings.Index(second, "generic") != at {
		t.Errorf("the columns are out of line:\n%s", &out)
	}
	for _, w := range []string{"ens18: zero-copy: operation not supported (cure: turn it on)\n", "veth1: no native XDP\n"} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in\n%s", w, &out)
		}
	}
}

// TestStatusOfMuch has a hundred ports and a thousand remotes, some of them in trouble:
// those are shown.
func TestStatusOfMuch(t *testing.T) {
	t.Parallel()
	var s control.Status
	s.Underlay.Interface = control.Interface{Name: "ens18", Up: true, Fallback: "zero-copy: operation not supported"}
	v := control.VNI{VNI: 42, Name: "gw42"}
	for i := range 100 {
		p := control.Port{Interface: control.Interface{Name: fmt.Sprintf("veth%d", i), Up: i != 97, Fallback: "zero-copy: operation not supported"}, VNI: 42, Gone: i == 98}
		s.Ports = append(s.Ports, p)
		v.Ports = append(v.Ports, p.Name)
	}
	for i := range 1000 {
		r := control.Remote{Address: fmt.Sprintf("10.1.%d.%d", i>>8, i&255), State: "direct", Configured: true}
		if i > 900 {
			r.State = "failed"
			s.Problems = append(s.Problems, fmt.Sprintf("remote %s is failed", r.Address))
		}
		s.Remotes = append(s.Remotes, r)
		v.Remotes = append(v.Remotes, r.Address)
	}
	for range 300 {
		s.VNIs = append(s.VNIs, v)
	}
	var out bytes.Buffer
	must(t, printStatus(&out, s))
	if n := strings.Count(out.String(), "\n"); n > 190 {
		t.Errorf("%d lines:\n%s", n, &out)
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 260 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
	for _, w := range []string{
		"veth97 ", "veth98 ", "and 50 more ports", "and 89 more problems", "and 250 more VNIs", "and 950 more remotes",
		"1000 remotes: 901 direct, 99 failed", "10.1.3.133 ", "veth7 and 92 more", "and 992 more",
	} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in\n%s", w, &out)
		}
	}
	if n := strings.Count(out.String(), "operation not supported"); n != 1 {
		t.Errorf("the reason is given %d times", n)
	}
}

// TestForeignIsTold has a driver that hands out frames it does not own: the status, gw stats and
// the metrics tell how many, what that means and what to do.
func TestForeignIsTold(t *testing.T) {
	t.Parallel()
	var s control.Status
	s.Underlay.Interface = control.Interface{Name: "ens18", Up: true, XDP: "native", Queues: []control.Queue{
		{Queue: 0, Mode: "zerocopy"}, {Queue: 1, Mode: "zerocopy", Foreign: 7},
	}}
	s.Ports = []control.Port{{Interface: control.Interface{Name: "veth1", Up: true, Queues: []control.Queue{{Mode: "copy"}}}, VNI: 42}}
	var table, counted bytes.Buffer
	must(t, printStatus(&table, s))
	must(t, printStats(&counted, stats.Make(&s, nil)))
	sentence := control.ForeignSentence
	if w := "ens18: 7 foreign descriptors. " + sentence + "\n"; !strings.Contains(table.String(), w) || strings.Contains(table.String(), "veth1: ") {
		t.Errorf("no %q in, or more than that:\n%s", w, &table)
	}
	var line string
	for l := range strings.Lines(counted.String()) {
		if strings.HasPrefix(l, "foreign ") {
			line += l
		}
	}
	if got := strings.Fields(line); len(got) < 5 || strings.Join(got[:4], " ") != "foreign ens18 1 7" || !strings.Contains(line, sentence) {
		t.Errorf("gw stats says %q", line)
	}
	for _, w := range []string{"ignored", "--mode copy"} {
		if !strings.Contains(sentence, w) {
			t.Errorf("%q lacks %q", sentence, w)
		}
	}
	registry := metrics.NewRegistry(fixedStatus(s))
	families, err := registry.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() != "gw_foreign_descriptors_total" {
			continue
		}
		var sum float64
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue()
		}
		if sum != 7 || f.GetHelp() != sentence {
			t.Errorf("the metric is %v: %s", sum, f.GetHelp())
		}
		return
	}
	t.Error("no metric")
}

type fixedStatus control.Status

func (f fixedStatus) Status() control.Status { return control.Status(f) }
