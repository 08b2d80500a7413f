package dataplane

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vxgw/fdb"
	"vxgw/ring"
)

// Plane is what all workers share: the frame memory, the FDB, the numbers of the
// remotes, and the snapshot.
type Plane struct {
	Memory  *ring.Memory
	Depot   *ring.Depot
	FDB     *fdb.Table
	Remotes *Remotes
	Poll    Poll // set before the first worker runs

	snapshot atomic.Pointer[Snapshot]
	clock    atomic.Uint32
	turn     atomic.Uint64 // rises when it matters that lanes are empty, see Quiesce
	workers  []*Worker

	taps    atomic.Pointer[taps] // nil: nobody looks
	tapping sync.Mutex           // held while they change

	books sync.Mutex
	said  []Ledger // by worker, as of its last answer; under books
	gone  Traffic  // of forgotten remotes; under books
}

// NewPlane returns a plane without workers. Its first snapshot is empty.
func NewPlane(m *ring.Memory, t *fdb.Table, r *Remotes) *Plane {
	p := &Plane{Memory: m, Depot: ring.NewDepot(m), FDB: t, Remotes: r}
	p.snapshot.Store(&Snapshot{VNIs: NewVNITable(nil)})
	return p
}

// AddWorker makes the next worker. Before the first Publish only.
func (p *Plane) AddWorker(cpu int) (*Worker, error) {
	w, err := newWorker(p, len(p.workers), cpu)
	if err != nil {
		return nil, fmt.Errorf("worker %d: %w", len(p.workers), err)
	}
	p.connect(w)
	p.workers = append(p.workers, w)
	return w, nil
}

// Workers returns the workers in order.
func (p *Plane) Workers() []*Worker { return p.workers }

// Tick sets the time that the FDB's entries are stamped with, in seconds from an
// origin of the caller's choice. One goroutine, a few times a second.
func (p *Plane) Tick(now uint32) { p.clock.Store(now) }

// Now returns the time of the last Tick.
func (p *Plane) Now() uint32 { return p.clock.Load() }

// Snapshot returns the snapshot in force. It must not be changed.
func (p *Plane) Snapshot() *Snapshot { return p.snapshot.Load() }

// Publish makes s the snapshot in force, numbers it and wakes the workers. One
// goroutine at a time.
func (p *Plane) Publish(s *Snapshot) {
	s.Seq = p.snapshot.Load().Seq + 1
	s.setBriefs()
	for _, paths := range s.Paths {
		for n := range paths {
			paths[n].setRoom()
		}
	}
	p.snapshot.Store(s)
	for _, w := range p.workers {
		w.Wake()
	}
}

// Passed reports whether every running worker works with snapshot seq or a later
// one.
func (p *Plane) Passed(seq uint64) bool {
	for _, w := range p.workers {
		if w.running.Load() && w.passed.Load() < seq {
			return false
		}
	}
	return true
}

// Begun reports whether every worker has begun to work: its thread is as Run makes it.
func (p *Plane) Begun() bool {
	for _, w := range p.workers {
		if w.passed.Load() == 0 {
			return false
		}
	}
	return true
}

// Quiesce returns when every running worker works with the snapshot in force or a
// later one, and has taken what others handed over before: what that snapshot no
// longer has is then out of the workers' hands.
func (p *Plane) Quiesce() {
	seq := p.snapshot.Load().Seq
	p.await(func(w *Worker) bool { return w.passed.Load() >= seq })
	if len(p.workers) > 1 {
		turn := p.turn.Add(1)
		p.await(func(w *Worker) bool { return w.turn.Load() >= turn })
	}
}

// await returns when ok holds for every running worker.
func (p *Plane) await(ok func(*Worker) bool) {
	for _, w := range p.workers {
		for w.running.Load() && !ok(w) {
			w.Wake()
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// Pending returns how many frames to remote n are on the slow path, of all workers.
func (p *Plane) Pending(n uint32) (frames int) {
	for _, w := range p.workers {
		frames += int(w.Slow.pending[n].Load())
	}
	return frames
}
