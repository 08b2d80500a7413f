package fdb

// Growth of one shard, under its lock: the load limit is passed -> the frontier leaves its resting place at the end ->
// each insert takes it down a few buckets -> at zero the stretched size is the size.
//
// The entries whose home is the bucket below the frontier are copied to their new homes, which lie at or above the old
// one; then the frontier is lowered, and then the originals are cleared. A reader with the old frontier finds the
// originals or sees that the version changed; one with the new frontier finds the copies.

// insertQuota is the number of buckets per insert: growth is over after half of the inserts until it is due again.
const insertQuota = 4

// loadLimit is the number of entries in n buckets beyond which they grow: 7/10 of the slots, so 22.9 to 25.7 bytes an entry.
// More would save memory and put more entries outside their home buckets, each a second line to wait for.
func loadLimit(n uint64) int { return int(n * slots * 7 / 10) }

// startGrowth moves the frontier off its resting place by one bucket, unless growth is under way or the shard has the
// size that was reserved for it.
func (t *Table) startGrowth(s *shard) {
	if g := t.geometry(s); g.resting() && stretched(g.buckets()) <= t.maxBuckets {
		t.stretchBucket(s, g)
	}
}

// growStep takes a frontier that is under way down by at most quota buckets.
func (t *Table) growStep(s *shard, quota int) {
	for range quota {
		g := t.geometry(s)
		if g.resting() || !t.stretchBucket(s, g) {
			return
		}
	}
}

// place is a slot of a bucket of the shard at hand.
type place struct {
	at   uint64
	slot int
}

// stretchBucket lowers the frontier of g by one bucket. It reports false, with nothing changed, when some entry finds no
// room within the window of its new home; the next insert tries again.
func (t *Table) stretchBucket(s *shard, g geometry) bool {
	var from, to [slots * window]place
	n, home := 0, g.frontier()-1
	reach := t.bucket(s, home).reach()
	for i := range reach + 1 {
		at := home + offset(i)
		b := t.bucket(s, at)
		for slot := range slots {
			k := Key(b.key[slot].Load())
			if k == 0 {
				continue
			}
			pos := position(t.hash(k))
			if pos*g.buckets()>>32 != home {
				continue
			}
			p := t.copyTo(s, pos*stretched(g.buckets())>>32, at, slot, home)
			if p.slot < 0 || n == len(to) {
				t.clear(s, to[:n])
				return false
			}
			if p.at != at {
				from[n], to[n] = place{at, slot}, p
				n++
			}
		}
	}
	next := makeGeometry(g.buckets(), home)
	if home == 0 {
		next = makeGeometry(stretched(g.buckets()), stretched(g.buckets()))
	}
	t.setGeometry(s, next)
	t.version.Add(1)
	t.clear(s, from[:n])
	t.lowerReach(s, home)
	return true
}

// copyTo copies the entry in a slot of bucket at as near to its new home as can be, or leaves it where it is if that is
// near. Entries of the old home stay where they are. The slot of the answer is -1 if there is no room.
func (t *Table) copyTo(s *shard, home, at uint64, slot int, old uint64) place {
	for i := range uint64(near) {
		if home+offset(i) == at {
			t.bucket(s, home).raiseReach(i)
			return place{at, slot}
		}
	}
	i, free := t.room(s, home, old)
	if free < 0 {
		return place{slot: -1}
	}
	to, src := home+offset(i), t.bucket(s, at)
	t.bucket(s, home).raiseReach(i)
	if to == at {
		return place{at, slot} // a key never stands twice in one bucket: see slotOf
	}
	t.fill(s, to, free, Key(src.key[slot].Load()), src.value(slot))
	return place{to, free}
}

func (t *Table) clear(s *shard, places []place) {
	for _, p := range places {
		t.bucket(s, p.at).key[p.slot].Store(0)
	}
}
