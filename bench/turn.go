package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"vxgw/internal/lab"
)

// prepare makes the generators of a cell, and measures them alone.
func (s *scene) prepare() (err error) {
	c := s.cell
	small := c.Traffic
	small.Size = innerLen
	for _, d := range []Direction{Encap, Decap} {
		all, _ := primeSchedule(d, small)
		if s.prime[d], err = s.bed.generator(d, all, small, primed); err != nil {
			return err
		}
	}
	for _, d := range c.Way.directions() {
		s.gens[d] = map[Traffic]*generator{}
		for _, e := range c.entrants {
			if s.gens[d][e.traffic] == nil {
				if s.gens[d][e.traffic], err = s.bed.generator(d, newSchedule(d, e.traffic), e.traffic, measured); err != nil {
					return err
				}
			}
			if e.side != noSide && s.side[e.side] == nil {
				if s.side[e.side], err = s.bed.generator(Decap, moveSchedule(e.side == movingSide), resident, moving); err != nil {
					return err
				}
			}
		}
	}
	gens := map[Direction]*generator{}
	for d, by := range s.gens {
		gens[d] = by[c.Traffic]
	}
	s.alone, err = s.bed.measureAlone(c.Way, gens, s.window)
	c.Alone = round2(s.alone.rate)
	return err
}

func (s *scene) close() error {
	var errs []error
	for _, by := range s.gens {
		for _, g := range by {
			errs = append(errs, g.close())
		}
	}
	for _, g := range s.prime {
		if g != nil {
			errs = append(errs, g.close())
		}
	}
	for _, g := range s.side {
		if g != nil {
			errs = append(errs, g.close())
		}
	}
	return errors.Join(errs...)
}

// turn measures one contender from start to stop.
func (s *scene) turn(ctx context.Context, c *contender, e entrant, number int) (t Turn, err error) {
	r, err := s.start(ctx, c)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, r.stop()) }()
	return s.measure(r, c, e, number)
}

// startShared starts one gw for all entrants, and returns what stops it and measures them.
func (s *scene) startShared(ctx context.Context) (stop func() error, round func(context.Context, int) (map[string]Turn, error), err error) {
	c := s.contender("gw")
	r, err := s.start(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return r.stop, func(_ context.Context, number int) (map[string]Turn, error) {
		turns := map[string]Turn{}
		for _, e := range s.cell.entrants {
			t, err := s.measure(r, c, e, number)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			turns[e.name] = t
			s.took(t)
		}
		return turns, nil
	}, nil
}

// start puts a contender in its place, with every station known, and fails unless what
// comes through is right.
func (s *scene) start(ctx context.Context, c *contender) (*running, error) {
	p := s.cell.place
	p.host, p.cpus, p.way = s.bed.dut, s.allowed(), s.cell.Way
	p.macs += s.cell.Traffic.MACs
	p.remotes = max(p.remotes, s.cell.Traffic.Remotes)
	var err error
	if p.dir, err = os.MkdirTemp(s.dir, c.Name); err != nil {
		return nil, err
	}
	if c.tunnel {
		p.way = bothWays // what makes stations known comes from both sides
	}
	r, err := c.start(ctx, p)
	if err != nil {
		return nil, err
	}
	err = s.bed.jail()
	if err == nil && c.tunnel {
		err = s.makeKnown()
	}
	if err == nil {
		err = s.verify(ctx, c)
	}
	if err != nil {
		return nil, errors.Join(err, r.stop())
	}
	return r, nil
}

// Stations are made known at a rate that every contender keeps up with, and again, more slowly,
// where too many frames were lost. The few that are missing then are learned, or flooded until
// they speak, while others are measured.
const (
	knownRate    = 100_000
	knownTries   = 4
	knownMissing = 0.01 // part of them
)

// makeKnown has every station speak: first those behind the remote, whose frames are
// flooded, then the others.
func (s *scene) makeKnown() error {
	for _, d := range []Direction{Decap, Encap} {
		_, n := primeSchedule(d, s.cell.Traffic)
		k, err := s.bed.sink(d, true, primed)
		if err != nil {
			return err
		}
		err = s.speak(s.prime[d], k, n)
		if err := errors.Join(err, k.close()); err != nil {
			return fmt.Errorf("make %d stations known (%v): %w", n, d, err)
		}
	}
	return nil
}

// speak sends until n frames, or nearly all, came in one go.
func (s *scene) speak(g *generator, k *sink, n uint64) error {
	var came uint64
	enough := n - uint64(float64(n)*knownMissing)
	for try := range knownTries {
		before, err := k.count()
		if err != nil {
			return err
		}
		if err := g.send(n, knownRate/float64(uint(1)<<try)); err != nil {
			return err
		}
		for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
			now, err := k.count()
			if err != nil {
				return err
			}
			if came = now.Packets - before.Packets; came >= enough {
				return nil
			}
		}
	}
	return fmt.Errorf("only %d came through of the last %d", came, n)
}

// verify fails unless frames come through as they have to, in all directions of the cell.
func (s *scene) verify(ctx context.Context, c *contender) error {
	for _, d := range s.cell.Way.directions() {
		h, link := s.bed.exit(d)
		if err := verifyAt(ctx, h, link, c, d, s.cell.Traffic, s.gens[d][s.cell.Traffic]); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
	}
	return nil
}

// verifyFrames is how many have to come, and verifyTime how long they may take.
const (
	verifyFrames = 64
	verifyTime   = 20 * time.Second
)

// marked tells frames of a generator, behind offset bytes of other headers, from what contenders
// and kernel say among themselves.
func marked(offset int, mark uint32) func(lab.Frame) bool {
	return func(f lab.Frame) bool {
		return len(f.Data) >= offset+stampAt+8 && binary.NativeEndian.Uint32(f.Data[offset+markAt:]) == mark
	}
}

func verifyAt(ctx context.Context, h *lab.Host, link string, c *contender, d Direction, m Traffic, g *generator) error {
	seen, err := h.Capture(link, marked(exitOffset(d, c.tunnel), measured))
	if err != nil {
		return err
	}
	defer seen.Close()
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	if err := g.send(2*verifyFrames, knownRate); err != nil {
		return err
	}
	frames, err := seen.Wait(ctx, verifyFrames, nil)
	if err != nil {
		return fmt.Errorf("wait for %d packets at the sink: %w", verifyFrames, err)
	}
	for _, f := range frames {
		if err := c.check(f, d, m, measured); err != nil {
			return fmt.Errorf("what arrives at the sink is wrong: %w", err)
		}
	}
	return nil
}

// settleTime is longer than all stations of the side traffic take to speak twice.
const settleTime = 3 * movingMACs * time.Second / sideRate

// measure is a turn of a contender that runs.
func (s *scene) measure(r *running, c *contender, e entrant, number int) (t Turn, err error) {
	t = Turn{Cell: s.cell.ID, Round: number, Contender: e.name}
	var flows []flow
	defer func() {
		for _, f := range flows {
			err = errors.Join(err, f.sink.close())
		}
	}()
	for _, d := range s.cell.Way.directions() {
		k, err := s.bed.sink(d, c.tunnel, measured)
		if err != nil {
			return t, err
		}
		flows = append(flows, flow{s.gens[d][e.traffic], k})
	}
	if g := s.side[e.side]; g != nil {
		if err := g.start(pace{rate: sideRate}); err != nil {
			return t, err
		}
		defer func() { err = errors.Join(err, g.stop()) }()
		time.Sleep(settleTime) // those that moved before are where they stay now
	}
	moved := s.countMoves(r, e)
	before, err := lineTrip(contenderCPU(), generatorCPU())
	if err != nil {
		return t, err
	}
	full, err := flood(flows, s.window, func(s sample) uint64 { return s.got.Packets })
	if err != nil {
		return t, err
	}
	after, err := lineTrip(contenderCPU(), generatorCPU())
	if err != nil {
		return t, err
	}
	t.LineTrip = math.Round(max(before, after))
	if t.Moves, err = moved(); err != nil {
		return t, err
	}
	t.Rate, t.Offered, t.Steal = round2(full.rate()), round2(full.offered()), full.use.steal
	t.Bytes, t.PerCPU = round2(float64(full.got.Bytes)/full.seconds), round2(s.alone.perCPU(full, s.cell.Jailed))
	searches := number < s.searches || number >= s.planned() // spare rounds, too
	if searches && slices.Contains(s.cell.search, e.name) {
		if t.Lossless, t.Loss, err = lossless(flows, full, s.short); err != nil {
			return t, err
		}
		t.Lossless = round2(t.Lossless)
	}
	if searches && s.half > 0 && slices.Contains(s.cell.latency, e.name) {
		timed, err := take(flows, pace{rate: s.half, stamp: true}, s.window/4, s.window)
		if err != nil {
			return t, err
		}
		t.Latency = timed.took.latency(timed.offered())
		t.Steal = max(t.Steal, timed.use.steal)
	}
	if searches && s.cell.base && slices.Contains(s.cell.latency, e.name) {
		if err := s.rest(r, flows, &t); err != nil {
			return t, err
		}
	}
	if s.cell.base && r.process != 0 {
		t.Syscalls, err = s.syscalls(r.process, flows)
	}
	return t, err
}

// countMoves starts to count moves where there is side traffic. What it returns says how many
// there were per second since.
func (s *scene) countMoves(r *running, e entrant) func() (float64, error) {
	if e.side == noSide || r.moves == nil {
		return func() (float64, error) { return 0, nil }
	}
	ctx := context.Background()
	before, err := r.moves(ctx)
	start := time.Now()
	return func() (float64, error) {
		if err != nil {
			return 0, err
		}
		after, err := r.moves(ctx)
		return round2(float64(after-before) / time.Since(start).Seconds()), err
	}
}

// syscalls counts those of a process, saturated.
func (s *scene) syscalls(process int, flows []flow) (map[string]float64, error) {
	counter, err := countCalls(process)
	if err != nil {
		return nil, err
	}
	defer counter.close()
	a, err := counter.counts()
	if err != nil {
		return nil, err
	}
	first, _, err := arrivals(flows)
	if err != nil {
		return nil, err
	}
	if _, err := take(flows, pace{}, 0, s.short); err != nil {
		return nil, err
	}
	last, _, err := arrivals(flows)
	if err != nil {
		return nil, err
	}
	b, err := counter.counts()
	return perPacket(a, b, last.Packets-first.Packets), err
}
