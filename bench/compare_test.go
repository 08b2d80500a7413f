package bench

import (
	"encoding/json"
	"strings"
	"testing"
)

// rounds returns n rounds in which gw is twice the kernel, and null three times asavie.
func rounds(n int) []map[string]Turn {
	var all []map[string]Turn
	for i := range n {
		v := float64(100 + i)
		all = append(all, map[string]Turn{"gw": {Rate: 2 * v}, "kernel": {Rate: v}, "null": {Rate: 3 * v}, "asavie": {Rate: v}})
	}
	return all
}

func TestCompare(t *testing.T) {
	r := rounds(9)
	busy := r[4]["kernel"]
	busy.Steal = 2 * maxSteal
	r[4]["kernel"] = busy
	all, err := compare(r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{"gw / kernel": 2, "null / asavie": 3, "gw / asavie": 2, "gw / null": 0.67}
	for _, c := range all {
		if c.Ratio != want[c.Name] || c.Low != c.Ratio || c.High != c.Ratio {
			t.Errorf("%s: %v (%v to %v), want %v", c.Name, c.Ratio, c.Low, c.High, want[c.Name])
		}
		thrown := 0
		if c.Name == "gw / kernel" { // the others do not care for the kernel's turn
			thrown = 1
		}
		if c.Thrown != thrown || len(c.Ratios) != 9-thrown {
			t.Errorf("%s: %d pairs, %d thrown away", c.Name, len(c.Ratios), c.Thrown)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("not compared: %v", want)
	}
	if _, err := compare(r[:5]); err == nil || !strings.Contains(err.Error(), "gw / kernel: only 4 of 5 pairs are left") {
		t.Errorf("too few: %v", err)
	}
}

// TestJSONNames holds the names by which scripts know the comparisons.
func TestJSONNames(t *testing.T) {
	all, err := compare(rounds(6))
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(EndToEnd{Comparison: all[0], Comparisons: all})
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(b, &top); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"turns", "ratios", "ratio", "low", "high", "level", "pairs_thrown_away", "comparisons"} {
		if top[name] == nil {
			t.Errorf("no %q in %s", name, b)
		}
	}
	if string(top["ratio"]) != "2" {
		t.Errorf("the first ratio is %s, want that of gw and the kernel", top["ratio"])
	}
}
