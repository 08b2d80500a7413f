package dataplane

import "sync/atomic"

// Exchange is a bounded queue of frames from one goroutine to one other: the
// producer stages any number of items and publishes them with one store, the
// consumer does the same with the room it gives back. What is in the queue
// belongs to the queue; whoever takes an item owns its frame.
type Exchange[T any] struct {
	slots []T
	mask  uint32

	_        [64]byte
	produced atomic.Uint32 // written by the producer
	staged   uint32        // producer's own
	room     uint32        // producer's copy of consumed, plus the size

	_        [64]byte
	consumed atomic.Uint32 // written by the consumer
	_        [60]byte
}

// NewExchange returns an empty queue for size items, a power of two.
func NewExchange[T any](size uint32) *Exchange[T] {
	return &Exchange[T]{slots: make([]T, size), mask: size - 1, room: size}
}

// Push stages v. It reports false when the queue is full: v is still the
// caller's. Producer only.
func (e *Exchange[T]) Push(v T) bool {
	if e.staged == e.room {
		e.room = e.consumed.Load() + uint32(len(e.slots))
		if e.staged == e.room {
			return false
		}
	}
	e.slots[e.staged&e.mask] = v
	e.staged++
	return true
}

// hasRoom reports whether Push would take one more. Producer only.
func (e *Exchange[T]) hasRoom() bool {
	if e.staged == e.room {
		e.room = e.consumed.Load() + uint32(len(e.slots))
	}
	return e.staged != e.room
}

// Publish shows everything that is staged to the consumer and reports whether
// there was anything. Producer only.
func (e *Exchange[T]) Publish() bool {
	if e.staged == e.produced.Load() {
		return false
	}
	e.produced.Store(e.staged)
	return true
}

// Take moves up to len(out) items into out and returns how many. Consumer only.
func (e *Exchange[T]) Take(out []T) int {
	c := e.consumed.Load()
	n := min(e.produced.Load()-c, uint32(len(out)))
	for i := range n {
		out[i] = e.slots[(c+i)&e.mask]
	}
	if n > 0 {
		e.consumed.Store(c + n)
	}
	return int(n)
}

// Empty reports whether nothing is published. Consumer only.
func (e *Exchange[T]) Empty() bool { return e.produced.Load() == e.consumed.Load() }

// drain gives everything in the queue to free, what was staged too. Nobody else uses
// the queue any more.
func (e *Exchange[T]) drain(free func(T)) {
	e.Publish()
	var item [1]T
	for e.Take(item[:]) > 0 {
		free(item[0])
	}
}
