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
	"vxgw/vxlan"
)

// End to end: generator -> device under test -> sink, in three namespaces. The
// contenders take turns, and each pair of turns gives one ratio.

// Turn is one measurement of one contender.
type Turn struct {
	Contender string  `json:"contender"`
	Rate      float64 `json:"packets_per_second"` // counted at the sink
	Steal     float64 `json:"steal"`              // part of all CPU time that the hypervisor took meanwhile
}

// EndToEnd is the comparison of gw with the kernel, encapsulating 64-byte frames,
// saturated, not jailed.
type EndToEnd struct {
	Turns  []Turn    `json:"turns"` // in order: gw, kernel, gw, kernel and so on
	Ratios []float64 `json:"ratios"`
	Ratio  float64   `json:"ratio"` // median of Ratios
	Low    float64   `json:"low"`   // confidence interval of the median
	High   float64   `json:"high"`
	Level  float64   `json:"level"` // of that interval
	Thrown int       `json:"pairs_thrown_away"`
}

// maxSteal is the steal above which a pair of turns does not count.
const maxSteal = 0.02

// prefix of the bench's namespaces.
const prefix = "gw-bench"

// MeasureEndToEnd compares the program with the kernel in a number of pairs of turns, each turn counted for window.
// Progress is told after each turn. Needs root.
func MeasureEndToEnd(ctx context.Context, program string, pairs int, window time.Duration, progress func(Turn)) (r EndToEnd, err error) {
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
	contenders := []struct {
		name string
		c    contender
	}{{"gw", gateway(program, dir)}, {"kernel", kernelVTEP}}
	for range pairs {
		var pair [2]Turn
		for i, c := range contenders {
			if pair[i], err = b.turn(ctx, c.c, window); err != nil {
				return r, fmt.Errorf("%s: %w", c.name, err)
			}
			pair[i].Contender = c.name
			r.Turns = append(r.Turns, pair[i])
			progress(pair[i])
		}
		if max(pair[0].Steal, pair[1].Steal) > maxSteal {
			r.Thrown++
			continue
		}
		r.Ratios = append(r.Ratios, round2(pair[0].Rate/pair[1].Rate))
	}
	r.Ratio = median(r.Ratios)
	var ok bool
	if r.Low, r.High, r.Level, ok = interval(r.Ratios); !ok {
		return r, fmt.Errorf("only %d of %d pairs are left, too few for an interval (the machine is too busy: steal above %.0f %%)", len(r.Ratios), pairs, 100*maxSteal)
	}
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
	stop, err := c(ctx, b.dut)
	if err != nil {
		return t, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	if err := b.verify(ctx); err != nil {
		return t, err
	}
	s, err := newSink(b.far, "ens18", innerLen+vxlan.Overhead)
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
func (b *bed) verify(ctx context.Context) error {
	c, err := b.far.Capture("ens18", func(f lab.Frame) bool { return len(f.Data) == innerLen+vxlan.Overhead })
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.gen.send(256); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	frames, err := c.Wait(ctx, 64, nil)
	if err != nil {
		return fmt.Errorf("wait for 64 packets at the sink: %w", err)
	}
	for _, f := range frames {
		if err := checkPacket(f.Data); err != nil {
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
