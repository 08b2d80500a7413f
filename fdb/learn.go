package fdb

// Learning: look up -> nothing new (nearly always) -> refresh the timestamp once a second -> else, under the shard's
// lock: move, or check the limits and insert.

// Outcome says what Learn did.
type Outcome uint8

const (
	Fresh         Outcome = iota // nothing to do
	Refreshed                    // timestamp set to now
	Added                        // new entry
	Moved                        // learned entry now at the new destination
	RefusedStatic                // a static or extern entry says the MAC is elsewhere
	RefusedLimit                 // limit of the bridge domain reached
	RefusedFull                  // table full, or no room near the entry's home
	RefusedFrozen                // it moved too often, and stays where it is
)

// String is the outcome in a few words.
func (o Outcome) String() string {
	names := [...]string{"fresh", "refreshed", "added", "moved", "refused: static", "refused: limit", "refused: full", "refused: frozen"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}

// Refused tells outcomes that left the table as it was although the MAC is not known at this destination.
func (o Outcome) Refused() bool { return o >= RefusedStatic }

// Learn notes that k was seen at d in second now of the caller's monotonic clock. A hit with nothing changed writes
// nothing but its timestamp, and that once a second, without a lock. A static or extern entry at d is Fresh, and so
// is the zero key, which is not learned.
func (t *Table) Learn(k Key, d Dest, now uint32) Outcome {
	h := t.hash(k)
	b, slot, word := t.find(k, h)
	if b == nil {
		if k == 0 {
			return Fresh
		}
		return t.learnLocked(k, h, d&destMask, now)
	}
	v := Value(word & valueMask)
	switch {
	case v.Fresh(d, now):
		return Fresh
	case v.Dest() == d&destMask:
		return refresh(b, slot, word, now)
	case v.Kind() == Learned:
		if t.frozen(k, h, now) {
			return RefusedFrozen
		}
		return t.learnLocked(k, h, d&destMask, now)
	}
	t.shardOf(h).static.Add(1)
	t.domains[k.Domain()].static.Add(1)
	return RefusedStatic
}

// refresh sets the timestamp if nobody changed the word since it was read. Should the slot meanwhile have got another key
// with the very same value, that one is refreshed: a second too early, which harms nobody.
func refresh(b *bucket, slot int, word uint64, now uint32) Outcome {
	if b.val[slot].CompareAndSwap(word, word&(1<<seenShift-1)|uint64(now)<<seenShift) {
		return Refreshed
	}
	return Fresh
}

// learnLocked does the rest of Learn for a key that is new or elsewhere, looking again under the lock.
func (t *Table) learnLocked(k Key, h uint64, d Dest, now uint32) Outcome {
	s := t.shardOf(h)
	s.mu.Lock()
	o := t.learnIn(s, k, h, d, now)
	s.mu.Unlock()
	return o
}

func (t *Table) learnIn(s *shard, k Key, h uint64, d Dest, now uint32) Outcome {
	b, slot, word, _ := t.probe(s, k, h)
	if b == nil {
		return t.create(s, k, h, makeValue(d, Learned, now))
	}
	v := Value(word & valueMask)
	switch {
	case v.Dest() == d:
		return Fresh // another worker was faster
	case v.Kind() != Learned:
		s.static.Add(1)
		t.domains[k.Domain()].static.Add(1)
		return RefusedStatic
	case t.frozen(k, h, now):
		return RefusedFrozen // by a move of another worker
	}
	b.setValue(slot, makeValue(d, Learned, now))
	t.moved(s, k, h, v.Dest(), d, now)
	return Moved
}

// create inserts k, which is not there, if the limits allow it. The lock of s is held.
func (t *Table) create(s *shard, k Key, h uint64, v Value) Outcome {
	domain := &t.domains[k.Domain()]
	if t.total.Add(1) > t.maxEntries {
		t.total.Add(-1)
		s.full.Add(1)
		domain.full.Add(1)
		return RefusedFull
	}
	if !domain.admit(v.Kind() == Learned) {
		t.total.Add(-1)
		s.limit.Add(1)
		domain.bounded.Add(1)
		return RefusedLimit
	}
	if !t.insert(s, k, h, v) {
		domain.live.Add(-1)
		t.total.Add(-1)
		s.full.Add(1)
		domain.full.Add(1)
		return RefusedFull
	}
	return Added
}
