package bench

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pair is two workers with the same FDB, each on a CPU of its own with queues of its own.
type pair struct {
	site    *site
	cpus    [2]int
	orders  [2]chan *shift
	answers [2]chan Spent
}

// shift is a stretch of work for one of the pair, or for both at once.
type shift struct {
	workers int32 // that have to be there before it begins
	ready   atomic.Int32
	length  time.Duration
}

// errOneCPU says why there is no R7.
var errOneCPU = errors.New("two workers need two CPUs")

// MeasureWorkers measures R7: the packets per second of two workers over those of one, in turns for a while. What counts
// is the time in the workers, as in MeasureMemory.
func MeasureWorkers(c LoopConfig, d time.Duration) (f Figure, err error) {
	p := &pair{}
	if p.cpus, err = twoCPUs(); err != nil {
		return f, err
	}
	if p.site, err = newSite(c, 2); err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, p.site.close()) }()
	failed := make(chan error, 2)
	for i := range p.orders {
		p.orders[i], p.answers[i] = make(chan *shift), make(chan Spent)
		go func() { failed <- p.work(i) }()
	}
	var ratios []float64
	for end := time.Now().Add(d); time.Now().Before(end) || len(ratios) < 10; {
		alone := (p.rate(0) + p.rate(1)) / 2
		ratios = append(ratios, p.rate(0, 1)/alone)
	}
	for i := range p.orders {
		close(p.orders[i])
	}
	if err := errors.Join(<-failed, <-failed); err != nil {
		return f, err
	}
	f = figure("R7", fmt.Sprintf("two workers over one, %v, %d MACs, CPUs %d and %d", c.Direction, c.MACs, p.cpus[0], p.cpus[1]), "x", ratios)
	low, high, _, ok := interval(ratios)
	if ok {
		f.Low, f.High = round2(low), round2(high)
	}
	f.AtLeast = true
	return f.with(1.85, 1.95), nil
}

// rate has some of the pair work at the same time, and returns their packets per nanosecond.
func (p *pair) rate(who ...int) (sum float64) {
	s := &shift{workers: int32(len(who)), length: 2 * time.Millisecond}
	for _, i := range who {
		p.orders[i] <- s
	}
	for _, i := range who {
		ns, _ := (<-p.answers[i]).NsPerPacket()
		sum += 1 / ns
	}
	return sum
}

// work does what is ordered, on a thread of its own, and checks at the end what came of it.
func (p *pair) work(i int) error {
	runtime.LockOSThread() // never unlocked: the pinned thread dies with the goroutine
	var set unix.CPUSet
	set.Set(p.cpus[i])
	err := unix.SchedSetaffinity(0, &set)
	l := p.site.loops[i]
	l.warm()
	for s := range p.orders[i] {
		s.ready.Add(1)
		for s.ready.Load() < s.workers {
			runtime.Gosched()
		}
		end := time.Now().Add(s.length)
		all := l.Run(16)
		for time.Now().Before(end) {
			all.Add(l.Run(16))
		}
		p.answers[i] <- all
	}
	if err != nil {
		return fmt.Errorf("pin to CPU %d: %w", p.cpus[i], err)
	}
	return l.Check()
}

// twoCPUs are the first two that this process may use.
func twoCPUs() (cpus [2]int, err error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return cpus, fmt.Errorf("find two CPUs: %w", err)
	}
	n := 0
	for c := 0; n < 2; c++ {
		if c == len(set)*64 {
			return cpus, errOneCPU
		}
		if set.IsSet(c) {
			cpus[n] = c
			n++
		}
	}
	return cpus, nil
}
