package neigh

// Learning: find -> nothing new (nearly always) -> replace the word of time and router once a second -> else, under the lock: move,
// or check the limits and enter.

// Claim is what was seen of an address.
type Claim struct {
	MAC   uint64
	Enter bool // may make an entry
	Move  bool // and take one from another MAC address
	// Router is whether it is a router, if Sure says that that is known; else what was known before stays.
	Router, Sure bool
}

// merge is info after a claim of the same MAC address in second now.
func (c *Claim) merge(info uint64, now uint32) uint64 {
	if c.Sure {
		info = info&^routerFlag | sureFlag
		if c.Router {
			info |= routerFlag
		}
	}
	return info&(1<<seenShift-1) | uint64(now)<<seenShift
}

// Outcome says what Learn did.
type Outcome uint8

// The outcomes.
const (
	Nothing       Outcome = iota // nothing new, or the claim is too weak
	Refreshed                    // seen now
	Added                        // new entry
	Moved                        // at another MAC address now
	RefusedStatic                // a static or extern entry has it elsewhere
	RefusedLimit                 // of this table, or of all
	RefusedRoom                  // until the table has grown
)

// Learn notes what was seen of k in second now. A claim that changes nothing writes nothing but the time, once a second, and takes
// no lock. It never allocates.
func (t *Table) Learn(k Key, c Claim, now uint32) Outcome {
	s, place, info := t.find(k)
	if s != nil {
		same := place&macMask == c.MAC
		switch {
		case Kind(info&kindMask) != Learned && same:
			return Nothing
		case Kind(info&kindMask) != Learned:
			t.Counts.RefusedStatic.Add(1)
			return RefusedStatic
		case same:
			next := c.merge(info, now)
			// Should the slot have got another entry with the very same word, that one is refreshed: too early, which harms nobody.
			if next != info && s.info.CompareAndSwap(info, next) {
				return Refreshed
			}
			return Nothing
		case !c.Move && !t.old(info, now):
			return Nothing
		}
	}
	if !c.Enter {
		return Nothing
	}
	t.mu.Lock()
	o := t.learn(k, &c, now)
	t.mu.Unlock()
	return o
}

// learn does the rest for an address that is new or elsewhere, looking again under the lock.
func (t *Table) learn(k Key, c *Claim, now uint32) Outcome {
	e := Entry{MAC: c.MAC, Kind: Learned, Router: c.Router && c.Sure, Sure: c.Sure, Seen: now}
	if s, place, info := t.find(k); s != nil {
		if Kind(info&kindMask) != Learned || place&macMask == c.MAC || !c.Move && !t.old(info, now) {
			return Nothing // somebody was faster
		}
		s.put(k, e.MAC, makeInfo(e))
		t.Counts.Moved.Add(1)
		return Moved
	}
	if t.closed {
		return Nothing
	}
	if limit := t.limit.Load(); limit > 0 && t.learned >= int(limit) || !t.budget.take() {
		t.Counts.RefusedLimit.Add(1)
		return RefusedLimit
	}
	slots := *t.slots.Load()
	s := t.free(slots, k)
	if int(t.live.Load())*2 >= len(slots) {
		t.narrow.Store(true) // in time, and half full at most
	}
	if s == nil {
		t.narrow.Store(true)
		t.budget.left.Add(1)
		t.Counts.RefusedRoom.Add(1)
		return RefusedRoom
	}
	s.put(k, e.MAC, makeInfo(e))
	t.live.Add(1)
	t.learned++
	t.Counts.Added.Add(1)
	return Added
}

// old says whether a learned entry counts no more, whether or not Age has found it.
func (t *Table) old(info uint64, now uint32) bool {
	ageing := t.ageing.Load()
	return ageing > 0 && Kind(info&kindMask) == Learned && age(info, now) >= ageing
}

// age is the time in seconds since an entry was seen; one that another worker saw in a later second has 0.
func age(info uint64, now uint32) uint32 {
	if d := int32(now - uint32(info>>seenShift)); d > 0 {
		return uint32(d)
	}
	return 0
}

// Lookup returns what is known of k in second now. It takes no lock.
func (t *Table) Lookup(k Key, now uint32) (Entry, bool) {
	s, place, info := t.find(k)
	if s == nil || t.old(info, now) {
		return Entry{}, false
	}
	return makeEntry(place, info), true
}
