package bench

import (
	"strings"
	"testing"
)

// rounds returns n rounds in which gw is twice the kernel, and null three times asavie.
func rounds(n int) []map[string]Turn {
	var all []map[string]Turn
	for i := range n {
		v := float64(100 + i)
		all = append(all, map[string]Turn{
			"gw":     {Contender: "gw", Rate: 2 * v, Latency: &Latency{P99: 50}, Syscalls: map[string]float64{"all": 1.0 / 256}},
			"kernel": {Contender: "kernel", Rate: v, Latency: &Latency{P99: 100}},
			"null":   {Contender: "null", Rate: 3 * v}, "asavie": {Contender: "asavie", Rate: v},
		})
	}
	return all
}

// found returns the comparison with a name.
func found(t *testing.T, all []Comparison, name, of string) Comparison {
	t.Helper()
	for _, c := range all {
		if c.Name == name && c.Of == of {
			return c
		}
	}
	t.Fatalf("%s is not compared by %s in %+v", name, of, all)
	return Comparison{}
}

func TestCompare(t *testing.T) {
	r := rounds(9)
	busy := r[4]["kernel"]
	busy.Steal = 2 * maxSteal
	r[4]["kernel"] = busy
	all := compareCell(baseCell(encapOnly, true), r)
	for name, want := range map[string]struct {
		ratio  float64
		thrown int
		met    string
	}{
		"gw / kernel": {2, 1, "aim"}, "null / asavie": {3, 0, ""}, "gw / asavie": {2, 0, "aim"}, "gw / null": {0.667, 0, "no"},
	} {
		c := found(t, all, name, ofSaturated)
		if c.Ratio != want.ratio || c.Low != c.Ratio || c.High != c.Ratio || c.Met != want.met {
			t.Errorf("%s: %+v, want %+v", name, c, want)
		}
		if c.Thrown != want.thrown || len(c.Ratios) != 9-want.thrown {
			t.Errorf("%s: %d pairs, %d thrown away", name, len(c.Ratios), c.Thrown)
		}
	}
}

// TestCompareBelow has latencies and system calls, of which fewer are better.
func TestCompareBelow(t *testing.T) {
	all := compareCell(baseCell(encapOnly, true), rounds(7))
	if c := found(t, all, "gw / kernel", ofP99); c.Ratio != 0.5 || c.Met != "aim" || c.ID != "S10" {
		t.Errorf("latency: %+v", c)
	}
	if c := found(t, all, "gw", ofSyscalls); c.Ratio != 0.0039 || c.Met != "aim" || c.ID != "S11" {
		t.Errorf("system calls: %+v", c)
	}
	resting := rounds(7)
	for _, r := range resting {
		idle, t := 0.004, r["gw"]
		t.Idle, t.Lossless = &idle, t.Rate*2
		r["gw"] = t
	}
	own := compareCell(baseCell(encapOnly, true), resting)
	if c := found(t, own, "gw", ofIdle); c.Ratio != 0.004 || c.Met != "must" {
		t.Errorf("at rest: %+v", c)
	}
	if c := found(t, own, "gw", ofOverload); c.Ratio != 0.5 || c.Met != "no" {
		t.Errorf("a rate that falls to a half: %+v", c)
	}
	slow := rounds(7)
	for _, r := range slow {
		r["gw"].Latency.P99 = 80
	}
	if c := found(t, compareCell(baseCell(encapOnly, true), slow), "gw / kernel", ofP99); c.Met != "must" {
		t.Errorf("80 us over 100: %+v", c)
	}
}

// TestCompareMissing wants a peer that did not run, and one that ran too rarely, said to be
// so.
func TestCompareMissing(t *testing.T) {
	all := compareCell(baseCell(encapOnly, true), rounds(7))
	if c := found(t, all, "gw / ovs", ofSaturated); !strings.Contains(c.Trouble, "did not run") || c.ID != "S4" || c.Met != "" {
		t.Errorf("no ovs: %+v", c)
	}
	if c := found(t, compareCell(baseCell(encapOnly, true), rounds(5)), "gw / kernel", ofSaturated); !strings.Contains(c.Trouble, "5 pairs, too few") || c.Met != "" {
		t.Errorf("too few: %+v", c)
	}
	var out strings.Builder
	(&EndToEnd{Comparisons: all, Peers: []Peer{{Name: "ovs", Missing: "no ovs-vswitchd"}}}).table(&out)
	for _, want := range []string{"gw / ovs, saturated: not measured", "no ovs-vswitchd", "S2 reached"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in the table:\n%s", want, out.String())
		}
	}
}

// TestCompareMoves takes no verdict about moves that never happened.
func TestCompareMoves(t *testing.T) {
	cells, err := Cells(false, []string{"moves"})
	if err != nil || len(cells) != 1 {
		t.Fatal(cells, err)
	}
	for moves, met := range map[float64]string{99_000: "aim", 5_000: ""} {
		var r []map[string]Turn
		for range 7 {
			r = append(r, map[string]Turn{"resting": {Rate: 100}, "moving": {Rate: 99, Moves: moves}})
		}
		c := found(t, compareCell(cells[0], r), "moving / resting", ofSaturated)
		if c.Met != met || (met == "") != strings.Contains(c.Trouble, "5000 moves a second only") {
			t.Errorf("%v moves a second: %+v", moves, c)
		}
	}
}
