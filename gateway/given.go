package gateway

import (
	"maps"
	"sync"

	"vxgw/fdb"
)

// state is the word with which bridge(8) says how long an entry stays.
type state uint8

const (
	dynamic state = iota // no word
	static
	permanent
)

// String is the word, empty for dynamic.
func (s state) String() string { return [...]string{"", "static", "permanent"}[s] }

// usual is the state of entries of a kind unless given has another.
func usual(k fdb.Kind) state {
	if k == fdb.Static {
		return static
	}
	return dynamic
}

// given is what is known of the static and extern entries beside the table: the
// steward writes it, whoever describes entries reads it.
type given struct {
	mu      sync.RWMutex
	states  map[fdb.Key]state         // those that are not the usual ones of their kind
	remotes map[uint32]int            // how many entries name a remote
	domains map[uint16]map[uint32]int // how many entries of a bridge domain name a remote
}

func newGiven() given {
	return given{states: map[fdb.Key]state{}, remotes: map[uint32]int{}, domains: map[uint16]map[uint32]int{}}
}

// change notes that the entry k, which was old, is now v in state s. A value that is
// not found stands for no entry. It reports whether others are named in the bridge domain.
func (g *given) change(k fdb.Key, old, v fdb.Value, s state) (others bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	gone, came := g.count(k, old, -1), g.count(k, v, 1)
	delete(g.states, k)
	if v.Found() && s != usual(v.Kind()) {
		g.states[k] = s
	}
	return gone || came
}

// count adds to how many entries name the remote of v, and reports whether it is the first or
// was the last.
func (g *given) count(k fdb.Key, v fdb.Value, by int) (edge bool) {
	if !v.Found() || v.Kind() == fdb.Learned || !v.Dest().IsRemote() {
		return false
	}
	n := v.Dest().Index()
	if g.remotes[n] += by; g.remotes[n] == 0 {
		delete(g.remotes, n)
	}
	in := g.domains[k.Domain()]
	if in == nil {
		in = map[uint32]int{}
		g.domains[k.Domain()] = in
	}
	if in[n] += by; in[n] == 0 {
		delete(in, n)
	}
	return in[n] == 0 || by > 0 && in[n] == by
}

// state is how long the entry k stays, which the table has as of a kind.
func (g *given) state(k fdb.Key, kind fdb.Kind) state {
	if kind == fdb.Learned {
		return dynamic
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if s, ok := g.states[k]; ok {
		return s
	}
	return usual(kind)
}

// named returns the remotes that entries name; the caller owns the map.
func (g *given) named() map[uint32]int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return maps.Clone(g.remotes)
}

// namesVTEP says whether an entry of a bridge domain names a remote.
func (g *given) namesVTEP(domain uint16) bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.domains[domain]) > 0
}

// remotesOf lists the remotes that entries of a bridge domain name.
func (g *given) remotesOf(domain uint16) (all []uint32) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for n := range g.domains[domain] {
		all = append(all, n)
	}
	return all
}
