package ring

import "sync"

// Socket is one AF_XDP socket: one queue of one device, with its four rings. Per batch, its owner calls
//
//	Receive   rx ring -> the caller
//	Send      the caller -> tx ring, staged
//	Flush     staged -> published; the kernel kicked if it wants to be
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
	mask   uint64  // of an address's offset within its frame
	shift  uint8   // log2 of size
	staged uint32  // descriptors written to tx and not submitted
	bytes  uint64  // of their packets
	fd     int     // -1 over a loopback and after Close

	counts counters

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
		owners: make([]owner, m.Frames()), mask: m.size - 1, shift: m.shift & 63, fd: -1,
		memory: m, device: device, bound: Binding{Queue: queue},
	}
}

// Receive takes up to len(batch) descriptors from the rx ring and returns how many it put into batch. Their frames are the
// caller's. A descriptor of a frame that this socket has not given to the kernel to receive into is counted
// (Counters.Foreign) and left out; one that does not lie within its frame is counted (Counters.Malformed) and handed out
// with length 0.
func (s *Socket) Receive(batch []Desc) int {
	n := s.rx.Peek(uint32(len(batch)))
	if n == 0 {
		return 0
	}
	run, rest := s.rx.Slots(n)
	taken := s.accept(run, batch)
	taken += s.accept(rest, batch[taken:])
	s.rx.Release(n)
	return taken
}

// accept moves what the kernel may deliver from received to batch, which has room for it, and returns how many those are.
func (s *Socket) accept(received, batch []Desc) int {
	owners, mask, shift := s.owners, s.mask, s.shift&63
	taken := 0
	for i := range received {
		d := &received[i]
		addr, n := d.Addr, d.Len // read once: the ring is the kernel's to write
		f := addr >> shift
		if f >= uint64(len(owners)) || owners[f] != receiving {
			s.counts.foreignReceived.Add(1)
			continue
		}
		owners[f] = user
		if addr&mask+uint64(n) > mask+1 {
			s.counts.malformed.Add(1)
			n = 0
		}
		to := &batch[taken]
		to.Addr, to.Len, to.Options = addr, n, d.Options
		taken++
	}
	return taken
}

// Send stages one frame for transmission: d.Len bytes at d.Addr, in one piece; d.Options is not looked at. False leaves the
// frame with the caller: the tx ring is full, or the kernel would swallow the frame without ever completing it, since it is
// empty, not within one frame, or given to the kernel already (Counters.Refused). After true the frame comes back by Reap.
func (s *Socket) Send(d Desc) bool {
	owners, f := s.owners, d.Addr>>(s.shift&63)
	if f >= uint64(len(owners)) || owners[f] != user || d.Addr&s.mask+uint64(d.Len-1) > s.mask { // without length, Len-1 is huge
		s.counts.refused.Add(1)
		return false
	}
	if s.staged == s.tx.room && s.tx.Reserve(s.staged+1) == s.staged {
		return false
	}
	owners[f] = sending
	slot := s.tx.Slot(s.staged)
	slot.Addr, slot.Len, slot.Options = d.Addr, d.Len, 0
	s.staged++
	s.bytes += uint64(d.Len)
	return true
}

// Staged returns how many descriptors are staged, and the bytes of their packets: what the next Flush publishes.
func (s *Socket) Staged() (packets uint32, bytes uint64) { return s.staged, s.bytes }

// Flush publishes what is staged and has the kernel send it if it waits for that. It may be called with nothing staged, to
// try again. After nil, Pending tells what the kernel has left for later. An error says that the kernel cannot send now
// (ENETDOWN: the device is down, ENXIO: it is gone); the frames stay in the ring. It allocates nothing in either case.
func (s *Socket) Flush() error {
	if s.staged > 0 {
		s.tx.Submit(s.staged)
		s.staged, s.bytes = 0, 0
	}
	if s.fd < 0 || !s.tx.NeedWakeup() || s.tx.Pending() == 0 {
		return nil
	}
	return s.kick()
}

// Pending returns how many published descriptors the kernel has not taken from the tx ring.
func (s *Socket) Pending() uint32 { return s.tx.Pending() }

// Reap puts the frames that the kernel is done with into p and returns how many. A completion of a frame that this socket
// has not sent is counted (Counters.Foreign) and left out.
func (s *Socket) Reap(p *Pool) int {
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
func (s *Socket) finish(completed []uint64, p *Pool) int {
	owners, shift := s.owners, s.shift&63
	taken := 0
	for _, addr := range completed {
		f := addr >> shift
		if f >= uint64(len(owners)) || owners[f] != sending {
			s.counts.foreignCompleted.Add(1)
			continue
		}
		owners[f] = user
		p.Put(addr)
		taken++
	}
	return taken
}

// Refill tops the fill ring up from p, as far as p has frames, and wakes the kernel if it waits for that.
func (s *Socket) Refill(p *Pool) {
	size := s.fill.Size()
	room := s.fill.Reserve(size)
	run, rest := s.fill.Slots(room)
	n := s.supply(run, p)
	if n == uint32(len(run)) {
		n += s.supply(rest, p)
	}
	if n > 0 {
		s.fill.Submit(n)
	}
	if s.fill.NeedWakeup() && n+size > room { // with an empty ring there is nothing to wake it for
		s.Wakeup()
	}
}

// supply writes frames of p into slots of the fill ring, as far as p has some, and returns how many.
func (s *Socket) supply(slots []uint64, p *Pool) uint32 {
	owners, shift := s.owners, s.shift&63
	n := 0
	for n < len(slots) {
		frames := p.top(uint32(len(slots) - n))
		if len(frames) == 0 {
			break
		}
		for i := len(frames) - 1; i >= 0; i-- { // the one used last is filled first
			slots[n] = frames[i]
			owners[frames[i]>>shift] = receiving
			n++
		}
	}
	return uint32(n)
}

// FD returns the descriptor for poll(2): POLLIN when the rx ring has something, POLLOUT when the tx ring has room. It is -1
// over a loopback.
func (s *Socket) FD() int { return s.fd }

// Bound says how the socket was bound.
func (s *Socket) Bound() Binding { return s.bound }
