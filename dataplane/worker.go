package dataplane

import (
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/ring"
)

// A worker's round:
//
//	adopt the snapshot in force
//	send what other workers have handed over
//	send what waited for a way to drain, work on what came by way of the kernel
//	for each queue: receive a batch -> parse all -> look up all -> decide all -> emit all
//	publish and kick what was sent, show what was handed over
//	take back completed frames, refill
//
// and when a round moved nothing, a bounded spin, then sleep.

// BatchSize is how many frames a worker takes from a queue at once: what a round
// costs whatever it does, system calls among it, is shared by so many under load.
// With little to do batches are as small as they come.
const BatchSize = 256

// workerNice puts a worker in front of what else wants its CPU, as the kernel's own
// way through softirqs is (sched(7): -20 is the most favourable).
const workerNice = -20

// Worker moves frames. Round and Run belong to one goroutine; Wake, Stop, and the
// counters may be used from any.
type Worker struct {
	ID  int
	CPU int // -1: not pinned

	Counters Counters
	Slow     *SlowPath
	Inject   *Inject // of packets over IPv4
	Inject6  *Inject // over IPv6

	asked  atomic.Pointer[census]
	ledger Ledger

	plane      *Plane
	mem        *ring.Memory
	pool       *ring.Pool
	snap       *Snapshot
	taps       *taps // nil: nobody looks
	queues     []*Queue
	exits      [ways][]exit   // by way and port index
	beyond     [ways][]beyond // likewise
	wires      [ways]wire
	dressed    bool    // there are ports with a TagExit
	several    bool    // ways to the underlay, by queues of this worker
	way        uint32  // of the batch
	from       uint32  // of the batch: the port, or Underlay
	isolated   bool    // of the batch that is being settled: it is from an isolated port, or a trunk with one
	lanes      []*lane // by worker
	arriving   []*Exchange[ring.Desc]
	now        uint32
	offsets    uint64  // mask of an address's offset in its frame
	id, idStep uint16  // of IPv4 headers, see nextID
	_          [8]byte // a worker begins with a page: up to here are whole cache lines (TestMeetingsOfATrunk)
	met        [meetings]meeting
	taken      [meetings / 64]uint64 // places in met, a bit each
	known      int                   // how many of them
	greeted    uint64                // see greet
	batch      batch
	hold       hold
	releasing  bool // of what was held, now
	short      bool // of frames for the kernel to receive into
	tally      tally
	nap        Nap
	born       time.Time
	untimed    uint32 // rounds since the last one that was timed

	passed  atomic.Uint64 // Seq of the snapshot in use
	turn    atomic.Uint64 // Plane.turn when what was handed over was last taken
	running atomic.Bool
	thread  atomic.Int32
	asleep  atomic.Bool // or about to: whoever hands something over wakes it
	stop    atomic.Bool
	bed     bed
	answers [allowances]allowance // by port
	replies [BatchSize]neighReply // to rows whose target is answered
}

func newWorker(p *Plane, id, cpu int) (*Worker, error) {
	w := &Worker{ID: id, CPU: cpu, plane: p, mem: p.Memory, pool: p.Depot.NewPool(), snap: &Snapshot{}, born: time.Now(),
		offsets: uint64(p.Memory.FrameSize() - 1), id: uint16(id), ledger: Ledger{Remotes: make([]Traffic, len(p.Remotes.slots))}}
	if err := w.bed.open(); err != nil {
		return nil, err
	}
	slow, err := newSlowPath(p, id)
	if err != nil {
		w.bed.close()
		return nil, err
	}
	w.Slow, w.Inject, w.Inject6, w.hold = slow, newInject(w), newInject(w), newHold(len(slow.pending))
	return w, nil
}

// Run works until Stop, on a thread of its own that is pinned to w.CPU. The
// frames it still holds go back to the depot.
func (w *Worker) Run() error {
	w.running.Store(true)
	defer w.running.Store(false)
	defer w.publishCounters()
	runtime.LockOSThread() // never unlocked: the pinned thread dies with the goroutine
	if w.CPU >= 0 {
		var set unix.CPUSet
		set.Set(w.CPU)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			return err
		}
	}
	// Frames wait as long as this thread waits for its CPU. Refused without
	// CAP_SYS_NICE, which costs time on a busy machine and nothing else.
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, workerNice)
	w.settled()
	defer w.thread.Store(0)
	idle := 0
	for !w.stop.Load() {
		if w.timed() > 0 {
			idle = 0
			continue
		}
		if idle++; idle < w.spins() || w.plane.Poll == PollBusy {
			continue
		}
		if err := w.wait(); err != nil {
			return err
		}
	}
	return nil
}

// Stop makes Run return soon.
func (w *Worker) Stop() {
	w.stop.Store(true)
	w.Wake()
}

// Close gives the frames that the worker holds beside its queues back to the
// depot. Run, Slow.Run and Inject.Run of every worker have returned.
func (w *Worker) Close() {
	w.drainLanes()
	w.dropHeld()
	w.Slow.Stop()
	w.Slow.drain()
	w.Inject.drain()
	w.Inject6.drain()
	w.pool.Drain()
	w.bed.close()
}

// Round works once through all queues and returns how many frames were moved.
func (w *Worker) Round() int {
	if s := w.plane.snapshot.Load(); s != w.snap {
		w.adopt(s)
	}
	if w.asked.Load() != nil {
		if c := w.asked.Swap(nil); c != nil { // not taken back meanwhile
			w.tell(c)
		}
	}
	w.now = w.plane.clock.Load()
	w.taps = w.plane.taps.Load()
	work := 0
	if len(w.arriving) > 0 {
		turn := w.plane.turn.Load()
		work = w.takeOver()
		w.turn.Store(turn)
	}
	if len(w.hold.frames) > 0 {
		work += w.release()
	}
	work += w.injected()
	for _, q := range w.queues {
		n := q.Socket.Receive(w.batch.desc[:])
		if n == 0 && q.Socket.Poll() {
			n = q.Socket.Receive(w.batch.desc[:])
		}
		if n == 0 {
			continue
		}
		work += n
		w.nap.Moved(n)
		w.tally.batches.note(uint32(n))
		w.way = q.way
		if w.taps != nil {
			w.tapReceived(q.Port, n, 0)
		}
		if q.Port == Underlay {
			q.received(n, w.fromTunnel(n))
		} else if t := w.snap.Ports[q.Port].Tagging; t != nil {
			q.received(n, w.fromTagged(q.Port, t, n))
		} else {
			q.received(n, w.fromPort(q.Port, n))
		}
		if w.taps != nil {
			w.tapJudged()
		}
	}
	w.flush()
	w.short = false
	for _, q := range w.queues {
		work += q.Socket.Reap(w.pool)
		if !q.Socket.Refill(w.pool) {
			w.short = true
		}
	}
	if work > 0 {
		w.tally.rounds++
	}
	if r := w.tally.rounds; r == publishEvery || r > 0 && work == 0 {
		w.publishCounters()
	}
	return work
}

// adopt takes up a new snapshot. From here on nothing that only older ones had is
// touched any more.
func (w *Worker) adopt(s *Snapshot) {
	w.publishCounters() // while the queues are there
	drawn := w.drawnFor(s)
	w.snap = s
	w.foldAll()
	w.forgetAll()
	w.ledger.grow(s)
	w.queues = nil
	if w.ID < len(s.Queues) {
		w.queues = s.Queues[w.ID]
	}
	for _, q := range w.queues {
		q.dirty = q.Socket.Pending() > 0 // its interface may be up again
	}
	if !drawn {
		w.drawExits(s)
	}
	w.bed.watch(w.queues)
	w.nap.Fit(w.room())
	w.idStep = uint16(max(len(s.Queues), 1))
	w.passed.Store(s.Seq)
}

// flush publishes what was sent in this round, once per queue, and lets the
// kernel start on it. Where that says that the interface is down, what is there waits for
// more frames or the next snapshot, one of which tells that it is up.
func (w *Worker) flush() {
	if w.taps != nil {
		w.tapLeaving()
	}
	for _, q := range w.queues {
		if q.Socket.Staged() == 0 && !q.dirty {
			continue
		}
		err := q.Socket.Flush()
		if n := q.Socket.Kicked(); n > 0 {
			w.tally.kicks.note(n)
		}
		q.dirty = err == nil && q.Socket.Pending() > 0
	}
	w.showLanes()
	w.Slow.publish()
}
