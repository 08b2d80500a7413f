package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"vxgw/internal/lab"
)

// End to end: generator -> device under test -> sink, in three namespaces. The
// contenders take turns in rounds, and each round gives one ratio of each pair.

// Turn is one measurement of one contender.
type Turn struct {
	Contender string  `json:"contender"`
	Rate      float64 `json:"packets_per_second"` // counted at the sink
	Steal     float64 `json:"steal"`              // part of all CPU time that the hypervisor took meanwhile
}

// EndToEnd is the comparison of gw and others with 64-byte frames, saturated, not
// jailed. gw and the kernel encapsulate them; null and asavie, on the project's rings
// and on those of asavie/xdp, only forward.
type EndToEnd struct {
	Turns       []Turn       `json:"turns"` // in order: kernel, gw, null, asavie, kernel and so on
	Comparison               // gw over the kernel
	Comparisons []Comparison `json:"comparisons"` // all
	CPU         int          `json:"cpu"`         // of gw's worker, and of null and asavie
}

// prefix of the bench's namespaces.
const prefix = "gw-bench"

// MeasureEndToEnd compares the program with others in a number of rounds of turns, each turn counted for window. Progress
// is told after each turn. Needs root.
func MeasureEndToEnd(ctx context.Context, program string, rounds int, window time.Duration, progress func(Turn)) (r EndToEnd, err error) {
	if _, err := lab.Sweep(prefix); err != nil {
		return r, err
	}
	l, err := lab.New(prefix)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	dir, err := os.MkdirTemp("", prefix)
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	b, err := newBed(l)
	if err != nil {
		return r, err
	}
	all := contenders(program, dir, &r.CPU)
	var taken []map[string]Turn
	for range rounds {
		round := map[string]Turn{}
		for _, c := range all {
			t, err := b.turn(ctx, c, window)
			if err != nil {
				return r, fmt.Errorf("%s: %w", c.name, err)
			}
			round[c.name] = t
			r.Turns = append(r.Turns, t)
			progress(t)
		}
		taken = append(taken, round)
	}
	if r.Comparisons, err = compare(taken); err != nil {
		return r, err
	}
	r.Comparison = r.Comparisons[0]
	return r, nil
}

// bed is the three hosts.
type bed struct {
	dut, far *lab.Host
	gen      *generator
}

func newBed(l *lab.Lab) (*bed, error) {
	near, err := l.Host("generator")
	if err != nil {
		return nil, err
	}
	b := &bed{}
	if b.dut, err = l.Host("dut"); err != nil {
		return nil, err
	}
	if b.far, err = l.Host("sink"); err != nil {
		return nil, err
	}
	err = errors.Join(
		l.Veth(near, "gen0", b.dut, "veth1", lab.VethOptions{}),
		l.Veth(b.dut, "ens18", b.far, "ens18", lab.VethOptions{MTU: 1600}),
		b.dut.AddAddress("ens18", underlayAddr.String()+"/24"),
		b.far.AddAddress("ens18", remoteAddr.String()+"/24"),
	)
	if err != nil {
		return nil, err
	}
	b.gen, err = newGenerator(near, "gen0")
	return b, err
}

// turn measures one contender.
func (b *bed) turn(ctx context.Context, c contender, window time.Duration) (t Turn, err error) {
	t.Contender = c.name
	stop, err := c.start(ctx, b.dut)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := b.verify(ctx, c); err != nil {
		return t, err
	}
	s, err := newSink(b.far, "ens18", c.length)
	if err != nil {
		return t, err
	}
	defer s.close()
	var enough atomic.Bool
	sent := make(chan error, 1)
	go func() { sent <- b.gen.flood(&enough) }()
	time.Sleep(window / 4) // warm-up
	t.Rate, t.Steal, err = count(s, window)
	enough.Store(true)
	return t, errors.Join(err, <-sent)
}

// count measures the rate at the sink, and the steal.
func count(s *sink, window time.Duration) (rate, steal float64, err error) {
	before, err := s.packets()
	if err != nil {
		return 0, 0, err
	}
	stolen, all, err := cpuTime()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	time.Sleep(window)
	after, err := s.packets()
	rate = float64(after-before) / time.Since(start).Seconds()
	if err != nil {
		return 0, 0, err
	}
	stolen2, all2, err := cpuTime()
	return rate, (stolen2 - stolen) / max(all2-all, 1), err
}

// verify sends a few frames and fails unless they arrive as they have to.
func (b *bed) verify(ctx context.Context, c contender) error {
	seen, err := b.far.Capture("ens18", func(f lab.Frame) bool { return len(f.Data) == c.length })
	if err != nil {
		return err
	}
	defer seen.Close()
	if err := b.gen.send(256); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	frames, err := seen.Wait(ctx, 64, nil)
	if err != nil {
		return fmt.Errorf("wait for 64 packets at the sink: %w", err)
	}
	for _, f := range frames {
		if err := c.check(f.Data); err != nil {
			return fmt.Errorf("what arrives at the sink is wrong: %w", err)
		}
	}
	return nil
}

// cpuTime returns the stolen and the whole CPU time of the machine in ticks (proc(5), /proc/stat).
func cpuTime() (stolen, all float64, err error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 {
		return 0, 0, fmt.Errorf("read /proc/stat: %q is too short", line)
	}
	for i, f := range fields[1:9] {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("read /proc/stat: %w", err)
		}
		all += v
		if i == 7 {
			stolen = v
		}
	}
	return stolen, all, nil
}
