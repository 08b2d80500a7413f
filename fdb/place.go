package fdb

// The only three ways a key word changes, all under the shard's lock: insert into a free slot, remove, and relocate, which
// puts an entry into another bucket while readers look on. The order of the stores is the protocol of fdb.go.

// near is how many buckets of a window an insert prefers so much that it moves another entry to get in: the fewer lines,
// the less a look-up waits.
const near = 2

// insert puts k, which is not in the table, as near its home as can be, and lets the shard grow a little when it is time
// to. False means that its window is full and none of the entries there can go elsewhere.
func (t *Table) insert(s *shard, k Key, h uint64, v Value) bool {
	t.growStep(s, insertQuota)
	home := t.geometry(s).home(position(h))
	i, slot := t.room(s, home, nowhere)
	if slot < 0 {
		return false
	}
	t.bucket(s, home).raiseReach(i)
	t.fill(s, home+offset(i), slot, k, v)
	s.live++
	if s.live > loadLimit(t.geometry(s).buckets()) {
		t.startGrowth(s)
	}
	return true
}

// fill writes an entry into a free slot that its home's reach covers already.
func (t *Table) fill(s *shard, at uint64, slot int, k Key, v Value) {
	b := t.bucket(s, at)
	t.version.Add(1)
	b.setValue(slot, v)
	b.key[slot].Store(uint64(k))
}

// nowhere is the home of no entry.
const nowhere = ^uint64(0)

// room finds a free slot for an entry with the given home, in the i-th bucket of its window, or makes one. Entries whose
// home is fixed are not moved. slot is -1 if there is none.
func (t *Table) room(s *shard, home, fixed uint64) (i uint64, slot int) {
	for i = range uint64(near) {
		if slot = t.bucket(s, home+offset(i)).free(); slot >= 0 {
			return i, slot
		}
	}
	if i, slot = t.makeRoom(s, home, near, fixed); slot >= 0 {
		return i, slot
	}
	for i = near; i < window; i++ {
		if slot = t.bucket(s, home+offset(i)).free(); slot >= 0 {
			return i, slot
		}
	}
	return t.makeRoom(s, home, window, fixed)
}

// makeRoom moves one entry out of the first n buckets of a window to a free slot in the first n of its own. It leaves the
// reach of that entry's home alone, which may already be raised for copies that growth is about to make valid.
func (t *Table) makeRoom(s *shard, home, n, fixed uint64) (i uint64, slot int) {
	for i = range n {
		at := home + offset(i)
		for slot = range slots {
			own := t.homeOf(s, Key(t.bucket(s, at).key[slot].Load()))
			if own == fixed {
				continue
			}
			for d := range n {
				if free := t.bucket(s, own+offset(d)).free(); free >= 0 {
					t.bucket(s, own).raiseReach(d)
					t.relocate(s, at, slot, own+offset(d), free)
					return i, slot
				}
			}
		}
	}
	return 0, -1
}

// remove takes the entry in a slot of bucket at out and counts it off. What stood further behind only because this bucket
// was full then comes home, and the slot it leaves is treated alike, so that deletions leave no displacement behind.
func (t *Table) remove(s *shard, at uint64, slot int) {
	b := t.bucket(s, at)
	k := Key(b.key[slot].Load())
	b.key[slot].Store(0)
	s.live--
	t.total.Add(-1)
	t.domains[k.Domain()].live.Add(-1)
	if home := t.homeOf(s, k); home != at {
		t.lowerReach(s, home)
	}
	for range window { // each turn is further from the start, so this is only a bound
		t.lowerReach(s, at)
		i, fromSlot := t.farthest(s, at)
		if i == 0 {
			return
		}
		from := at + offset(i)
		t.relocate(s, from, fromSlot, at, slot)
		t.lowerReach(s, at)
		at, slot = from, fromSlot
	}
}

// relocate moves an entry into a free slot that its home's reach covers, copy first.
func (t *Table) relocate(s *shard, from uint64, fromSlot int, to uint64, slot int) {
	src := t.bucket(s, from)
	t.fill(s, to, slot, Key(src.key[fromSlot].Load()), src.value(fromSlot))
	t.version.Add(1)
	src.key[fromSlot].Store(0)
}

// farthest finds the entry with home j that stands last in its window, in the i-th bucket; i is 0 if none is displaced.
func (t *Table) farthest(s *shard, j uint64) (i uint64, slot int) {
	for i = t.bucket(s, j).reach(); i > 0; i-- {
		b := t.bucket(s, j+offset(i))
		for slot := range slots {
			if k := Key(b.key[slot].Load()); k != 0 && t.homeOf(s, k) == j {
				return i, slot
			}
		}
	}
	return 0, 0
}

// lowerReach sets the reach of bucket j to what its entries need.
func (t *Table) lowerReach(s *shard, j uint64) {
	b := t.bucket(s, j)
	if old := b.reach(); old > 0 {
		if i, _ := t.farthest(s, j); i != old {
			b.setReach(i)
		}
	}
}

func (t *Table) homeOf(s *shard, k Key) uint64 {
	return t.geometry(s).home(position(t.hash(k)))
}
