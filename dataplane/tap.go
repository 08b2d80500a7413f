package dataplane

import (
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"vxgw/fdb"
	"vxgw/filter"
	"vxgw/vxlan"
)

// A tap sees what workers receive, send and drop. Without one a worker looks at one pointer a round, and at it again where a batch
// begins and ends, where a flooded frame is copied and where one is dropped, answered or held. With one:
//
//	received   a batch, before anything is changed in it: filter -> the bytes that are kept are copied aside
//	judged     the same rows once they have verdicts -> records into the tap's rings
//	leaving    what is staged to be sent in this round: filter -> records
//	read       another goroutine takes records out of the rings, in the order of time
//
// A ring that is full loses records and counts them; no worker ever waits for who reads. tapring.go has the rings, tapbatch.go and
// tapleaving.go what workers do.

// Record is what a tap has of one frame, beside its first bytes.
type Record struct {
	Time    int64      // wall clock in ns since 1970, when the batch was received or sent
	Remote  vxlan.Addr // the VTEP or group that it came from or goes to; zero for none
	Len     uint32     // bytes on the wire, from the Ethernet header on
	Kept    uint32     // of these, how many are there
	Port    uint32     // index of the port of the interface, or Underlay
	VNI     uint32     // or NoVNI
	From    fdb.Dest   // of a frame that is sent: where it was received; NoPlace where that is not known
	To      fdb.Dest   // of one that is received: where it went or should have gone; NoPlace for nowhere or to many
	Worker  uint16
	Way     Way
	Verdict Verdict // of a received frame, 0 if another worker gives it, or later; of one that is dropped, why
	Marks   Mark

	at uint64 // of its bytes in the ring
}

// NoVNI stands for no VNI, NoPlace for no port and no remote.
const (
	NoVNI   = uint32(math.MaxUint32)
	NoPlace = flood
)

// Way is what became of a frame at an interface.
type Way uint8

// The ways.
const (
	Received Way = iota // as the interface delivered it
	Sent                // as the interface gets it
	Lost                // a copy, or a frame that had waited or come from another worker, that was dropped where it should have left
)

// Mark says more of a frame.
type Mark uint8

// The marks.
const (
	MarkFlooded   Mark = 1 << iota // it went, or is sent, to many
	MarkAnswer                     // it is sent as the answer to itself: too big, or for a neighbour
	MarkViaKernel                  // it came or goes by way of the kernel
	MarkRefused                    // and the kernel did not take it
)

// Dropped reports whether the frame went nowhere.
func (r *Record) Dropped() bool { return r.Verdict.Drop() || r.Marks&MarkRefused != 0 }

// MostTaps is how many taps there may be at a time.
const MostTaps = 4

// ErrTapsFull says that there are MostTaps.
var ErrTapsFull = errors.New("as many taps run as may")

// TapConfig says what a tap is to see: frames that all of it chooses.
type TapConfig struct {
	Received, Sent, Dropped bool       // Dropped ones may be received ones
	VNI                     uint32     // or NoVNI for any
	Remote                  vxlan.Addr // zero for any
	Snaplen                 uint32     // bytes that are kept of a frame; 0: all
	Filter                  *filter.Program
}

// Tap is one that workers know. Read and SetPort belong to one goroutine.
type Tap struct {
	cfg   TapConfig
	port  atomic.Uint32
	plain bool       // nothing but Filter, the port and the way chooses
	rings []*tapRing // by worker, then those of their slow paths
	heads []Record   // Read's own
}

// AnyPort and NoPort may be what SetPort is given.
const (
	AnyPort = Underlay - 1
	NoPort  = Underlay - 2
)

// SetPort restricts the tap to an interface: the index of its port, or Underlay.
func (t *Tap) SetPort(port uint32) { t.port.Store(port) }

// taps is what workers do for the taps there are. It never changes, but for what is the workers' own: notes belong to
// the owners of the frames, batches to the workers.
type taps struct {
	list     []*Tap
	received bool        // some tap sees frames at a time before they leave
	sent     bool        // some tap sees what leaves
	notes    []note      // by frame
	batches  []*tapBatch // by worker
	most     uint32      // bytes that are kept of a frame
}

// note is what is known of a frame until it leaves.
type note struct {
	from   fdb.Dest
	domain uint16
	marks  Mark
	there  bool // false: it was received before there was a tap
}

// AddTap has workers fill a new tap, with frames of any port at first. The caller removes it. The error is ErrTapsFull. Any goroutine.
func (p *Plane) AddTap(c TapConfig) (*Tap, error) {
	p.tapping.Lock()
	defer p.tapping.Unlock()
	var list []*Tap
	if old := p.taps.Load(); old != nil {
		list = old.list
	}
	if len(list) == MostTaps {
		return nil, ErrTapsFull
	}
	if c.Snaplen == 0 || c.Snaplen > uint32(p.Memory.FrameSize()) {
		c.Snaplen = uint32(p.Memory.FrameSize())
	}
	t := &Tap{cfg: c, plain: c.VNI == NoVNI && c.Remote == vxlan.Addr{}}
	t.port.Store(AnyPort)
	for range p.workers {
		t.rings = append(t.rings, newTapRing(tapRecords, tapBytes))
	}
	for range p.workers {
		t.rings = append(t.rings, newTapRing(tapRecords/16, tapBytes/4))
	}
	p.setTaps(append(slices.Clone(list), t))
	return t, nil
}

// RemoveTap ends a tap. When it returns, workers that run write to it no more, and Read has the rest. Any goroutine.
func (p *Plane) RemoveTap(t *Tap) {
	p.tapping.Lock()
	if old := p.taps.Load(); old != nil {
		p.setTaps(slices.DeleteFunc(slices.Clone(old.list), func(o *Tap) bool { return o == t }))
	}
	p.tapping.Unlock()
	p.Alive(time.Second) // each has begun another round
}

// setTaps puts a list in force. Under p.tapping.
func (p *Plane) setTaps(list []*Tap) {
	if len(list) == 0 {
		p.taps.Store(nil)
		return
	}
	next := &taps{list: list}
	for _, t := range list {
		next.received = next.received || t.cfg.Received || t.cfg.Dropped
		next.sent = next.sent || t.cfg.Sent
		next.most = max(next.most, t.cfg.Snaplen)
	}
	if old := p.taps.Load(); old != nil && old.sent {
		next.notes = old.notes
	} else { // what stands there is not of the frames any more
		next.notes = make([]note, p.Memory.Frames())
	}
	for range p.workers {
		next.batches = append(next.batches, &tapBatch{data: make([]byte, BatchSize*int(next.most)), tapBudget: tapBudget{most: tapCredit}})
	}
	p.taps.Store(next)
}

// Lost returns how many records found no room.
func (t *Tap) Lost() (n uint64) {
	for _, r := range t.rings {
		n += r.lost.Load()
	}
	return n
}

// readMost is how many records Read takes from one ring.
const readMost = 1024

// Read gives visit the records that are there, in the order of time, until it says false, and returns how many it gave; those behind are
// lost then. Record and bytes are visit's until it returns.
func (t *Tap) Read(visit func(r *Record, frame []byte) bool) (n int) {
	t.heads = t.heads[:0]
	for i, r := range t.rings {
		from := len(t.heads)
		t.heads = slices.Grow(t.heads, readMost)[:from+readMost]
		got := r.records.Take(t.heads[from:])
		t.heads = t.heads[:from+got]
		for j := range t.heads[from:] {
			t.heads[from+j].Worker = uint16(i)
		}
		if got > 0 {
			last := &t.heads[from+got-1]
			r.read = last.at + uint64(last.Kept)
		}
	}
	slices.SortStableFunc(t.heads, func(a, b Record) int { return int(min(max(a.Time-b.Time, -1), 1)) })
	for i := range t.heads {
		h := &t.heads[i]
		frame := t.rings[h.Worker].bytes(h)
		h.Worker %= uint16(len(t.rings) / 2)
		if n++; !visit(h, frame) {
			break
		}
	}
	for _, r := range t.rings {
		r.released.Store(r.read)
	}
	return n
}
