package ring

import "sync/atomic"

// Producer is our end of a ring that we write and the kernel reads: fill (addresses) and tx (descriptors).
//
//	Reserve -> Set or Slot, n times, or Slots -> Submit
//
// It belongs to one goroutine. The shared words are those of struct xdp_ring in net/xdp/xsk_queue.h.
type Producer[T uint64 | Desc] struct {
	producer *atomic.Uint32 // shared; written by us in Submit, read by the kernel
	consumer *atomic.Uint32 // shared; written by the kernel, read by us
	flags    *atomic.Uint32 // shared; written by the kernel, read by us
	slots    []T            // shared; written by us between Reserve and Submit, read by the kernel after it
	next     uint32         // ours; the first slot not yet submitted, modulo 2^32
	room     uint32         // ours; how many slots from next on are known to be free
}

func newProducer[T uint64 | Desc](s shared[T]) Producer[T] {
	p := Producer[T]{
		producer: s.producer, consumer: s.consumer, flags: s.flags, slots: s.slots,
		next: s.producer.Load(),
	}
	p.room = p.Size() - p.used()
	return p
}

// Size returns how many slots the ring has.
func (p *Producer[T]) Size() uint32 { return uint32(len(p.slots)) }

// Reserve returns how many slots may be written, n at most, counted from the first that is not submitted. It reads the
// kernel's index only when the last reading does not cover n.
func (p *Producer[T]) Reserve(n uint32) uint32 {
	if n > p.room {
		p.room = p.Size() - p.used()
	}
	return min(n, p.room)
}

// used returns how many submitted slots the kernel has not consumed; never more than there are, whatever the kernel wrote.
func (p *Producer[T]) used() uint32 { return min(p.next-p.consumer.Load(), p.Size()) }

// Set writes the i-th slot that is not submitted; i must be below what Reserve returned.
func (p *Producer[T]) Set(i uint32, v T) { *p.Slot(i) = v }

// Slot returns the i-th slot that is not submitted, to be written in place, field by field.
func (p *Producer[T]) Slot(i uint32) *T { return &p.slots[(p.next+i)&(p.Size()-1)] }

// Slots returns the first n slots that are not submitted, in order, as one run and what follows it behind the ring's end; n
// must not be above what Reserve returned. For loops over a batch: they need no index arithmetic per slot.
func (p *Producer[T]) Slots(n uint32) (run, rest []T) {
	at := p.next & (p.Size() - 1)
	run = p.slots[at:min(at+n, p.Size())]
	return run, p.slots[:n-uint32(len(run))]
}

// Submit publishes the first n slots written. An atomic store is an XCHG on amd64: call it once per batch.
func (p *Producer[T]) Submit(n uint32) {
	p.next += n
	p.room -= n
	p.producer.Store(p.next)
}

// Pending returns how many submitted slots the kernel has not consumed.
func (p *Producer[T]) Pending() uint32 { return p.used() }

// NeedWakeup reports whether the kernel waits for a system call before it looks at the ring (XDP_RING_NEED_WAKEUP). Ask
// after Submit: the store and this load are sequentially consistent, so a kernel that goes to sleep in between is seen.
func (p *Producer[T]) NeedWakeup() bool { return p.flags.Load()&needWakeup != 0 }
