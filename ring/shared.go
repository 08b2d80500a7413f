package ring

import (
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const needWakeup = unix.XDP_RING_NEED_WAKEUP

// shared is the memory of one ring, as both ends see it: mapped from the kernel, or made by newShared.
type shared[T uint64 | Desc] struct {
	producer *atomic.Uint32 // written by the producing end only
	consumer *atomic.Uint32 // written by the consuming end only
	flags    *atomic.Uint32 // written by the kernel's end only
	slots    []T            // a power of two of them
}

// newShared makes a ring in ordinary memory, its indices on cache lines of their own as the kernel's are.
func newShared[T uint64 | Desc](size uint32) shared[T] {
	words := new(struct {
		producer atomic.Uint32
		_        [60]byte
		consumer atomic.Uint32
		_        [60]byte
		flags    atomic.Uint32
		_        [60]byte
	})
	return shared[T]{producer: &words.producer, consumer: &words.consumer, flags: &words.flags, slots: make([]T, size)}
}
