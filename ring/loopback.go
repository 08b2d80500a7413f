package ring

import (
	"math/bits"
)

// NewLoopback returns a socket over rings in ordinary memory, and the kernel's end of them, for tests and benches without a
// kernel. Where frames are larger than a page, packets have several parts as with a device that is opened so. The four rings have size descriptors each, rounded up to a power of two; the fill ring is filled from p. The
// socket makes no system call, its FD is -1. Socket and Kernel may be used by one goroutine each.
func NewLoopback(m *Memory, size uint32, p *Pool) (*Socket, *Kernel) {
	size = 1 << bits.Len32(max(size, 1)-1)
	rx, tx := newShared[Desc](size), newShared[Desc](size)
	fill, completion := newShared[uint64](size), newShared[uint64](size)

	s := newSocket(m, "loopback", 0)
	s.rx, s.tx = newConsumer(rx), newProducer(tx)
	s.fill, s.completion = newProducer(fill), newConsumer(completion)
	if m.size > m.chunk {
		s.withParts(s.tx)
	}
	s.lend(size, size)
	m.join(s)
	s.Refill(p)
	return s, &Kernel{
		Fill: newConsumer(fill), Rx: newProducer(rx), Tx: newConsumer(tx), Completion: newProducer(completion),
		memory: m, rxFlags: fill, txFlags: tx,
	}
}

// Kernel is the kernel's end of a loopback: the same four rings with their ends swapped. Deliver and Take do what a device
// would; a bench moves descriptors itself through the rings. It belongs to one goroutine.
type Kernel struct {
	Fill       Consumer[uint64] // frames to receive into
	Rx         Producer[Desc]   // frames received
	Tx         Consumer[Desc]   // frames to send
	Completion Producer[uint64] // frames sent

	memory  *Memory
	rxFlags shared[uint64]
	txFlags shared[Desc]
}

// Deliver receives one frame: it takes an address from the fill ring, copies the frame behind 256 bytes of headroom and
// publishes it on rx; where frames have several chunks, so many addresses and descriptors as the frame needs (__xsk_rcv in
// net/xdp/xsk.c). False means that it is dropped: the fill ring has too little, rx is full, or the frame is too long.
func (k *Kernel) Deliver(frame []byte) bool {
	room := int(k.memory.chunk - packetHeadroom)
	parts := uint32(max(len(frame)-1, 0)/room + 1)
	if k.Fill.Peek(parts) < parts || k.Rx.Reserve(parts) < parts || parts > 1 && k.memory.size == k.memory.chunk {
		return false
	}
	for i := range parts {
		piece := frame[:min(len(frame), room)]
		frame = frame[len(piece):]
		d := Desc{Addr: k.Fill.At(i)&^(k.memory.size-1) + packetHeadroom, Len: uint32(len(piece))}
		if i+1 < parts {
			d.Options = more
		}
		copy(k.memory.Bytes(d.Addr, d.Len), piece)
		k.Rx.Set(i, d)
	}
	k.Fill.Release(parts)
	k.Rx.Submit(parts)
	return true
}

// DeliverDesc publishes a descriptor on rx as it is, whatever it says and whosever frame it names; false when rx is full.
func (k *Kernel) DeliverDesc(d Desc) bool {
	if k.Rx.Reserve(1) == 0 {
		return false
	}
	k.Rx.Set(0, d)
	k.Rx.Submit(1)
	return true
}

// Take sends what is on tx, as far as the completion ring has room: it shows each frame to fn, completes it, and returns how
// many there were. The bytes are valid until fn returns.
func (k *Kernel) Take(fn func(addr uint64, frame []byte)) (frames int) {
	n := k.Completion.Reserve(k.Tx.Peek(k.Tx.Size()))
	if n == 0 {
		return 0
	}
	var parts []byte // of a frame whose last one is to come
	var start uint64 // of it
	for i := range n {
		d := k.Tx.At(i)
		k.Completion.Set(i, d.Addr)
		frame := k.memory.Bytes(d.Addr, d.Len)
		if parts == nil {
			start = d.Addr
		}
		if d.Options&more != 0 {
			parts = append(parts, frame...)
			continue
		}
		if parts != nil {
			frame, parts = append(parts, frame...), nil
		}
		fn(start, frame)
		frames++
	}
	k.Tx.Release(n)
	k.Completion.Submit(n)
	return frames
}

// NeedWakeup sets what the socket reads as the kernel's wish to be woken for its fill and tx rings.
func (k *Kernel) NeedWakeup(fill, tx bool) {
	k.rxFlags.flags.Store(flag(fill))
	k.txFlags.flags.Store(flag(tx))
}

func flag(on bool) uint32 {
	if on {
		return needWakeup
	}
	return 0
}
