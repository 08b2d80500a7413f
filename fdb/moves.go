package fdb

import (
	"math"
	"sync/atomic"
)

// Moves of learned entries: each is noted down for Moved to fetch, and those of bridge domains with a limit are counted
// by key, since a key that moved too often is frozen: it stays where it is.
//
//	Learn finds the key elsewhere -> frozen? (no lock) -> lock -> move, note down, count, freeze
//
// Memory is bounded: notes beyond a shard's ring are lost and counted, and of the keys that move the table remembers as many as
// fit into a few ways beside the hash, those that moved last.

// Move is a learned entry that went from one destination to another.
type Move struct {
	Key      Key
	From, To Dest
	At       uint32 // second, on the clock of Learn
	Frozen   bool   // and now it stays there
}

// MoveLimit says when a key is frozen. The zero value never does it.
type MoveLimit struct {
	Moves  uint32 // so many ...
	Within uint32 // in so many seconds, from the first of them on
	Freeze uint32 // seconds that it stays; 0: until the entry ages out, is deleted or replaced
}

const (
	notes     = 64 // moves of a shard that Moved has not fetched
	moverSets = 64 // of a shard
	moverWays = 4  // keys in a set
	forever   = ^uint32(0)
)

// mover is a key that moves. What is atomic is read without the shard's lock: should a reader pair the key of one with
// the time of the next one in its place, a frame is refused that moved nothing.
type mover struct {
	key   atomic.Uint64
	until atomic.Uint32 // frozen before this second; 0: not frozen
	first uint32        // second of the first move that counts
	last  uint32
	count uint32
}

// movers are those of a shard, under its lock but for what is atomic.
type movers [moverSets][moverWays]mover

// moving is what a shard has for it.
type moving struct {
	movers  atomic.Pointer[movers] // nil while no domain ever had a limit
	notes   [notes]Move            // these three under the shard's lock
	noted   int
	unnoted uint64
}

// SetMoveLimit sets the limit of a bridge domain. Keys that are frozen stay so, unless there is to be no limit any more.
// Not for workers.
func (t *Table) SetMoveLimit(domain uint16, l MoveLimit) {
	old := t.domains[domain].moves.Swap(&l)
	if l.Moves == 0 && (old == nil || old.Moves == 0) {
		return // nothing to forget, as for thousands of domains at a start
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		switch m := t.moving[i].movers.Load(); {
		case m == nil && l.Moves > 0:
			t.moving[i].movers.Store(new(movers))
		case m != nil && l.Moves == 0:
			m.forget(domain)
		}
		s.mu.Unlock()
	}
}

// forget forgets the keys of a domain.
func (m *movers) forget(domain uint16) {
	for i := range m {
		for j := range m[i] {
			if w := &m[i][j]; Key(w.key.Load()).Domain() == domain {
				w.forget()
			}
		}
	}
}

func (m *mover) forget() {
	m.until.Store(0)
	m.key.Store(0)
	m.count, m.last = 0, 0
}

// set is where a key with hash h is remembered; nil while no domain ever had a limit.
func (t *Table) set(h uint64) *[moverWays]mover {
	m := t.moving[h&t.shardMask].movers.Load()
	if m == nil {
		return nil
	}
	return &m[position(h)%moverSets]
}

// find is the mover with key k, or nil.
func find(set *[moverWays]mover, k Key) *mover {
	if set == nil {
		return nil
	}
	for i := range set {
		if set[i].key.Load() == uint64(k) {
			return &set[i]
		}
	}
	return nil
}

// Frozen says whether k stays where it is in second now. Any goroutine; it takes no lock.
func (t *Table) Frozen(k Key, now uint32) bool {
	return t.frozen(k, t.hash(k), now)
}

func (t *Table) frozen(k Key, h uint64, now uint32) bool {
	m := find(t.set(h), k)
	return m != nil && m.frozen(now)
}

func (m *mover) frozen(now uint32) bool { return now < m.until.Load() }

// CountFrozen is how many keys are frozen in second now, by bridge domain. Not for workers.
func (t *Table) CountFrozen(now uint32) map[uint16]int {
	all := map[uint16]int{}
	for i := range t.moving {
		m := t.moving[i].movers.Load()
		if m == nil {
			return all
		}
		for i := range m {
			for j := range m[i] {
				if w := &m[i][j]; w.frozen(now) {
					all[Key(w.key.Load()).Domain()]++
				}
			}
		}
	}
	return all
}

// moved notes a move down that was carried out, and freezes the key if it was one too many. The lock of s is held.
func (t *Table) moved(s *shard, k Key, h uint64, from, to Dest, now uint32) {
	s.moves.Add(1)
	d := &t.domains[k.Domain()]
	d.moved.Add(1)
	note, m := Move{Key: k, From: from, To: to, At: now, Frozen: t.countMove(d, k, h, now)}, &t.moving[h&t.shardMask]
	if m.noted == notes {
		m.unnoted++
		return
	}
	m.notes[m.noted] = note
	m.noted++
}

// countMove counts a move of k and reports whether that freezes it. The shard's lock is held.
func (t *Table) countMove(d *domain, k Key, h uint64, now uint32) bool {
	l := d.moves.Load()
	if l == nil || l.Moves == 0 {
		return false
	}
	set := t.set(h)
	m := find(set, k)
	if m == nil {
		if m = oldest(set, now); m == nil {
			return false
		}
		m.until.Store(0)
		m.key.Store(uint64(k))
		m.count = 0
	}
	if m.count == 0 || now-m.first >= l.Within {
		m.count, m.first = 0, now
	}
	m.count++
	m.last = now
	if m.count < l.Moves {
		return false
	}
	m.count = 0
	until := forever
	if l.Freeze > 0 {
		until = uint32(min(uint64(now)+uint64(l.Freeze), math.MaxUint32))
	}
	m.until.Store(until)
	return true
}

// oldest is the place in a set whose key moved longest ago; nil when all are frozen.
func oldest(set *[moverWays]mover, now uint32) (m *mover) {
	for i := range set {
		w := &set[i]
		if !w.frozen(now) && (m == nil || w.last < m.last) {
			m = w
		}
	}
	return m
}

// thaw forgets that k moved: its entry goes, or the operator has changed it. The shard's lock is held.
func (t *Table) thaw(k Key, h uint64) {
	if m := find(t.set(h), k); m != nil {
		m.forget()
	}
}

// Moved hands the moves since the last call to fn, in the order they were made in each shard, and returns how many more there
// were that found no room. No lock is held in fn. One caller at a time, not a worker.
func (t *Table) Moved(fn func(Move)) (lost uint64) {
	var fetched [notes]Move
	for i := range t.shards {
		s, m := &t.shards[i], &t.moving[i]
		s.mu.Lock()
		n := copy(fetched[:], m.notes[:m.noted])
		lost += m.unnoted
		m.noted, m.unnoted = 0, 0
		s.mu.Unlock()
		for _, m := range fetched[:n] {
			fn(m)
		}
	}
	return lost
}
