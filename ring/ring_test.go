package ring

import (
	"math/rand/v2"
	"testing"
)

// ends returns both ends of a ring whose indices start at start.
func ends(size, start uint32) (Producer[uint64], Consumer[uint64], shared[uint64]) {
	s := newShared[uint64](size)
	s.producer.Store(start)
	s.consumer.Store(start)
	return newProducer(s), newConsumer(s), s
}

// TestRingKeepsOrder runs both ends against a queue that cannot be wrong, across the wrap of the 32-bit indices.
func TestRingKeepsOrder(t *testing.T) {
	for _, size := range []uint32{1, 2, 8, 64} {
		for _, start := range []uint32{0, 1, 1<<31 - 5, ^uint32(0) - 20} {
			p, c, _ := ends(size, start)
			r := rand.New(rand.NewPCG(uint64(size), uint64(start)))
			var queue []uint64
			for next := uint64(0); next < 4000; {
				want := r.Uint32N(2 * size)
				n := p.Reserve(want)
				if free := size - uint32(len(queue)); n > want || n > free || n != min(want, free) {
					t.Fatalf("size %d: reserve %d with %d free: %d", size, want, free, n)
				}
				for i := range n {
					p.Set(i, next)
					queue = append(queue, next)
					next++
				}
				p.Submit(n)
				if got := p.Pending(); got != uint32(len(queue)) {
					t.Fatalf("size %d: pending %d, want %d", size, got, len(queue))
				}
				m := c.Peek(r.Uint32N(size + 1))
				if m > uint32(len(queue)) {
					t.Fatalf("size %d: peek %d of %d", size, m, len(queue))
				}
				for i := range m {
					if got := c.At(i); got != queue[i] {
						t.Fatalf("size %d start %d: slot %d is %d, want %d", size, start, i, got, queue[i])
					}
				}
				c.Release(m)
				queue = queue[m:]
			}
		}
	}
}

func TestRingFullAndEmpty(t *testing.T) {
	p, c, _ := ends(4, ^uint32(0)-1)
	if n := c.Peek(4); n != 0 {
		t.Errorf("peek of an empty ring: %d", n)
	}
	if n := p.Reserve(9); n != 4 {
		t.Errorf("reserve of an empty ring: %d, want 4", n)
	}
	p.Submit(4)
	if n := p.Reserve(1); n != 0 {
		t.Errorf("reserve of a full ring: %d", n)
	}
	if n := c.Peek(9); n != 4 {
		t.Errorf("peek of a full ring: %d, want 4", n)
	}
	c.Release(3)
	if n := p.Reserve(4); n != 3 {
		t.Errorf("reserve after releasing 3: %d", n)
	}
	if n := c.Peek(4); n != 1 {
		t.Errorf("peek of the rest: %d, want 1", n)
	}
}

// TestRingSubmitsOnlyOnce looks at the shared index, which may move in Submit alone.
func TestRingSubmitsOnlyOnce(t *testing.T) {
	p, c, s := ends(8, 0)
	p.Reserve(3)
	for i := range uint32(3) {
		p.Set(i, uint64(i))
		if s.producer.Load() != 0 || c.Peek(8) != 0 {
			t.Fatal("a slot was seen before it was submitted")
		}
	}
	p.Submit(2)
	if got := c.Peek(8); got != 2 {
		t.Fatalf("submitted 2, seen %d", got)
	}
	c.At(0)
	if s.consumer.Load() != 0 {
		t.Error("a slot was given back before it was released")
	}
}

// TestRingDistrustsIndices has the other end write indices that no correct one would.
func TestRingDistrustsIndices(t *testing.T) {
	for _, lie := range []uint32{5, 1 << 31, ^uint32(0)} {
		p, c, s := ends(4, 0)
		s.consumer.Store(lie)
		if n := p.Reserve(100); n > 4 {
			t.Errorf("consumer %d: reserve %d of 4", lie, n)
		}
		if n := p.Pending(); n > 4 {
			t.Errorf("consumer %d: pending %d of 4", lie, n)
		}
		s.producer.Store(lie)
		if n := c.Peek(100); n > 4 {
			t.Errorf("producer %d: peek %d of 4", lie, n)
		}
	}
}

func TestRingNeedWakeup(t *testing.T) {
	p, _, s := ends(4, 0)
	if p.NeedWakeup() {
		t.Error("wakeup asked for by a fresh ring")
	}
	s.flags.Store(needWakeup | 1<<7)
	if !p.NeedWakeup() {
		t.Error("wakeup flag not seen")
	}
	s.flags.Store(1 << 7)
	if p.NeedWakeup() {
		t.Error("another flag taken for the wakeup one")
	}
}

// TestRingBetweenGoroutines lets the race detector watch a transfer.
func TestRingBetweenGoroutines(t *testing.T) {
	const total = 20000
	p, c, _ := ends(64, ^uint32(0)-100)
	go func() {
		for next := uint64(0); next < total; {
			n := p.Reserve(uint32(min(16, total-next)))
			for i := range n {
				p.Set(i, next)
				next++
			}
			p.Submit(n)
		}
	}()
	for want := uint64(0); want < total; {
		n := c.Peek(32)
		for i := range n {
			if got := c.At(i); got != want {
				t.Fatalf("got %d, want %d", got, want)
			}
			want++
		}
		c.Release(n)
	}
}
