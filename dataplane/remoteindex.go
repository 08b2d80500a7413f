package dataplane

import (
	"math/rand/v2"
	"sync/atomic"

	"vxgw/vxlan"
)

// remoteIndex finds a remote's number by its address: open addressing with linear
// probing, at most half full. Entries are only ever added; taking some out means
// a new index. Readers take no lock: an entry is one word, and the slot that it
// leads to is complete before the word is stored.
type remoteIndex struct {
	seed    uint64
	mask    uint64
	entries []atomic.Uint64 // upper half of the hash | number + 1; 0 is empty
	n       int             // guarded by Remotes.mu
}

func newRemoteIndex(size int) *remoteIndex {
	return &remoteIndex{seed: rand.Uint64(), mask: uint64(size - 1), entries: make([]atomic.Uint64, size)}
}

func (x *remoteIndex) find(k vxlan.Addr, slots []remoteSlot) (uint32, bool) {
	h := hash(k, x.seed)
	for i := h; ; i++ {
		e := x.entries[i&x.mask].Load()
		if e == 0 {
			return 0, false
		}
		if n := uint32(e) - 1; e>>32 == h>>32 && slots[n].key == k {
			return n, true
		}
	}
}

// insert adds a key that is not there. Under Remotes.mu.
func (x *remoteIndex) insert(k vxlan.Addr, n uint32) {
	h := hash(k, x.seed)
	i := h
	for x.entries[i&x.mask].Load() != 0 {
		i++
	}
	x.entries[i&x.mask].Store(h>>32<<32 | uint64(n+1))
	x.n++
}

// publish makes k known under number n. Under r.mu.
func (r *Remotes) publish(k vxlan.Addr, n uint32) {
	if x := r.index.Load(); 2*(x.n+1) <= len(x.entries) {
		x.insert(k, n)
		return
	}
	r.rebuild()
}

// rebuild makes a new index of the live slots. Under r.mu.
func (r *Remotes) rebuild() {
	live := 0
	for n := range r.used {
		if r.slots[n].live && r.slots[n].plain() {
			live++
		}
	}
	size := 16
	for size < 4*live {
		size *= 2
	}
	x := newRemoteIndex(size)
	for n := range r.used {
		if r.slots[n].live && r.slots[n].plain() {
			x.insert(r.slots[n].key, uint32(n))
		}
	}
	r.index.Store(x)
}
