package ring

import (
	"sync"
	"sync/atomic"
)

// Socket is one AF_XDP socket: one queue of one device, with its four rings. Per batch, its owner calls
//
//	Receive   rx ring -> the caller
//	Send      the caller -> tx ring, staged
//	Flush     staged -> judged, published; the kernel kicked if it wants to be
//	Reap      completion ring -> pool
//	Refill    pool -> fill ring; the kernel woken if it wants to be
//
// The verbs belong to the goroutine that owns the socket. They take no lock, allocate nothing and read no clock.
type Socket struct {
	rx         Consumer[Desc]
	tx         Producer[Desc]
	fill       Producer[uint64]
	completion Consumer[uint64]

	owners []owner // one per frame of the memory
	size   uint64  // of a frame, as far as a packet may lie in it
	shift  uint8   // log2 of size
	staged uint32  // descriptors written to tx and not submitted
	lent   uint32  // frames given to the kernel to receive into and not got back
	most   uint32  // of those, see lend
	fd     int     // -1 over a loopback and after Close
	polls  bool    // it prefers busy polling
	kicked uint32  // see Kicked
	idle   uint32  // calls of Poll that did not receive

	driven atomic.Bool // see Driven

	sent    struct{ packets, bytes uint64 }
	refused []uint64 // frames that Flush kept from the kernel

	counts counters

	parts  *parts // nil: every packet is one descriptor
	memory *Memory
	device string // name of the device
	bound  Binding

	mu     sync.Mutex // held by Close, and by what other goroutines may call meanwhile
	home   *Device    // nil over a loopback
	rings  [][]byte   // the mapped rings
	closed bool
}

// newSocket returns a socket without rings that has given no frame to the kernel.
func newSocket(m *Memory, device string, queue int) *Socket {
	return &Socket{
		owners: make([]owner, m.Frames()), size: m.chunk, shift: m.shift, fd: -1,
		memory: m, device: device, bound: Binding{Queue: queue},
	}
}

// Receive takes up to len(batch) descriptors from the rx ring and returns how many it put into batch. Their frames are the
// caller's. A descriptor of a frame that this socket has not given to the kernel to receive into is counted
// (Counters.Foreign) and left out; one that does not lie within its frame is counted (Counters.Malformed) and handed out
// with length 0.
func (s *Socket) Receive(batch []Desc) int {
	if s.parts != nil {
		return s.receiveParts(batch)
	}
	n := s.rx.Peek(uint32(len(batch)))
	if n == 0 {
		return 0
	}
	run, rest := s.rx.Slots(n)
	taken := s.accept(run, batch)
	taken += s.accept(rest, batch[taken:])
	s.lent -= uint32(taken)
	s.rx.Release(n)
	return taken
}

// accept moves what the kernel may deliver from received to batch, which has room for it, and returns how many those are.
func (s *Socket) accept(received, batch []Desc) (taken int) {
	for len(received) > 0 {
		n := s.unmark(received, batch[taken:])
		taken += n
		if n == len(received) {
			break
		}
		s.counts.foreignReceived.Add(1)
		received = received[n+1:]
	}
	return taken
}

// unmark copies descriptors to batch up to the first of a frame that the kernel had not, and returns how many those are. A loop that
// does one thing has the registers to itself.
func (s *Socket) unmark(received, batch []Desc) int {
	owners, shift, size, batch := s.owners, s.shift&63, s.size, batch[:len(received)]
	for i := range received {
		d := received[i] // once: the ring is the kernel's to write
		f := d.Addr >> shift
		if f >= uint64(len(owners)) || owners[f] != receiving {
			return i
		}
		owners[f] = user
		if d.Addr&(size-1)+uint64(d.Len) > size {
			s.counts.malformed.Add(1)
			d.Len = 0
		}
		batch[i] = d
	}
	return len(received)
}

// Send stages one frame for transmission: d.Len bytes at d.Addr, in one piece; d.Options is not looked at. False leaves the
// frame with the caller: the tx ring was full when Flush or Reap looked last. After true the frame comes back by Reap.
func (s *Socket) Send(d Desc) bool {
	if s.staged == s.tx.room {
		return false
	}
	slot := s.tx.Slot(s.staged)
	slot.Addr, slot.Len, slot.Options = d.Addr, d.Len, 0
	s.staged++
	return true
}

// Staged returns how many frames the next Flush publishes.
func (s *Socket) Staged() uint32 { return s.staged }

// StagedAt returns what Send was given as the i-th since the last Flush, i below Staged.
func (s *Socket) StagedAt(i uint32) Desc { return *s.tx.Slot(i) }

// Flush publishes what is staged and has the kernel send it if it waits for that. It may be called with nothing staged, to
// try again. After nil, Pending tells what the kernel has left for later. An error says that the kernel cannot send now
// (ENETDOWN: the device is down, ENXIO: it is gone); the frames stay in the ring. It allocates nothing in either case.
//
// A frame that the kernel would swallow without ever completing it, since it is empty, not within one frame, or given to the
// kernel already, is kept from it (Counters.Refused).
func (s *Socket) Flush() error {
	if s.staged > 0 {
		s.tx.Submit(s.handOver())
		s.staged = 0
	}
	if s.parts != nil {
		return s.flushParts()
	}
	var err error
	if s.fd >= 0 && s.tx.NeedWakeup() && s.tx.Pending() > 0 {
		err = s.kick()
	}
	s.tx.Reserve(s.tx.Size())
	return err
}

// Kicked returns how many descriptors waited when the kernel was last called to send, and 0 where it was not since Kicked
// was asked last. The owner calls it.
func (s *Socket) Kicked() uint32 {
	n := s.kicked
	s.kicked = 0
	return n
}

// handOver marks the staged frames as the kernel's and returns how many may be published, which stand first.
func (s *Socket) handOver() uint32 {
	run, rest := s.tx.Slots(s.staged)
	n := s.mark(run)
	if n == uint32(len(run)) {
		n += s.mark(rest)
	}
	for i := n; i < s.staged; i++ { // never more than a frame or two, if any
		d := *s.tx.Slot(i)
		if s.mark([]Desc{d}) == 1 {
			*s.tx.Slot(n) = d
			n++
			continue
		}
		s.refuse(d)
	}
	return n
}

// mark marks frames as sent, up to the first that must not be, and returns how many those are.
func (s *Socket) mark(staged []Desc) uint32 {
	owners, shift, size, bytes := s.owners, s.shift&63, s.size, uint64(0)
	n := 0
	for ; n < len(staged); n++ {
		d := &staged[n]
		f := d.Addr >> shift
		if f >= uint64(len(owners)) || owners[f] != user || d.Addr&(size-1)+uint64(d.Len-1) >= size { // without length, Len-1 is huge
			break
		}
		owners[f] = sending
		bytes += uint64(d.Len)
	}
	s.sent.packets += uint64(n)
	s.sent.bytes += bytes
	return uint32(n)
}

// refuse keeps a frame for Reap, if it is the caller's to give.
func (s *Socket) refuse(d Desc) {
	s.counts.refused.Add(1)
	if f := d.Addr >> (s.shift & 63); f < uint64(len(s.owners)) && s.owners[f] == user {
		s.owners[f] = sending
		s.refused = append(s.refused, d.Addr)
	}
}

// Sent returns how many packets and bytes were published since the socket was bound.
func (s *Socket) Sent() (packets, bytes uint64) { return s.sent.packets, s.sent.bytes }

// Pending returns how many published descriptors the kernel has not taken from the tx ring.
func (s *Socket) Pending() uint32 {
	if s.parts != nil {
		return s.tx.Pending() + s.parts.tx.Pending()
	}
	return s.tx.Pending()
}

// Reap puts the frames that the kernel is done with into p and returns how many. A completion of a frame that this socket
// has not sent is counted (Counters.Foreign) and left out.
func (s *Socket) Reap(p *Pool) int {
	if len(s.refused) > 0 {
		s.finish(s.refused, p)
		s.refused = s.refused[:0]
	}
	if s.parts != nil {
		s.freeParts(p)
		s.roomOfParts()
	} else {
		s.tx.Reserve(s.tx.Size())
	}
	n := s.completion.Peek(s.completion.Size())
	if n == 0 {
		return 0
	}
	run, rest := s.completion.Slots(n)
	taken := s.finish(run, p) + s.finish(rest, p)
	s.completion.Release(n)
	return taken
}

// finish puts the completed frames that were sent into p and returns how many those are.
func (s *Socket) finish(completed []uint64, p *Pool) (taken int) {
	if s.parts != nil {
		return s.finishParts(completed, p)
	}
	for len(completed) > 0 {
		room := p.room()
		part := completed[:min(len(completed), len(room))]
		n := s.reclaim(part, room)
		p.n += uint32(n)
		taken += n
		if n < len(part) {
			s.counts.foreignCompleted.Add(1)
			n++
		}
		completed = completed[n:]
	}
	return taken
}

// reclaim moves the starts of completed frames to room, up to the first that was not sent, and returns how many those are. Not
// inlined, as give, so that its loop has the registers to itself.
//
//go:noinline
func (s *Socket) reclaim(completed, room []uint64) int {
	owners, shift, room := s.owners, s.shift&63, room[:len(completed)]
	for i, addr := range completed {
		f := addr >> shift
		if f >= uint64(len(owners)) || owners[f] != sending {
			return i
		}
		owners[f] = user
		room[i] = f << shift
	}
	return len(completed)
}

// Refill tops the fill ring up from p, as far as p has frames, and wakes the kernel if it waits for that. It reports whether
// the ring is full now, or the socket has lent the kernel as many frames as it may.
func (s *Socket) Refill(p *Pool) (full bool) {
	size := s.fill.Size()
	room := s.fill.Reserve(size)
	want := min(room, s.most-s.lent)
	run, rest := s.fill.Slots(want)
	n := s.supply(run, p)
	if n == uint32(len(run)) {
		n += s.supply(rest, p)
	}
	if n > 0 {
		s.lent += n
		s.fill.Submit(n)
	}
	if s.fill.NeedWakeup() && n+size > room { // with an empty ring there is nothing to wake it for
		s.Wakeup()
	}
	return n == want
}

// lend sets how many frames the kernel may have to receive into, wherever they are: a NIC whose own ring is large takes all
// that it is given, and would leave none to other sockets of the memory. When a NIC runs dry and finds nothing in the fill
// ring, igb hands out frames which it does not have (Linux 7.3: igb_alloc_rx_buffers_zc leaves the length of the next
// descriptor as it was). This makes that rarer; a worker that is stopped between Receive and Refill still comes to it.
func (s *Socket) lend(rx, fill uint32) { s.most = fill + rx + napiWeight }

// napiWeight is how many packets a driver takes at once (NAPI_POLL_WEIGHT).
const napiWeight = 64

// supply writes frames of p into slots of the fill ring, as far as p has some, and returns how many.
func (s *Socket) supply(slots []uint64, p *Pool) uint32 {
	n := 0
	for n < len(slots) {
		frames := p.top(uint32(len(slots) - n))
		if len(frames) == 0 {
			break
		}
		s.give(slots[n:], frames)
		n += len(frames)
	}
	return uint32(n)
}

// give writes frames into slots, the one used last first.
//
//go:noinline
func (s *Socket) give(slots, frames []uint64) {
	owners, shift, slots := s.owners, s.shift&63, slots[:len(frames)]
	for i := range slots {
		start := frames[len(frames)-1-i]
		slots[i] = start
		owners[start>>shift] = receiving
	}
}

// FD returns the descriptor for poll(2): POLLIN when the rx ring has something, POLLOUT when the tx ring has room. It is -1
// over a loopback.
func (s *Socket) FD() int { return s.fd }

// Room returns how many packets of the largest size have room in the shortest of the rings that packets go through.
func (s *Socket) Room() uint32 {
	return min(s.rx.Size(), s.tx.Size(), s.fill.Size()) / uint32(s.memory.size/s.memory.chunk)
}

// Bound says how the socket was bound.
func (s *Socket) Bound() Binding { return s.bound }
