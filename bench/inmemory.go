package bench

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// InMemory is all that was measured in memory: the test plays the kernel, so it says what gw's own code costs.
type InMemory struct {
	Packets []MemoryResult `json:"packets"`
	Stages  []Stages       `json:"stages"`
	Figures []Figure       `json:"figures"`
	Growth  *Growth        `json:"growth,omitempty"`
	LeftOut []string       `json:"left_out,omitempty"`
}

// goal is a line of the list of what is to be reached.
type goal struct {
	id        string
	macs      int
	must, aim float64 // ns per packet
}

var memoryGoals = []goal{
	{"R1", 1_000, 30, 15},
	{"R2", 1_000_000, 55, 32},
	{"R3", 10_000_000, 70, 45},
}

// flooded is how many copies Flood makes of a frame.
const flooded = 4

// mixes are measured with few stations: what they cost beside memory.
var mixes = []LoopConfig{
	{Mix: Refresh, MACs: 1_000},
	{Mix: Flood, MACs: 1_000, Copies: flooded},
	{Mix: Learn, MACs: 1_000},
	{Mix: Move, MACs: 1_000},
	{Mix: Drop, MACs: 1_000},
	{Mix: Full, MACs: 1_000},
}

// scales are what a full bench adds: many of everything, and moves beside.
var scales = []LoopConfig{
	{MACs: 1_000_000, Remotes: 1_000},
	{MACs: 1_000_000, VNIs: 64, Remotes: 1_000},
	{MACs: 1_000_000, VNIs: 4_096, Remotes: 1_000},
	{MACs: 2 * trunkVNIs, Remotes: 1_000, Trunk: true},
	{MACs: 2 * trunkVNIs, VNIs: trunkVNIs, Remotes: 1_000, Trunk: true},
	{MACs: 1_000_000, Beside: 100_000},
	{Mix: Learn, MACs: 1_000_000},
	{Mix: Refresh, MACs: 1_000_000},
}

// measuring is a run of everything in memory.
type measuring struct {
	InMemory
	out    io.Writer
	each   time.Duration // for one measurement
	most   int           // MACs
	allocs uint64        // of the worst path
	paths  int
}

// MeasureInMemory measures everything in memory and prints it line by line: quick in some seconds and with a million stations
// at most, else in a few minutes and with ten million, which takes 2 GB.
func MeasureInMemory(quick bool, out io.Writer) (InMemory, error) {
	m := &measuring{out: out, each: 3 * time.Second, most: 10_000_000}
	if quick {
		m.each, m.most = 200*time.Millisecond, 1_000_000
		m.LeftOut = append(m.LeftOut, "in memory, ten million stations, many VNIs and moves beside were left out: --quick")
	}
	err := m.run(quick)
	return m.InMemory, err
}

func (m *measuring) say(format string, args ...any) { fmt.Fprintf(m.out, format+"\n", args...) }

func (m *measuring) run(quick bool) error {
	m.say("In memory: one worker, 64-byte frames, no kernel; ns per packet, median of many short slices.")
	m.say("The floor is one look at each frame, 50 bytes written in front of it (encap), and two independent loads from as much memory as the FDB has.")
	for _, g := range memoryGoals {
		if g.macs > m.most {
			continue
		}
		for d := range Direction(2) {
			if err := m.goal(g, d); err != nil {
				return err
			}
		}
	}
	rows := mixes
	if !quick {
		rows = append(rows[:len(rows):len(rows)], scales...)
	}
	for _, c := range rows {
		for c.Direction = range Direction(2) {
			r, err := MeasureMemory(c, m.each)
			if err != nil {
				return err
			}
			m.add(r)
		}
	}
	if err := m.stages(); err != nil {
		return err
	}
	if err := m.workers(); err != nil {
		return err
	}
	if err := m.growth(); err != nil {
		return err
	}
	m.figure(exact("R8", fmt.Sprintf("most allocations of any of %d paths in %d rounds", m.paths, allocationSteps), "", float64(m.allocs)).with(0, 0))
	for _, l := range m.LeftOut {
		m.say("  %s", l)
	}
	return nil
}

// add notes a result.
func (m *measuring) add(r MemoryResult) {
	m.paths++
	m.allocs = max(m.allocs, r.Allocs)
	m.Packets = append(m.Packets, r)
	m.say("  %v", r)
}

func (m *measuring) figure(f Figure) {
	m.Figures = append(m.Figures, f)
	m.say("  %v", f)
}

// goal measures R1, R2 or R3 in one direction, and what the machine takes; with the FDB that is there then, R4, R5 and R6.
func (m *measuring) goal(g goal, d Direction) (err error) {
	l, err := NewLoop(LoopConfig{Direction: d, MACs: g.macs})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	r, err := l.measure(m.each)
	if err != nil {
		return err
	}
	r.ID, r.Must, r.Aim = g.id, g.must, g.aim
	table := l.site.plane.FDB.Stats()
	random, err := newLoads(table.Bytes)
	if err != nil {
		return err
	}
	load := random.nsPerLoad(2*lookupBatch, false, m.each/8)
	if err := random.unmap(); err != nil {
		return err
	}
	touch := l.touch(m.each / 8)
	r.Floor = round2(touch + 2*load)
	r.OverFloor = round2(r.Ns / r.Floor)
	m.add(r)
	if _, ok := lookupGoals[g.macs]; !ok || d != Encap {
		return nil
	}
	figures, err := l.site.lookups(m.each)
	if err != nil {
		return err
	}
	for _, f := range figures {
		m.figure(f)
	}
	m.figure(m.footprint(table.Entries, table.BytesPerEntry()))
	return nil
}

// footprint is R6, which holds for ten million entries; with fewer it says how far growth has come.
func (m *measuring) footprint(entries int, bytes float64) Figure {
	f := exact("", fmt.Sprintf("FDB bytes per entry, %d entries", entries), "bytes", bytes)
	if entries >= 10_000_000 {
		f = f.with(26, 20)
		f.ID = "R6"
	}
	return f
}

// sizes are numbers of stations that fit into the caches, and that do not.
func (m *measuring) sizes() []int {
	if m.most < 1_000_000 {
		return []int{1_000}
	}
	return []int{1_000, 1_000_000}
}

func (m *measuring) stages() error {
	m.say("  Stages: the same calls in a loop of the bench's own, ns per packet; other is what the worker takes beyond them")
	for _, macs := range m.sizes() {
		for d := range Direction(2) {
			s, err := stages(LoopConfig{Direction: d, MACs: macs}, m.each)
			if err != nil {
				return err
			}
			m.Stages = append(m.Stages, s)
			m.say("      %v", s)
		}
	}
	return nil
}

func (m *measuring) workers() error {
	for _, macs := range m.sizes() {
		f, err := MeasureWorkers(LoopConfig{MACs: macs}, 2*m.each)
		if errors.Is(err, errOneCPU) {
			m.LeftOut = append(m.LeftOut, "in memory, R7 was left out: "+err.Error())
			return nil
		}
		if err != nil {
			return err
		}
		m.figure(f)
	}
	return nil
}

func (m *measuring) growth() error {
	g, err := MeasureGrowth(LoopConfig{MACs: 1_000}, m.most, m.each)
	if err != nil {
		return err
	}
	m.Growth = &g
	m.say("      %v", g)
	return nil
}
