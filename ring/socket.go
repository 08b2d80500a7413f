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
	size   uint64  // of a frame in bytes
	shift  uint8   // log2 of size
	staged uint32  // descriptors written to tx and not submitted
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
		owners: make([]owner, m.Frames()), size: m.size, shift: m.shift & 63, fd: -1,
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
	owners, taken := s.owners, 0
	for i := range n {
		d := s.rx.At(i)
		f := d.Addr >> (s.shift & 63)
		if f >= uint64(len(owners)) || owners[f] != receiving {
			s.counts.foreignReceived.Add(1)
			continue
		}
		owners[f] = user
		if d.Addr&(s.size-1)+uint64(d.Len) > s.size {
			s.counts.malformed.Add(1)
			d.Len = 0
		}
		batch[taken] = d
		taken++
	}
	s.rx.Release(n)
	return taken
}

// Send stages one frame for transmission: d.Len bytes at d.Addr, in one piece; d.Options is not looked at. False leaves the
// frame with the caller: the tx ring is full, or the kernel would swallow the frame without ever completing it, since it is
// empty, not within one frame, or given to the kernel already (Counters.Refused). After true the frame comes back by Reap.
func (s *Socket) Send(d Desc) bool {
	f := d.Addr >> (s.shift & 63)
	if f >= uint64(len(s.owners)) || s.owners[f] != user || d.Len == 0 || d.Addr&(s.size-1)+uint64(d.Len) > s.size {
		s.counts.refused.Add(1)
		return false
	}
	if s.tx.Reserve(s.staged+1) <= s.staged {
		return false
	}
	s.owners[f] = sending
	s.tx.Set(s.staged, Desc{Addr: d.Addr, Len: d.Len})
	s.staged++
	return true
}

// Flush publishes what is staged and has the kernel send it if it waits for that. It may be called with nothing staged, to
// try again. After nil, Pending tells what the kernel has left for later. An error says that the kernel cannot send now
// (ENETDOWN: the device is down, ENXIO: it is gone); the frames stay in the ring. It allocates nothing in either case.
func (s *Socket) Flush() error {
	if s.staged > 0 {
		s.tx.Submit(s.staged)
		s.staged = 0
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
	owners, taken := s.owners, 0
	for i := range n {
		addr := s.completion.At(i)
		f := addr >> (s.shift & 63)
		if f >= uint64(len(owners)) || owners[f] != sending {
			s.counts.foreignCompleted.Add(1)
			continue
		}
		owners[f] = user
		p.Put(addr)
		taken++
	}
	s.completion.Release(n)
	return taken
}

// Refill tops the fill ring up from p, as far as p has frames, and wakes the kernel if it waits for that.
func (s *Socket) Refill(p *Pool) {
	size := s.fill.Size()
	room := s.fill.Reserve(size)
	n := uint32(0)
	for ; n < room; n++ {
		addr, ok := p.Get()
		if !ok {
			break
		}
		s.owners[addr>>(s.shift&63)] = receiving
		s.fill.Set(n, addr)
	}
	if n > 0 {
		s.fill.Submit(n)
	}
	if s.fill.NeedWakeup() && n+size > room { // with an empty ring there is nothing to wake it for
		s.Wakeup()
	}
}

// FD returns the descriptor for poll(2): POLLIN when the rx ring has something, POLLOUT when the tx ring has room. It is -1
// over a loopback.
func (s *Socket) FD() int { return s.fd }

// Bound says how the socket was bound.
func (s *Socket) Bound() Binding { return s.bound }
