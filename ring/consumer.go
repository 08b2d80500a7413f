package ring

import "sync/atomic"

// Consumer is our end of a ring that the kernel writes and we read: rx (descriptors) and completion (addresses).
//
//	Peek -> At, n times, or Slots -> Release
//
// It belongs to one goroutine. The shared words are those of struct xdp_ring in net/xdp/xsk_queue.h.
type Consumer[T uint64 | Desc] struct {
	producer *atomic.Uint32 // shared; written by the kernel, read by us
	consumer *atomic.Uint32 // shared; written by us in Release, read by the kernel
	slots    []T            // shared; written by the kernel, read by us between Peek and Release
	next     uint32         // ours; the first slot not yet released, modulo 2^32
	ready    uint32         // ours; how many slots from next on are known to be written
}

func newConsumer[T uint64 | Desc](s shared[T]) Consumer[T] {
	return Consumer[T]{producer: s.producer, consumer: s.consumer, slots: s.slots, next: s.consumer.Load()}
}

// Size returns how many slots the ring has.
func (c *Consumer[T]) Size() uint32 { return uint32(len(c.slots)) }

// Peek returns how many slots may be read, n at most, counted from the first that is not released. It reads the kernel's
// index only when the last reading does not cover n. It never returns more than the ring has, whatever the kernel wrote.
func (c *Consumer[T]) Peek(n uint32) uint32 {
	if n > c.ready {
		c.ready = min(c.producer.Load()-c.next, c.Size())
	}
	return min(n, c.ready)
}

// At returns the i-th slot that is not released; i must be below what Peek returned.
func (c *Consumer[T]) At(i uint32) T { return c.slots[(c.next+i)&(c.Size()-1)] }

// Slots returns the first n slots that are not released, in order, as one run and what follows it behind the ring's end; n
// must not be above what Peek returned. For loops over a batch: they need no index arithmetic per slot.
func (c *Consumer[T]) Slots(n uint32) (run, rest []T) {
	at := c.next & (c.Size() - 1)
	run = c.slots[at:min(at+n, c.Size())]
	return run, c.slots[:n-uint32(len(run))]
}

// Release gives the first n slots back to the kernel. Call it once per batch, as Submit.
func (c *Consumer[T]) Release(n uint32) {
	c.next += n
	c.ready -= n
	c.consumer.Store(c.next)
}
