package ring

import (
	"math/bits"
)

// NewLoopback returns a socket over rings in ordinary memory, and the kernel's end of them, for tests and benches without a
// kernel. The four rings have size descriptors each, rounded up to a power of two; the fill ring is filled from p. The
// socket makes no system call, its FD is -1. Socket and Kernel may be used by one goroutine each.
func NewLoopback(m *Memory, size uint32, p *Pool) (*Socket, *Kernel) {
	size = 1 << bits.Len32(max(size, 1)-1)
	rx, tx := newShared[Desc](size), newShared[Desc](size)
	fill, completion := newShared[uint64](size), newShared[uint64](size)

	s := newSocket(m, "loopback", 0)
	s.rx, s.tx = newConsumer(rx), newProducer(tx)
	s.fill, s.completion = newProducer(fill), newConsumer(completion)
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
// publishes it on rx. False means that it is dropped: the fill ring is empty, rx is full, or the frame is too long.
func (k *Kernel) Deliver(frame []byte) bool {
	if k.Fill.Peek(1) == 0 || k.Rx.Reserve(1) == 0 || len(frame) > k.memory.FrameSize()-packetHeadroom {
		return false
	}
	addr := k.Fill.At(0)&^(k.memory.size-1) + packetHeadroom
	k.Fill.Release(1)
	copy(k.memory.Bytes(addr, uint32(len(frame))), frame)
	return k.DeliverDesc(Desc{Addr: addr, Len: uint32(len(frame))})
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
func (k *Kernel) Take(fn func(addr uint64, frame []byte)) int {
	n := k.Completion.Reserve(k.Tx.Peek(k.Tx.Size()))
	if n == 0 {
		return 0
	}
	for i := range n {
		d := k.Tx.At(i)
		fn(d.Addr, k.memory.Bytes(d.Addr, d.Len))
		k.Completion.Set(i, d.Addr)
	}
	k.Tx.Release(n)
	k.Completion.Submit(n)
	return int(n)
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
