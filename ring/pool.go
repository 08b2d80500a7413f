package ring

// A pool keeps up to poolSize frames and swaps poolBatch at a time with the depot, so that a worker whose takes and puts
// balance over a few batches never meets the depot's mutex.
const (
	poolSize  = 256 // a power of two
	poolBatch = 64
)

// Pool is one worker's stack of free frames, last in first out, so that the frames in use stay in the cache. It belongs to
// one goroutine.
type Pool struct {
	depot *Depot
	start uint64 // mask that turns an address into its frame's start
	n     uint32 // frames on the stack
	stack [poolSize]uint64
}

// Get takes a free frame and returns its start; false when the depot is empty too. The frame is the caller's.
func (p *Pool) Get() (addr uint64, ok bool) {
	if p.n == 0 && !p.load() {
		return 0, false
	}
	p.n--
	return p.stack[p.n&(poolSize-1)], true
}

// Put gives back the frame that holds addr, any address in it, which must be the caller's.
func (p *Pool) Put(addr uint64) {
	if p.n == poolSize {
		p.unload()
	}
	p.stack[p.n&(poolSize-1)] = addr & p.start
	p.n++
}

// room returns the free places of the stack, at least one. Whoever fills the first n of them adds n to p.n.
func (p *Pool) room() []uint64 {
	if p.n == poolSize {
		p.unload()
	}
	return p.stack[p.n:]
}

// top takes up to n free frames at once and returns their starts, none when the depot is empty too. The slice is valid until
// the next call of any method; it is the stack itself, popped.
func (p *Pool) top(n uint32) []uint64 {
	if p.n == 0 && !p.load() {
		return nil
	}
	end := p.n
	p.n -= min(n, end)
	return p.stack[p.n:end]
}

// Len returns how many frames the pool holds itself.
func (p *Pool) Len() int { return int(p.n) }

// Drain gives all frames back to the depot; the pool can be used on.
func (p *Pool) Drain() {
	p.depot.give(p.stack[:p.n])
	p.n = 0
}

// load fetches a batch into the empty stack and reports whether it got any. Not inlined, so that a Get that finds frames is
// short.
//
//go:noinline
func (p *Pool) load() bool {
	p.n = uint32(p.depot.take(p.stack[:poolBatch]))
	return p.n > 0
}

// unload moves the batch that lay longest out of the full stack: the frames used last stay. Not inlined, so that
// Put is.
//
//go:noinline
func (p *Pool) unload() {
	p.depot.give(p.stack[:poolBatch])
	copy(p.stack[:], p.stack[poolBatch:])
	p.n = poolSize - poolBatch
}
