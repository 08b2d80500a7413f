package ring

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// drained returns every frame of the depot once, or fails.
func drained(t *testing.T, d *Depot) {
	t.Helper()
	seen := make([]bool, d.memory.Frames())
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.free) != len(seen) {
		t.Errorf("depot has %d frames, want %d", len(d.free), len(seen))
	}
	for _, addr := range d.free {
		f := d.memory.Frame(addr)
		if addr&(d.memory.size-1) != 0 {
			t.Errorf("%#x is no frame start", addr)
		}
		if seen[f] {
			t.Errorf("frame %d is there twice", f)
		}
		seen[f] = true
	}
}

func TestPoolIsLastInFirstOut(t *testing.T) {
	p := NewDepot(heap(t, 100, 2048)).NewPool()
	first, _ := p.Get()
	second, _ := p.Get()
	p.Put(first + 256)
	p.Put(second + 2047)
	for _, want := range []uint64{second, first} {
		if got, ok := p.Get(); !ok || got != want {
			t.Errorf("got %#x, want %#x", got, want)
		}
	}
}

func TestPoolEmptiesTheDepot(t *testing.T) {
	for _, frames := range []int{1, poolBatch - 1, poolBatch, poolBatch + 1, poolSize, 1000} {
		d := NewDepot(heap(t, frames, 2048))
		p := d.NewPool()
		for range 2 {
			var got []uint64
			for addr, ok := p.Get(); ok; addr, ok = p.Get() {
				got = append(got, addr)
			}
			if len(got) != frames || p.Len() != 0 || d.Len() != 0 {
				t.Fatalf("%d frames: got %d, pool %d, depot %d", frames, len(got), p.Len(), d.Len())
			}
			for _, addr := range got {
				p.Put(addr)
			}
			if p.Len()+d.Len() != frames || p.Len() > poolSize {
				t.Fatalf("%d frames: pool %d, depot %d", frames, p.Len(), d.Len())
			}
			p.Drain()
			drained(t, d)
		}
	}
}

// TestPoolsShareFrames has several goroutines take, hold, pass on and give back; each frame may be in one hand only.
func TestPoolsShareFrames(t *testing.T) {
	const workers, rounds = 4, 3000
	m := heap(t, 1500, 2048)
	d := NewDepot(m)
	passed := make(chan uint64, 64)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			p := d.NewPool()
			r := rand.New(rand.NewPCG(1, uint64(w)))
			var held []uint64
			for range rounds {
				switch r.IntN(4) {
				case 0, 1:
					for range r.IntN(100) {
						if addr, ok := p.Get(); ok {
							m.data[addr]++ // the race detector fails the test if another goroutine has it too
							held = append(held, addr)
						}
					}
				case 2:
					for n := r.IntN(len(held) + 1); n > 0; n-- {
						p.Put(held[len(held)-1] + uint64(r.IntN(2048)))
						held = held[:len(held)-1]
					}
				case 3:
					select {
					case addr := <-passed:
						held = append(held, addr)
					default:
					}
					if len(held) > 0 {
						select {
						case passed <- held[0]:
							held = held[1:]
						default:
						}
					}
				}
			}
			for _, addr := range held {
				p.Put(addr)
			}
			p.Drain()
		})
	}
	wg.Wait()
	p := d.NewPool()
	for len(passed) > 0 {
		p.Put(<-passed)
	}
	p.Drain()
	drained(t, d)
}

// TestDepotDoesNotGrow puts more than there is, as a broken caller would.
func TestDepotDoesNotGrow(t *testing.T) {
	d := NewDepot(heap(t, 10, 2048))
	p := d.NewPool()
	for range 2 * poolSize {
		p.Put(0)
	}
	p.Drain()
	if d.Len() != 10 {
		t.Errorf("depot of 10 frames holds %d", d.Len())
	}
}

func TestPoolAllocatesNothing(t *testing.T) {
	p := NewDepot(heap(t, 2000, 2048)).NewPool()
	held := make([]uint64, 0, 2000)
	if n := testing.AllocsPerRun(100, func() {
		for range 1000 {
			addr, _ := p.Get()
			held = append(held, addr)
		}
		for _, addr := range held {
			p.Put(addr)
		}
		held = held[:0]
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
