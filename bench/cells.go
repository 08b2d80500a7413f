package bench

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// The cells of the matrix that are measured. Of all that could be combined these are
// chosen so that each goal has its figure, and so that it ends in time.

// Cell is one set of conditions, under which contenders take turns.
type Cell struct {
	ID      string  `json:"id"`
	What    string  `json:"what"`
	Way     way     `json:"way"`
	Jailed  bool    `json:"jailed"` // contender on one CPU, generator and sink on another
	Traffic Traffic `json:"traffic"`
	// LeftOut says why there is nothing.
	LeftOut string `json:"left_out,omitempty"`
	// Alone is the generator's rate in the cell, each frame dropped where it arrives first.
	Alone float64 `json:"generator_alone_per_second,omitempty"`

	entrants []entrant
	pairs    []versus
	search   []string // contenders of which the highest rate without loss is looked for
	latency  []string // and those whose latency is measured, at half of the lowest such rate
	base     bool     // system calls are counted, and what a contender takes at rest
	shared   bool     // all entrants are one gw that runs on
	place    place
	quick    bool
}

// wide tells whether all contenders are in the cell, jailed: the goals hold there.
func (c Cell) wide() bool { return c.Jailed && len(c.entrants) > 2 }

// goalless is 1 for a cell without a goal, which is left out first where time is short, and 0 for others.
func (c Cell) goalless() int {
	for _, p := range c.pairs {
		if len(p.goals) > 0 {
			return 0
		}
	}
	return 1
}

// entrant is who takes a turn.
type entrant struct {
	name      string // what the pairs call it
	contender string
	traffic   Traffic
	side      sideTraffic
}

// sideTraffic goes in the other direction meanwhile.
type sideTraffic uint8

const (
	noSide     sideTraffic = iota
	restSide               // stations that stay where they are
	movingSide             // stations that move with each frame
)

// movesPerSecond is how many addresses are to move, and sideRate how many frames are sent for that: some are lost in front of what
// is saturated.
const (
	movesPerSecond = 100_000
	sideRate       = 130_000
)

// versus is two entrants to be compared.
type versus struct {
	over, under string
	goals       map[string]goalOf // by what is compared
}

// goalOf is a goal for a ratio.
type goalOf struct {
	id        string
	must, aim float64
	below     bool // it has to be below, not above
}

// What is compared.
const (
	ofSaturated = "saturated" // packets per second at the sink
	ofLossless  = "lossless"  // the highest rate with at most 0.1 % loss
	ofCPU       = "per cpu"   // packets per second of CPU time, saturated
	ofP99       = "p99"       // latency
	ofLone      = "lone"      // median latency of frames that come to a contender at rest
	ofSyscalls  = "syscalls"  // of gw, per packet
	ofIdle      = "idle"      // part of a CPU that gw takes at rest
	ofOverload  = "overload"  // of gw, saturated over lossless
)

// rates is a goal that holds for both rates.
func rates(id string, must, aim float64) map[string]goalOf {
	g := goalOf{id: id, must: must, aim: aim}
	return map[string]goalOf{ofSaturated: g, ofLossless: g}
}

// vtepPairs compare gw with the kernel.
func vtepPair(id string, must, aim float64) versus {
	return versus{"gw", "kernel", rates(id, must, aim)}
}

// everybody is all contenders, and how gw stands to each.
func everybody(m Traffic) (all []entrant, pairs []versus) {
	for _, name := range []string{"kernel", "gw", "null", "asavie", "ovs"} {
		all = append(all, entrant{name: name, contender: name, traffic: m})
	}
	kernel := vtepPair("S2", 1.3, 2.0)
	kernel.goals[ofP99] = goalOf{id: "S10", must: 1.0, aim: 0.7, below: true}
	kernel.goals[ofLone] = goalOf{id: "first", must: 1.0, aim: 0.7, below: true}
	return all, []versus{
		kernel,
		{"gw", "null", rates("S1", 0.95, 0.97)},
		{"gw", "asavie", rates("S5", 1.5, 2.0)},
		{"gw", "ovs", rates("S4", 3, 6)},
		{"null", "asavie", nil},
	}
}

// baseCell has everybody with two stations and the smallest frames.
func baseCell(w way, jailed bool) Cell {
	m := Traffic{MACs: 2, Size: innerLen, Remotes: 1}
	c := Cell{ID: id(w, "64", jailed), What: "64-byte frames", Way: w, Jailed: jailed, Traffic: m}
	c.entrants, c.pairs = everybody(m)
	if jailed {
		c.search, c.latency = []string{"kernel", "gw"}, []string{"kernel", "gw"}
	}
	c.base = jailed && w == encapOnly
	if !jailed && w == encapOnly { // busy polling wants a CPU that nothing else needs, which is no jail
		c.entrants = append(c.entrants, entrant{name: "gw-busy", contender: "gw-busy", traffic: m})
		c.pairs = append(c.pairs, versus{"gw-busy", "kernel", nil})
	}
	return c
}

// allCells returns the matrix, in the order of measuring: what matters most comes first.
func allCells() []Cell {
	free := baseCell(encapOnly, false)
	free.quick = true
	all := []Cell{
		baseCell(encapOnly, true), baseCell(decapOnly, true), baseCell(bothWays, true),
		free, baseCell(decapOnly, false),
	}
	all = append(all, sizeCells()...)
	for _, w := range []way{encapOnly, decapOnly} {
		m := Traffic{MACs: 100_000, Size: innerLen, Remotes: 1}
		all = append(all, Cell{
			ID: id(w, "100k-macs", true), What: "100,000 random MAC addresses", Way: w, Jailed: true, Traffic: m,
			entrants: vteps(m), pairs: []versus{vtepPair("S3", 1.5, 2.5)},
		})
	}
	all = append(all, scaleCells()...)
	slices.SortStableFunc(all, func(a, b Cell) int { return cmp.Compare(a.goalless(), b.goalless()) })
	quick := baseCell(decapOnly, true) // the two that have a tunnel
	quick.ID, quick.entrants, quick.pairs, quick.quick = id(decapOnly, "64-quick", true), quick.entrants[:2], quick.pairs[:1], true
	quick.search, quick.latency = nil, nil
	return append(all, quick)
}

// sizeCells are other sizes than the smallest: both ways where there is a goal.
func sizeCells() (all []Cell) {
	for _, size := range []struct {
		name, what string
		bytes      int
		ways       []way
		pair       versus
	}{
		{"512", "512-byte frames", 512, []way{encapOnly}, versus{over: "gw", under: "kernel"}},
		{"1450", "1450-byte frames", 1450, []way{encapOnly, decapOnly}, vtepPair("S9", 1.0, 1.5)},
		{"imix", "IMIX: 64, 570 and 1450 bytes, 7 to 4 to 1", 0, []way{encapOnly}, versus{over: "gw", under: "kernel"}},
	} {
		for _, w := range size.ways {
			m := Traffic{MACs: 2, Size: size.bytes, Remotes: 1}
			all = append(all, Cell{
				ID: id(w, size.name, true), What: size.what, Way: w, Jailed: true, Traffic: m, pairs: []versus{size.pair}, entrants: vteps(m),
			})
		}
	}
	return all
}

// vteps are the two that have a tunnel and learn as many addresses as there are.
func vteps(m Traffic) []entrant {
	return []entrant{{name: "kernel", contender: "kernel", traffic: m}, {name: "gw", contender: "gw", traffic: m}}
}

// trunkVNIs is as many as a trunk has VLANs.
const trunkVNIs = 4094

// scaleCells compare gw with itself, one process that runs on: it knows all stations, remotes
// and VNIs either way, and what differs is the traffic.
func scaleCells() (all []Cell) {
	few := Traffic{MACs: 2, Size: innerLen, Remotes: 1}
	million := Traffic{MACs: 1_000_000, Size: innerLen, Remotes: 1}
	popular := million
	popular.Zipf = true
	spread := Traffic{MACs: 2_000, Size: innerLen, Remotes: 1_000}
	self := func(name string, t Traffic) entrant { return entrant{name: name, contender: "gw", traffic: t} }
	first := Traffic{MACs: 2, Size: innerLen, Remotes: 1, VNIs: 1}
	each := Traffic{MACs: 2 * trunkVNIs, Size: innerLen, Remotes: 1_000, VNIs: trunkVNIs}
	for _, w := range []way{encapOnly, decapOnly} {
		macs := Cell{
			ID: id(w, "1m-macs", true), What: "1,000,000 random MAC addresses, or 2", Way: w, Traffic: million,
			entrants: []entrant{self("2-macs", few), self("1m-macs", million)},
			pairs:    []versus{{"1m-macs", "2-macs", rates("S6", 0.93, 0.97)}},
		}
		if w == encapOnly {
			macs.What = "1,000,000 MAC addresses, at random and by Zipf's law, or 2"
			macs.entrants = append(macs.entrants, self("1m-zipf", popular))
			macs.pairs = append(macs.pairs, versus{"1m-zipf", "2-macs", nil})
		}
		all = append(all, macs, Cell{
			ID: id(w, "1000-remotes", true), What: "1,000 remotes with a station each, or one; 4,096 VNIs, of which one has traffic", Way: w, Traffic: spread,
			entrants: []entrant{self("1-remote", few), self("1000-remotes", spread)},
			pairs:    []versus{{"1000-remotes", "1-remote", rates("S7", 0.95, 0.98)}},
			place:    place{vnis: 4096, remotes: 1000},
		}, Cell{
			ID: id(w, "4094-vnis", true), What: "4,094 VNIs, which are the VLANs of a trunk, and 1,000 remotes, or one each", Way: w, Traffic: each,
			entrants: []entrant{self("1-vni", first), self("4094-vnis", each)},
			pairs:    []versus{{"4094-vnis", "1-vni", rates("S7", 0.95, 0.98)}},
			place:    place{vnis: trunkVNIs, trunk: true},
		})
	}
	resting, moves := self("resting", few), self("moving", few)
	resting.side, moves.side = restSide, movingSide
	all = append(all, Cell{
		ID: id(encapOnly, "moves", true), What: "100,000 moves a second meanwhile, or as many frames of stations that stay", Way: encapOnly, Traffic: few,
		entrants: []entrant{resting, moves}, pairs: []versus{{"moving", "resting", rates("S8", 0.90, 0.97)}},
		place: place{macs: movingMACs},
	})
	for i := range all {
		all[i].Jailed, all[i].shared = true, true
	}
	return all
}

func id(w way, name string, jailed bool) string {
	where := "free"
	if jailed {
		where = "jailed"
	}
	return fmt.Sprintf("%s-%s-%s", w, name, where)
}

// Cells returns what Run measures: all, or those of a quick run, and of them those whose
// names have one of the words in them.
func Cells(quick bool, only []string) ([]Cell, error) {
	var some []Cell
	for _, c := range allCells() {
		isQuick := strings.Contains(c.ID, "-quick-")
		switch {
		case len(only) > 0:
			if !slices.ContainsFunc(only, func(word string) bool { return strings.Contains(c.ID, word) }) {
				continue
			}
		case quick && !c.quick, !quick && isQuick:
			continue
		}
		some = append(some, c)
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("no cell has %s in its name (gw bench --list has all)", strings.Join(only, " or "))
	}
	return some, nil
}
