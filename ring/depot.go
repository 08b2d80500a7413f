package ring

import "sync"

// Depot is the shared store of free frames. Pools swap frames with it in batches. Any goroutine may use it.
type Depot struct {
	memory *Memory
	mu     sync.Mutex
	free   []uint64 // frame starts, last in first out; room for every frame of the memory
}

// NewDepot returns the depot of m, which owns every frame. A memory has one.
func NewDepot(m *Memory) *Depot {
	d := &Depot{memory: m, free: make([]uint64, m.Frames())}
	for i := range d.free {
		d.free[i] = uint64(len(d.free)-1-i) << m.shift // the lowest address goes first
	}
	return d
}

// NewPool returns an empty pool, which takes its frames from the depot when they are asked for.
func (d *Depot) NewPool() *Pool { return &Pool{depot: d, start: ^(d.memory.size - 1)} }

// Len returns how many frames lie in the depot itself, those of the pools not counted.
func (d *Depot) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.free)
}

// take moves up to len(to) frames into to and returns how many.
func (d *Depot) take(to []uint64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(to), len(d.free))
	rest := len(d.free) - n
	copy(to, d.free[rest:])
	d.free = d.free[:rest]
	return n
}

// give takes the frames of from. The caller owned each, so they never outnumber the frames of the memory; what a caller's
// double Put brings beyond that is left out, so that nothing grows.
func (d *Depot) give(from []uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := min(len(from), cap(d.free)-len(d.free))
	d.free = append(d.free, from[:n]...)
}
