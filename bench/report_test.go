package bench

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testReport has something of everything.
func testReport() Report {
	e := &EndToEnd{Peers: []Peer{{Name: "ovs", Missing: "no ovs-vswitchd"}}}
	for _, c := range []Cell{baseCell(encapOnly, true), sizeCells()[0]} {
		taken := rounds(7)
		for i, round := range taken {
			for name, t := range round {
				t.Cell, t.Round, t.Contender, t.PerCPU, t.Lossless = c.ID, i, name, t.Rate, t.Rate/2
				round[name] = t
				e.Turns = append(e.Turns, t)
			}
		}
		e.Cells = append(e.Cells, c)
		e.Comparisons = append(e.Comparisons, compareCell(c, taken)...)
	}
	e.Comparison = e.Comparisons[0]
	return Report{EndToEnd: e}
}

// TestJSONNames holds the names by which scripts know what was measured.
func TestJSONNames(t *testing.T) {
	b, err := json.Marshal(testReport())
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	has := func(where string, raw json.RawMessage, names ...string) map[string]json.RawMessage {
		t.Helper()
		var m map[string]json.RawMessage
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		for _, name := range names {
			if m[name] == nil {
				t.Errorf("%s has no %q, but %v", where, name, slices.Sorted(maps.Keys(m)))
			}
		}
		return m
	}
	first := func(raw json.RawMessage) json.RawMessage {
		var all []json.RawMessage
		if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
			t.Fatalf("%s: %v", raw, err)
		}
		return all[0]
	}
	top = has("the report", b, "date", "kernel", "arch", "cpus", "load", "seconds", "memory", "end_to_end")
	e := has("end to end", top["end_to_end"], "cpu", "generator_cpu", "peers", "cells", "turns", "comparisons",
		"ratios", "ratio", "low", "high", "level", "pairs_thrown_away", "must", "aim", "met")
	if string(e["ratio"]) != "2" {
		t.Errorf("the first ratio is %s, want that of gw and the kernel", e["ratio"])
	}
	has("a peer", first(e["peers"]), "name", "missing")
	has("a cell", first(e["cells"]), "id", "what", "way", "jailed", "traffic")
	has("a turn", first(e["turns"]), "cell", "round", "contender", "packets_per_second", "offered_per_second", "bytes_per_second",
		"packets_per_cpu_second", "lossless_packets_per_second", "steal")
	has("a comparison", first(e["comparisons"]), "cell", "name", "of", "ratios", "ratio", "low", "high", "level", "pairs_thrown_away", "id", "must", "aim", "met")
}

// TestWrite wants the report and pictures that are well-formed and name what they show; of what
// was not measured there is none.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	r := testReport()
	if err := r.write(Options{Dir: dir, Out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil || !json.Valid(b) {
		t.Errorf("report.json: %v", err)
	}
	for name, want := range map[string]string{"ratios.svg": "kernel", "sizes.svg": "gw, encap", "stages.svg": "ns per packet"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		d := xml.NewDecoder(strings.NewReader(string(b)))
		for err == nil {
			_, err = d.Token()
		}
		if !errors.Is(err, io.EOF) || !strings.Contains(string(b), want) {
			t.Errorf("%s: %v, or no %q in it", name, err, want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "macs.svg")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a picture of nothing: %v", err)
	}
}

// TestCells wants cells with names of their own, whose pairs take part, and every goal that is
// measured end to end.
func TestCells(t *testing.T) {
	all, err := Cells(false, nil)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := Cells(true, nil)
	if err != nil || len(quick) == 0 {
		t.Fatal(quick, err)
	}
	seen, goals := map[string]bool{}, map[string]bool{"S11": false}
	for _, c := range all {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		goals["S11"] = goals["S11"] || c.base
		for _, p := range c.pairs {
			for _, name := range []string{p.over, p.under} {
				if !slices.ContainsFunc(c.entrants, func(e entrant) bool { return e.name == name }) {
					t.Errorf("%s: %s takes no turn", c.ID, name)
				}
			}
			for _, g := range p.goals {
				goals[g.id] = true
			}
		}
	}
	for _, id := range []string{"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S11"} {
		if !goals[id] {
			t.Errorf("no cell has goal %s", id)
		}
	}
	some, err := Cells(false, []string{"imix", "moves"})
	if err != nil || len(some) != 2 {
		t.Errorf("%+v, %v", some, err)
	}
	if _, err := Cells(false, []string{"nosuch"}); err == nil || !strings.Contains(err.Error(), "gw bench --list") {
		t.Errorf("%v", err)
	}
}
