package dataplane

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"vxgw/ring"
)

// Trial says what would become of a frame: a worker of its own, which nobody else knows of, works on it with the snapshot in force.
//
//	NewTrial    memory, rings and a worker, all on the heap; no thread, no interface
//	Try         first with empty tables, which shows what the frame is about; then with excerpts of those that it would meet; for a
//	            frame that is flooded, once more for each copy
//	Close
//
// So the code that decides is the workers', and nothing that they have is written to: not the tables, which the trial has
// excerpts of, and not counters, storm limits or allowances, of which it has its own. It knows nothing of what frames meet only when the machine
// is busy: full rings, no free frames.
//
// A Trial belongs to one goroutine, which is no worker's. It looks at the plane as any other goroutine may.
type Trial struct {
	live   *Plane
	worker *Worker
	plane  *Plane // of worker

	wire, others, in bench
	queues           [][]*Queue // of the frame that is tried

	seen     *Snapshot // that the next two are made from
	stripped []*Domain // its domains with nothing that a frame would change
}

// bench is a loopback socket and the kernel's end of it.
type bench struct {
	socket *ring.Socket
	kernel *ring.Kernel
}

// Sizes of a trial's rings in descriptors, of which the largest frame takes 16, and of its memory in frames: what fills the rings, and
// what pools keep.
const (
	trialRing   = 32
	trialFrames = 256
)

// NewTrial returns a trial of frames against what p has. The caller closes it.
func (p *Plane) NewTrial() (*Trial, error) {
	mem, err := ring.NewHeapMemory(trialFrames, p.Memory.FrameSize())
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	none, err := p.FDB.Excerpt()
	if err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	t := &Trial{live: p, plane: NewPlane(mem, none, p.Remotes.copy())}
	if t.worker, err = t.plane.AddWorker(-1); err != nil {
		return nil, fmt.Errorf("explain: %w", err)
	}
	pool := t.plane.Depot.NewPool()
	for _, b := range []*bench{&t.wire, &t.others, &t.in} {
		b.socket, b.kernel = ring.NewLoopback(mem, trialRing, pool)
	}
	pool.Drain()
	return t, nil
}

// Close gives back the two descriptors that the trial's worker has.
func (t *Trial) Close() { t.worker.Close() }

// ErrTooLong says that no interface hands over such a frame.
var ErrTooLong = errors.New("the frame is longer than what the memory's frames have room for")

// Try works on a frame as if port had received it, or the underlay (Underlay). The error wraps ErrTooLong, or says that workers know no such port.
func (t *Trial) Try(port uint32, frame []byte) (*Fate, error) {
	if room := t.plane.Memory.FrameSize() - copyHeadroom; len(frame) > room {
		return nil, fmt.Errorf("%w: %d bytes, of which %d fit (larger MTUs make them larger)", ErrTooLong, len(frame), room)
	}
	s := t.live.Snapshot()
	if port != Underlay && s.port(port) == nil {
		return nil, fmt.Errorf("workers have no port with number %d now (ask again)", port)
	}
	t.follow(s, port)
	f := &Fate{Port: port, Frame: frame}
	if err := t.identify(f, frame); err != nil {
		return nil, err
	}
	if f.Domain == nil || f.Source == 0 {
		return f, nil
	}
	return f, t.judge(f, frame)
}

// follow takes over the snapshot in force and the numbers of remotes, and has frames come in by port.
func (t *Trial) follow(s *Snapshot, port uint32) {
	t.plane.Tick(t.live.Now())
	t.plane.Remotes.follow(t.live.Remotes)
	if t.seen != s {
		t.seen, t.stripped = s, make([]*Domain, len(s.Domains))
		for i, d := range s.Domains {
			if d != nil {
				t.stripped[i] = &Domain{Index: d.Index, VNI: d.VNI, Learning: d.Learning, DeviceMAC: d.DeviceMAC, Tunnel: d.Tunnel, Allow: d.Allow}
			}
		}
	}
	t.queues = [][]*Queue{{{Socket: t.in.socket, Port: port}}}
	had := map[uint32]bool{port: true}
	for _, q := range slices.Concat(s.Queues...) {
		if had[q.Port] {
			continue
		}
		had[q.Port] = true
		socket := t.others.socket
		if q.Port == Underlay {
			socket = t.wire.socket
		}
		t.queues[0] = append(t.queues[0], &Queue{Socket: socket, Port: q.Port})
	}
}

// identify finds out what a frame is about, or why it is dropped before anything is looked up.
func (t *Trial) identify(f *Fate, frame []byte) error {
	w, known := t.worker, t.plane.Remotes.count()
	none, err := t.live.FDB.Excerpt()
	if err != nil {
		return err
	}
	t.plane.FDB = none
	got, err := t.run(t.stripped, frame)
	if err != nil {
		return err
	}
	f.Verdict, f.Stranger = got.verdict, t.plane.Remotes.count() > known
	b := &w.batch
	if k := b.keys[0]; k != 0 || b.keys[1] != 0 {
		f.Source, f.Target, f.From = k, b.keys[1], b.from[0]
		f.Inner = slices.Clone(w.mem.Bytes(b.desc[0].Addr, b.desc[0].Len))
		f.Domain = t.seen.domain(k.Domain())
		f.Nobody = f.From == nobody
		if !f.From.IsRemote() {
			f.Port = f.From.Index()
		}
		return nil
	}
	if f.Domain = t.seen.domain(got.droppedFrom); f.Port != Underlay && t.seen.Ports[f.Port].Tagging != nil && b.from[0] != nobody {
		f.Port = b.from[0].Index()
	}
	return nil
}

// outcome is what one run of the worker came to.
type outcome struct {
	verdict     Verdict
	copy        Verdict // of the copy that flooding made, undecided if it made none
	droppedFrom uint16  // the bridge domain that has the frame among its dropped ones, or NoDomain
	wire, out   []byte  // what left by the underlay, and by another port; nil for nothing
	back        []byte  // what left by the way that the frame came
	kernel      []byte  // what the kernel was handed, from the outer IP header on
}

// run has the worker work on a frame with some domains.
func (t *Trial) run(domains []*Domain, frame []byte) (got outcome, err error) {
	w, s := t.worker, *t.seen
	s.Domains, s.Queues = domains, t.queues
	w.answers = [allowances]allowance{}
	t.plane.snapshot.Store(&s) // which Publish has numbered and finished before
	w.adopt(&s)
	clear(w.ledger.Dropped)
	if !t.in.kernel.Deliver(frame) {
		return got, errors.New("explain: the trial's own ring is full (a bug: please report it)")
	}
	before := w.said()
	for w.Round() > 0 {
	}
	w.publishCounters()
	now := w.said()
	for v := range Verdict(verdictCount) {
		if now.verdicts[v] > before.verdicts[v] {
			got.verdict = v
		}
		if now.copies[v] > before.copies[v] {
			got.copy = v
		}
	}
	got.droppedFrom = NoDomain
	for i, d := range w.ledger.Dropped {
		if d.Frames > 0 {
			got.droppedFrom = uint16(i)
		}
	}
	w.Slow.carry(keeper{&got.kernel}, func(uint32) {}, time.Now())
	w.Slow.pool.Drain()
	t.wire.taken(&got.wire)
	t.others.taken(&got.out)
	t.in.taken(&got.back)
	w.Round() // which takes back what was sent
	if got.verdict == undecided {
		return got, errors.New("explain: the frame has no verdict (a bug: please report it)")
	}
	return got, nil
}

// said is what a worker's counters have.
type said struct{ verdicts, copies [VerdictCount]uint64 }

func (w *Worker) said() (c said) {
	for v := range VerdictCount {
		c.verdicts[v], c.copies[v] = w.Counters.Verdicts[v].Load(), w.Counters.Copies[v].Load()
	}
	return c
}

// taken takes what was sent.
func (b *bench) taken(into *[]byte) {
	b.kernel.Take(func(_ uint64, frame []byte) { *into = slices.Clone(frame) })
}

// keeper is a Sender that keeps what it is to send.
type keeper struct{ packet *[]byte }

func (k keeper) Send(packet []byte) error { *k.packet = slices.Clone(packet); return nil }
func (k keeper) Unsent() int              { return 0 }
