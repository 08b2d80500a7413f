package fdb

// Walking the table: a cursor goes through the positions of each shard, not its buckets. An entry's position never changes,
// whatever growth and deletions do to its bucket, so a walk meets every entry that was there throughout exactly once.

// runWalk is how many buckets are copied out under a shard's lock at a time: few enough that no writer waits long.
const runWalk = 64

type entry struct {
	key   Key
	value Value
}

// cursor is the next position to visit; the zero value starts a walk.
type cursor struct {
	shard int
	pos   uint64
}

// next copies out the entries of the next run of buckets and moves the cursor behind them, to its zero value after the
// last. It returns buf[:0] extended and the number of buckets.
func (t *Table) next(c *cursor, buf []entry) (entries []entry, buckets int) {
	s := &t.shards[c.shard]
	s.mu.Lock()
	g := t.geometry(s)
	size, stop := g.buckets(), g.frontier()
	if c.pos*size>>32 >= stop {
		size, stop = stretched(size), stretched(size)
	}
	first := c.pos * size >> 32
	end := min(first+runWalk, stop)
	from, to := c.pos, firstPos(end, size)
	entries = buf[:0]
	for j, last := first, first; j <= last; j++ {
		b := t.bucket(s, j)
		if j < end {
			last = max(last, j+offset(b.reach()), end-1)
		}
		for slot := range slots {
			k := Key(b.key[slot].Load())
			if k == 0 {
				continue
			}
			if pos := position(t.hash(k)); pos >= from && pos < to {
				entries = append(entries, entry{k, b.value(slot)})
			}
		}
	}
	s.mu.Unlock()
	c.pos = to
	if to >= 1<<32 {
		c.shard, c.pos = (c.shard+1)%len(t.shards), 0
	}
	return entries, int(end - first)
}

// Range calls fn for each entry until it returns false. What was there throughout is visited once, what came or went
// meanwhile once or not at all; the value is one that the key had during the walk. No lock is held in fn, which may
// call any method.
func (t *Table) Range(fn func(Key, Value) bool) {
	var at cursor
	var entries []entry
	for {
		entries, _ = t.next(&at, entries)
		for _, e := range entries {
			if !fn(e.key, e.value) {
				return
			}
		}
		if at == (cursor{}) {
			return
		}
	}
}

// FlushIf removes the entries that match accepts and returns their number. An entry that changes its destination or kind
// after match saw it stays. Not for workers; match may call any method.
func (t *Table) FlushIf(match func(Key, Value) bool) int {
	removed := 0
	t.Range(func(k Key, v Value) bool {
		if match(k, v) && t.drop(entry{k, v}, 1<<seenShift-1) {
			removed++
		}
		return true
	})
	return removed
}

// AgeStep looks through the next budget buckets (Stats says how many there are) and removes the learned entries of a
// domain that were not seen for expire(domain) seconds; 0 seconds mean never. now is the second on the clock of
// Learn. It goes on where the last call stopped and returns at the end of the table even if budget is left. It returns
// the number of entries removed. Not for workers; expire may call any method but AgeStep.
func (t *Table) AgeStep(budget int, now uint32, expire func(domain uint16) (seconds uint32)) (removed int) {
	t.age.mu.Lock()
	defer t.age.mu.Unlock()
	for budget > 0 {
		entries, buckets := t.next(&t.age.at, t.age.buf)
		for _, e := range entries {
			if e.value.Kind() != Learned {
				continue
			}
			limit := expire(e.key.Domain())
			if limit > 0 && e.value.age(now) >= limit && t.drop(e, ^Value(0)) {
				t.shardOf(t.hash(e.key)).aged.Add(1)
				t.domains[e.key.Domain()].aged.Add(1)
				removed++
			}
		}
		t.age.buf = entries
		budget -= buckets
		if t.age.at == (cursor{}) {
			break
		}
	}
	return removed
}
