package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"vxgw/internal/lab"
)

// End to end: generator -> device under test -> sink, in three namespaces. In each cell of
// the matrix the contenders take turns in rounds, and each round gives one ratio of each
// pair:
//
//	cell    links, generators, their rate alone
//	round   one turn of each
//	turn    start, make the stations known, check what comes through;
//	        saturated, lossless, latency, at rest, system calls; stop

// Turn is one measurement of one contender.
type Turn struct {
	Cell      string `json:"cell"`
	Round     int    `json:"round"`
	Contender string `json:"contender"`

	Rate     float64 `json:"packets_per_second"` // saturated, counted at the sink
	Offered  float64 `json:"offered_per_second"` // what the generator sent meanwhile
	Bytes    float64 `json:"bytes_per_second"`   // of inner frames, at the sink
	PerCPU   float64 `json:"packets_per_cpu_second,omitempty"`
	Lossless float64 `json:"lossless_packets_per_second,omitempty"` // with at most 0.1 % loss
	Loss     float64 `json:"loss,omitempty"`                        // at that rate
	Steal    float64 `json:"steal"`                                 // part of all CPU time that the hypervisor took meanwhile
	LineTrip float64 `json:"line_trip_ns,omitempty"`                // of a cache line between the two CPUs, just before and after, the longer

	Moves    float64            `json:"moves_per_second,omitempty"` // that the contender counted meanwhile
	Latency  *Latency           `json:"latency,omitempty"`
	Lone     *Latency           `json:"lone,omitempty"`     // of frames that come to a contender at rest
	Idle     *float64           `json:"idle_cpu,omitempty"` // part of a CPU that its process takes then
	Syscalls map[string]float64 `json:"syscalls_per_packet,omitempty"`
}

// EndToEnd is everything that was measured between namespaces.
type EndToEnd struct {
	CPU          int    `json:"cpu"`           // of what is measured
	GeneratorCPU int    `json:"generator_cpu"` // and of generator and sink
	Peers        []Peer `json:"peers"`
	Cells        []Cell `json:"cells"`
	Turns        []Turn `json:"turns"` // in order
	Comparison          // gw over the kernel, saturated, in the first cell that has them
	// All comparisons, cell by cell.
	Comparisons []Comparison `json:"comparisons"`
}

// prefix of the bench's namespaces.
const prefix = "gw-bench"

// span says how long to measure.
type span struct {
	rounds   int           // of rates, in each cell
	base     int           // in those with all contenders
	searches int           // of all rounds, how many look for the highest rate without loss, for latencies, and at rest
	window   time.Duration // of a saturated rate
	short    time.Duration // of one step of a search
	budget   time.Duration // after which no other cell is begun; 0: no end
}

// runner measures end to end.
type runner struct {
	span
	program string
	dir     string
	all     []contender
	say     func(format string, args ...any)
	result  *EndToEnd
}

// MeasureEndToEnd compares the program with others in cells. It needs root. What cannot be
// measured is in the result with its reason; an error means that gw itself failed, or the
// lab.
func MeasureEndToEnd(ctx context.Context, program string, cells []Cell, s span, say func(format string, args ...any)) (r EndToEnd, err error) {
	if _, err := lab.Sweep(prefix); err != nil {
		return r, err
	}
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	run := &runner{span: s, program: program, dir: dir, all: contenders(program), say: say, result: &r}
	r.CPU, r.GeneratorCPU = contenderCPU(), generatorCPU()
	r.Cells = cells
	for i := range run.all {
		if run.all[i].Name == "ovs" {
			version, err := ovsVersion()
			run.all[i].Version = version
			if err != nil {
				run.all[i].Missing = err.Error()
				say("ovs will not be measured: %v\n", err)
			}
		}
	}
	for i, start := 0, time.Now(); i < len(cells); i++ {
		if s.budget > 0 && time.Since(start) > s.budget {
			r.Cells[i].LeftOut = fmt.Sprintf("the ones before took more than %v (choose it with --only)", s.budget)
			say("%s: left out: %s\n", cells[i].ID, r.Cells[i].LeftOut)
			continue
		}
		if err := run.cell(ctx, &r.Cells[i]); err != nil {
			return r, fmt.Errorf("%s: %w", cells[i].ID, err)
		}
	}
	for _, c := range run.all {
		r.Peers = append(r.Peers, c.Peer)
	}
	for _, c := range r.Comparisons {
		if c.Name == "gw / kernel" && c.Of == ofSaturated {
			r.Comparison = c
			break
		}
	}
	return r, nil
}

// scene is a cell with its links, and what sends.
type scene struct {
	*runner
	cell  *Cell
	bed   *bed
	alone alone
	gens  map[Direction]map[Traffic]*generator
	prime map[Direction]*generator
	side  map[sideTraffic]*generator
	half  float64        // load for latencies, once it is known
	gone  map[string]int // contenders that would not run
}

// cell measures one.
func (r *runner) cell(ctx context.Context, c *Cell) (err error) {
	if c.Jailed && contenderCPU() == generatorCPU() {
		c.LeftOut = "a jail takes two CPUs"
		r.say("%s: left out: %s\n", c.ID, c.LeftOut)
		return nil
	}
	l, err := lab.New(prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s := &scene{runner: r, cell: c, gens: map[Direction]map[Traffic]*generator{}, prime: map[Direction]*generator{}, side: map[sideTraffic]*generator{}, gone: map[string]int{}}
	if s.bed, err = newBed(l, c.Jailed); err != nil {
		if c.Jailed && s.bed != nil {
			c.LeftOut = err.Error()
			r.say("%s: left out: %v\n", c.ID, err)
			return nil
		}
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.prepare(); err != nil {
		return err
	}
	r.say("%s: %s; the generator alone sends %.0f packets/s\n", c.ID, c.What, c.Alone)
	rounds := s.planned()
	var taken []map[string]Turn
	measure := s.round
	if c.shared {
		stop, shared, err := s.startShared(ctx)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
		measure = shared
	}
	for i := 0; i < rounds || i < rounds+spareRounds && thrown(*c, taken) > i-rounds; i++ {
		turns, err := measure(ctx, i)
		if err != nil {
			return err
		}
		taken = append(taken, turns)
		s.chooseLoad(turns)
	}
	all := compareCell(*c, taken)
	for _, cmp := range all {
		r.say("  %v\n", cmp)
	}
	r.result.Comparisons = append(r.result.Comparisons, all...)
	return nil
}

// planned is how many rounds the cell has, without spare ones.
func (s *scene) planned() int {
	if s.cell.wide() {
		return s.base
	}
	return s.rounds
}

// spareRounds are added at most where pairs are thrown away.
const spareRounds = 4

// thrown is how many pairs of saturated rates do not count, where that is most.
func thrown(c Cell, taken []map[string]Turn) (most int) {
	for _, cmp := range compareCell(c, taken) {
		if cmp.Of == ofSaturated {
			most = max(most, cmp.Thrown)
		}
	}
	return most
}

// chooseLoad sets the load for latencies: half of the lowest rate without loss.
func (s *scene) chooseLoad(turns map[string]Turn) {
	if s.half > 0 {
		return
	}
	lowest := 0.0
	for _, name := range s.cell.latency {
		if t := turns[name]; t.Lossless > 0 && (lowest == 0 || t.Lossless < lowest) {
			lowest = t.Lossless
		}
	}
	s.half = lowest / 2
}

// round has each contender take its turn.
func (s *scene) round(ctx context.Context, number int) (map[string]Turn, error) {
	turns := map[string]Turn{}
	for _, e := range s.cell.entrants {
		c := s.contender(e.contender)
		if c.Missing != "" && s.gone[c.Name] == 0 {
			s.gone[c.Name]++
			continue
		}
		if s.gone[c.Name] > 0 {
			continue
		}
		t, err := s.turn(ctx, c, e, number)
		if err != nil {
			if c.Name == "gw" || ctx.Err() != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			s.gone[c.Name]++
			c.Missing = oneLine(fmt.Sprintf("in %s: %v", s.cell.ID, err))
			s.say("  %-7s is not measured %s\n", c.Name, c.Missing)
			continue
		}
		turns[e.name] = t
		s.took(t)
	}
	return turns, nil
}

// took notes a turn.
func (s *scene) took(t Turn) {
	s.result.Turns = append(s.result.Turns, t)
	line := fmt.Sprintf("  %2d %-12s %8.0f packets/s", t.Round, t.Contender, t.Rate)
	if t.Lossless > 0 {
		line += fmt.Sprintf(", %8.0f without loss", t.Lossless)
	}
	if t.Moves > 0 {
		line += fmt.Sprintf(", %8.0f moves/s", t.Moves)
	}
	if t.PerCPU > 0 {
		line += fmt.Sprintf(", %8.0f per CPU second", t.PerCPU)
	}
	if t.Latency != nil {
		line += fmt.Sprintf(", p50 %.1f p99 %.1f us", t.Latency.P50, t.Latency.P99)
	}
	if t.Idle != nil {
		line += fmt.Sprintf(", at rest %.3f %% of a CPU", 100**t.Idle)
	}
	if t.Lone != nil {
		line += fmt.Sprintf(", lone frames p50 %.1f us", t.Lone.P50)
	}
	if n, ok := t.Syscalls["all"]; ok {
		line += fmt.Sprintf(", %.2g system calls a packet", n)
	}
	s.say("%s  (steal %.1f %%, line trip %.0f ns)\n", line, 100*t.Steal, t.LineTrip)
}

// oneLine makes a text fit into a table.
func oneLine(text string) string {
	const most = 1000
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text
}

func (r *runner) contender(name string) *contender {
	return &r.all[slices.IndexFunc(r.all, func(c contender) bool { return c.Name == name })]
}

// allowed are the CPUs of a contender's processes: all but the generator's, or in a jail
// one.
func (s *scene) allowed() []int {
	cpus := []int{contenderCPU()}
	for cpu := range generatorCPU() {
		if cpu != contenderCPU() && !s.cell.Jailed {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}
