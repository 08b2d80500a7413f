package dataplane

import (
	"context"
	"time"
)

// census is a request to one worker: write your ledger down, and forget what leaves.
// The worker fills it in, over what it said last, and closes done; until then it belongs to the worker.
type census struct {
	Ledger
	remotes int // how many numbers are in use
	leaving Leaving
	done    chan struct{}
}

// Leaving names what is no more: its counts are forgotten, so that the numbers can be
// given to others.
type Leaving struct {
	Remotes []uint32
	Domains []uint16
	Ports   []uint32
}

// censusTime is how long Ledger waits for a worker that does not get its CPU.
const censusTime = 250 * time.Millisecond

// Ledger adds up what the workers have counted until now, and has them publish their
// Counters. Of a worker that does not answer within a quarter of a second it has what
// that said last. Any goroutine.
func (p *Plane) Ledger() Ledger {
	p.books.Lock()
	defer p.books.Unlock()
	p.ask(Leaving{}, censusTime)
	sum := Ledger{Gone: p.gone}
	for i := range p.said {
		sum.add(&p.said[i])
	}
	return sum
}

// Alive reports whether every running worker does its rounds: each answers within a time. Any
// goroutine.
func (p *Plane) Alive(within time.Duration) bool {
	p.books.Lock()
	defer p.books.Unlock()
	return p.ask(Leaving{}, within)
}

// Forget forgets what was counted for l, of which no worker has anything any more
// (Quiesce). The sum that Ledger has for forgotten remotes keeps theirs. Any goroutine;
// it returns when every running worker has done so.
func (p *Plane) Forget(l Leaving) {
	p.books.Lock()
	defer p.books.Unlock()
	p.ask(l, time.Hour)
	for i := range p.said {
		said := &p.said[i]
		for _, n := range l.Remotes {
			if int(n) < len(said.Remotes) {
				p.gone.Add(said.Remotes[n])
			}
		}
		said.forget(l)
	}
}

// ask has every running worker answer, keeps the answers, and reports whether all came. Under p.books.
func (p *Plane) ask(l Leaving, patience time.Duration) (all bool) {
	p.said = atLeast(p.said, len(p.workers))
	known := p.Remotes.count()
	asked := make([]*census, len(p.workers))
	for i, w := range p.workers {
		if w.running.Load() {
			asked[i] = &census{Ledger: p.said[i], remotes: known, leaving: l, done: make(chan struct{})}
			w.asked.Store(asked[i])
			w.Wake()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all = true
	for i, c := range asked {
		if c == nil {
			continue
		}
		if !p.workers[i].answered(ctx, c) {
			all = false
			continue
		}
		p.said[i] = c.Ledger
	}
	return all
}

// answered waits for a worker's answer, until ctx ends or the worker runs no more.
func (w *Worker) answered(ctx context.Context, c *census) bool {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-c.done:
			return true
		case <-ctx.Done():
		case <-look.C:
			if w.running.Load() {
				continue
			}
		}
		if w.asked.CompareAndSwap(c, nil) {
			return false // it has not begun
		}
		<-c.done
		return true
	}
}

// tell answers a census. The worker calls it.
func (w *Worker) tell(c *census) {
	w.publishCounters()
	w.foldAll()
	w.ledger.copyTo(&c.Ledger, c.remotes)
	w.ledger.forget(c.leaving)
	close(c.done)
}

// forget clears what was counted for l.
func (l *Ledger) forget(leaving Leaving) {
	for _, n := range leaving.Remotes {
		if int(n) < len(l.Remotes) {
			l.Remotes[n] = Traffic{}
		}
	}
	for _, i := range leaving.Domains {
		if int(i) < len(l.Domains) {
			l.Domains[i], l.Dropped[i] = Traffic{}, DomainDrops{}
		}
	}
	for _, i := range leaving.Ports {
		if int(i) < len(l.Ports) {
			l.Ports[i] = Drops{}
		}
	}
}
