package dataplane

import (
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"

	"vxgw/vxlan"
)

// ErrRemotesFull is returned when no more remotes can be numbered.
var ErrRemotesFull = errors.New("the table of remotes is full")

// Remotes numbers the underlay addresses that packets go to and come from: the
// configured remotes and groups, and each VTEP that speaks first. The number is
// what the FDB stores and what a snapshot's paths are indexed by.
//
// Looking an address up takes no lock. Giving out a number does, once per remote;
// a worker does it when a VTEP speaks for the first time, so that the very next
// frame already finds its way back.
type Remotes struct {
	index atomic.Pointer[remoteIndex]
	slots []remoteSlot // by number

	mu   sync.Mutex
	used int
	free []uint32
	// special has the numbers of those that are more than an address.
	special map[Endpoint]uint32

	fresh chan struct{}
}

// remoteSlot belongs to one number. All but live is written before the number is
// published and stays until every worker has forgotten the number.
type remoteSlot struct {
	key  vxlan.Addr
	port uint16 // as Endpoint has it
	live bool   // guarded by Remotes.mu
	vni  uint32
}

// hash mixes the address; the seed keeps a stranger from choosing sources that
// all land in one place.
func hash(k vxlan.Addr, seed uint64) uint64 {
	h := (k.Hi ^ seed) * 0x9e3779b97f4a7c15
	h = (h ^ h>>32 ^ k.Lo) * 0xd6e8feb86659fd93
	return h ^ h>>32
}

// NewRemotes returns a table for at most limit remotes.
func NewRemotes(limit int) *Remotes {
	r := &Remotes{slots: make([]remoteSlot, limit), special: map[Endpoint]uint32{}, fresh: make(chan struct{}, 1)}
	r.index.Store(newRemoteIndex(16))
	return r
}

// Find returns the number of addr. Any goroutine.
func (r *Remotes) Find(addr netip.Addr) (uint32, bool) { return r.find(vxlan.AddrOf(addr)) }

func (r *Remotes) find(k vxlan.Addr) (uint32, bool) {
	return r.index.Load().find(k, r.slots)
}

// Add returns the number of addr and gives it one when it has none. Any
// goroutine. The error is ErrRemotesFull.
func (r *Remotes) Add(addr netip.Addr) (uint32, error) { return r.add(vxlan.AddrOf(addr)) }

func (r *Remotes) add(k vxlan.Addr) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n, ok := r.find(k); ok {
		return n, nil
	}
	n, err := r.take(remoteSlot{key: k, live: true})
	if err != nil {
		return 0, err
	}
	r.publish(k, n)
	r.tell()
	return n, nil
}

// take gives out a free number. Under r.mu.
func (r *Remotes) take(s remoteSlot) (uint32, error) {
	n := uint32(r.used)
	switch {
	case len(r.free) > 0:
		n = r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
	case r.used < len(r.slots):
		r.used++
	default:
		return 0, ErrRemotesFull
	}
	r.slots[n] = s
	return n, nil
}

// tell says that there is a new number.
func (r *Remotes) tell() {
	select {
	case r.fresh <- struct{}{}:
	default:
	}
}

// Fresh is signalled after a remote was added. One receiver.
func (r *Remotes) Fresh() <-chan struct{} { return r.fresh }

// Retire makes addresses unknown again. Their numbers stay taken until Release,
// since workers and the FDB may still hold them.
func (r *Remotes) Retire(numbers []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range numbers {
		r.slots[n].live = false
		if s := &r.slots[n]; !s.plain() {
			delete(r.special, s.endpoint())
		}
	}
	r.rebuild()
}

// Release makes retired numbers free for new addresses. The caller has seen every
// worker pass a snapshot since Retire, and has flushed the FDB entries that name them.
func (r *Remotes) Release(numbers []uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free = append(r.free, numbers...)
}

// count returns how many numbers were ever given out: they are the lowest.
func (r *Remotes) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// Limit is how many remotes can have numbers at a time.
func (r *Remotes) Limit() int { return len(r.slots) }

// Addr returns the address of a number, the zero Addr if it is not in use. Any
// goroutine.
func (r *Remotes) Addr(n uint32) netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	if int(n) >= r.used || !r.slots[n].live {
		return netip.Addr{}
	}
	return r.slots[n].key.Netip()
}

// Addrs returns the address of each number, the zero Addr for numbers that are
// not in use. Any goroutine.
func (r *Remotes) Addrs() []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]netip.Addr, r.used)
	for n := range out {
		if r.slots[n].live {
			out[n] = r.slots[n].key.Netip()
		}
	}
	return out
}
