package neigh

// What the control side does: enter, remove, walk, age, grow. None of it is for workers.

// Set makes k's entry what e says, whatever was there; with only, ErrExists if there is one that counts in second e.Seen. The
// limits do not bind static and extern entries, so that a storm of claims cannot shut the operator out, and a learned one is
// refused by none of them either: somebody has asked for it by name.
func (t *Table) Set(k Key, e Entry, only bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	s, _, info := t.find(k)
	if s != nil {
		if only && !t.old(info, e.Seen) {
			return ErrExists
		}
		t.clear(s)
	}
	for s = t.free(*t.slots.Load(), k); s == nil; s = t.free(*t.slots.Load(), k) {
		t.grow()
	}
	s.put(k, e.MAC, makeInfo(e))
	t.live.Add(1)
	if e.Kind == Learned {
		t.learned++
		t.budget.left.Add(-1)
	}
	return nil
}

// Delete removes k's entry.
func (t *Table) Delete(k Key) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, _, _ := t.find(k)
	if s == nil {
		return ErrNotFound
	}
	t.clear(s)
	return nil
}

// DeleteIf removes k's entry if it is what e says, but for the time.
func (t *Table) DeleteIf(k Key, e Entry) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s, place, info := t.find(k)
	if s == nil {
		return false
	}
	now := makeEntry(place, info)
	if now.Seen = e.Seen; now != e {
		return false
	}
	t.clear(s)
	return true
}

// walk is how many slots are looked at under one lock.
const walk = 256

// Range calls f for each entry that counts in second now, without a lock held. An entry that comes, goes or changes meanwhile may
// be missed, or be what it was.
func (t *Table) Range(now uint32, f func(Key, Entry)) {
	type found struct {
		k Key
		e Entry
	}
	var run []found
	slots := *t.slots.Load()
	for i := 0; i < len(slots); i += walk {
		run = run[:0]
		t.mu.Lock()
		for j := i; j < min(i+walk, len(slots)); j++ {
			s := &slots[j]
			if info := s.info.Load(); info != 0 && !t.old(info, now) {
				run = append(run, found{s.key(), makeEntry(s.place.Load(), info)})
			}
		}
		t.mu.Unlock()
		for _, one := range run {
			f(one.k, one.e)
		}
	}
}

// Age removes the entries that count no more in second now, and has the table grow where something found no room.
func (t *Table) Age(now uint32) (removed int) {
	slots := *t.slots.Load()
	for i := 0; i < len(slots); i += walk {
		t.mu.Lock()
		if len(*t.slots.Load()) != len(slots) {
			t.mu.Unlock()
			return removed // the rest next time
		}
		for j := i; j < min(i+walk, len(slots)); j++ {
			if s := &slots[j]; t.old(s.info.Load(), now) {
				t.clear(s)
				removed++
			}
		}
		t.mu.Unlock()
	}
	t.Counts.Aged.Add(uint64(removed))
	return removed
}

// Grow makes room where something found none since the last call.
func (t *Table) Grow() {
	if !t.narrow.Load() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.narrow.Store(false)
	if !t.closed {
		t.grow()
	}
}

// grow makes the array longer. Readers that still have the old one find in it what there was. The lock is held.
func (t *Table) grow() {
	old := *t.slots.Load()
	for size := len(old) * growth; ; size *= growth {
		next := make([]slot, size)
		if t.copyTo(next, old) {
			t.slots.Store(&next)
			return
		}
	}
}

func (t *Table) copyTo(next, old []slot) bool {
	for i := range old {
		o := &old[i]
		info := o.info.Load()
		if info == 0 {
			continue
		}
		k := o.key()
		s := t.free(next, k)
		if s == nil {
			return false
		}
		s.put(k, o.place.Load()&macMask, info)
	}
	return true
}
