package fdb

import "math/bits"

// A look-up: hash -> shard and home bucket -> the four keys of one line -> the value beside the key -> version unchanged.
// In a batch each step is done for a stage of keys before the next, so that the cache misses overlap. Keys that are not at home wait
// for their further lines while the next stages are worked on.

// stage is how many keys of a batch are on their way at once. The core waits for memory once in a stage, so it is more than
// the misses that a core can have in flight.
const stage = 64

// group is how many lines are asked for by one call, which is cheap but not free; stage is a multiple of it.
const group = 8

// ahead is how many further buckets are asked for at once for a key that is not at home: few keys stand behind those.
const ahead = 4

// most is how many stragglers wait for their lines at a time: those of several stages, so that a batch waits once for all.
const most = 2 * stage

// staged is what a stage keeps of its keys between its steps, and the stragglers of all stages so far.
type staged struct {
	home  [stage]*bucket
	again [most]straggler
	late  [most]uint32 // keys of the stragglers
	n     int          // stragglers
}

// straggler is a key that is not in its home bucket and may stand further on.
type straggler struct {
	key   uint32 // its index in the batch
	reach uint32 // of its home bucket
	home  uint64 // index of that bucket
}

// maxTries bounds the look-ups that a stream of inserts can spoil before one takes the lock, and batchTries the stages
// before their keys are looked up one by one.
const (
	maxTries   = 64
	batchTries = 4
)

// Lookup is the value of k, or 0. Takes no lock (see maxTries) and touches one cache line of the table on a hit.
func (t *Table) Lookup(k Key) Value {
	_, _, word := t.find(k, t.hash(k))
	return Value(word & valueMask)
}

// LookupBatch sets out[i] to the value of keys[i], 0 where it is not found or the key is zero. Keys beyond the length
// of out are not looked up. Each value is as Lookup would have returned it during the call.
func (t *Table) LookupBatch(keys []Key, out []Value) {
	keys = keys[:min(len(keys), len(out))]
	out = out[:len(keys)]
	var st staged
	version := t.version.Load() // in which the stragglers were not at home
	for at := 0; at < len(keys); at += stage {
		n := min(stage, len(keys)-at)
		for tries := 1; st.n > most-stage || !t.lookupStage(keys, out, at, n, &st, version); tries++ {
			t.finish(keys, out, &st, version)
			version = t.version.Load()
			if tries > batchTries {
				t.lookupEach(keys[at:at+n], out[at:])
				break
			}
		}
	}
	t.finish(keys, out, &st, version)
}

func (t *Table) lookupEach(keys []Key, out []Value) {
	for i, k := range keys {
		out[i] = t.Lookup(k)
	}
}

// lookupStage looks n keys up, at most stage, from keys[at] on, all but those that are not at home and are noted as stragglers.
// It reports false when an insert has come since version.
func (t *Table) lookupStage(keys []Key, out []Value, at, n int, st *staged, version uint64) bool {
	part := keys[at : at+n]
	var missed uint64
	if hasFast {
		askFast(t, &part[0], &st.home[0], n)
		missed = matchFast(&part[0], &st.home[0], &out[at], n)
	} else {
		t.ask(part, st)
		missed = match(part, out[at:], st)
	}
	noted := st.n
	if missed != 0 {
		t.note(keys, at, missed, st)
	}
	if t.version.Load() != version {
		st.n = noted
		return false
	}
	return true
}

// ask finds the home buckets of the keys and prefetches them, a group at a time.
func (t *Table) ask(keys []Key, st *staged) {
	for i, k := range keys {
		h := t.hash(k)
		shard := h & t.shardMask
		g := geometry(t.geo[shard&(largestShards-1)].Load())
		st.home[i&(stage-1)] = &t.buckets[t.bucketIndex(shard, g.home(position(h)))]
		if i%group == group-1 {
			prefetch((*[group]*bucket)(st.home[i&(stage-group):]))
		}
	}
}

// match looks for each key in its home bucket, which is mostly the end of it. It returns a bit for each that is not there.
func match(keys []Key, out []Value, st *staged) (missed uint64) {
	home := st.home[:len(keys)]
	out = out[:len(keys)]
	for i, k := range keys {
		b := home[i]
		slot := b.slotOf(k)
		if b.holds(slot, k) && k != 0 {
			out[i] = b.value(slot)
			continue
		}
		out[i] = 0
		missed |= 1 << (i & 63)
	}
	return missed
}

// note makes stragglers of those of the missed keys that may stand in further buckets, and asks for the lines of these.
func (t *Table) note(keys []Key, at int, missed uint64, st *staged) {
	for ; missed != 0; missed &= missed - 1 {
		i := bits.TrailingZeros64(missed)
		b := st.home[i]
		if r := b.reach(); r > 0 && keys[at+i] != 0 {
			s := &st.again[st.n&(most-1)]
			s.key, s.reach, s.home = uint32(at+i), uint32(r), t.indexOf(b)
			st.late[st.n&(most-1)] = s.key
			t.askFurther(s, 1, min(s.reach, ahead))
			st.n++
		}
	}
}

// finish looks the stragglers up, one by one where an insert has come since version.
func (t *Table) finish(keys []Key, out []Value, st *staged, version uint64) {
	if st.n == 0 {
		return
	}
	t.matchFurther(keys, out, st.again[:st.n])
	if t.version.Load() != version {
		for _, i := range st.late[:st.n] {
			out[i] = t.Lookup(keys[i])
		}
	}
	st.n = 0
}

// matchFurther looks for stragglers in the further buckets of their windows, a round for each.
func (t *Table) matchFurther(keys []Key, out []Value, again []straggler) {
	for round := uint32(1); len(again) > 0; round++ {
		left := 0
		for _, s := range again {
			b, k := t.further(&s, round), keys[s.key]
			slot := b.slotOf(k)
			if b.holds(slot, k) {
				out[s.key] = b.value(slot)
				continue
			}
			if round < s.reach {
				if round >= ahead {
					t.askFurther(&s, round+1, round+1)
				}
				again[left] = s
				left++
			}
		}
		again = again[:left]
	}
}

// askFurther prefetches some buckets, at most ahead, in the window of a straggler.
func (t *Table) askFurther(s *straggler, from, to uint32) {
	var lines [group]*bucket
	for i := range lines {
		lines[i] = t.further(s, min(from+uint32(i), to))
	}
	prefetch(&lines)
}

// further is the i-th bucket in the window of a straggler.
func (t *Table) further(s *straggler, i uint32) *bucket {
	return &t.buckets[s.home+offset(uint64(i))<<(t.shardBits&63)]
}

// find returns the bucket and slot of k and the value word as it stands there, or nil. Without the shard's lock the place
// is where k was during the call.
func (t *Table) find(k Key, h uint64) (*bucket, int, uint64) {
	if k == 0 {
		return nil, 0, 0
	}
	s := t.shardOf(h)
	for range maxTries {
		version := t.version.Load()
		b, slot, word, _ := t.probe(s, k, h)
		if t.version.Load() == version {
			return b, slot, word
		}
	}
	s.mu.Lock()
	b, slot, word, _ := t.probe(s, k, h)
	s.mu.Unlock()
	return b, slot, word
}

// probe looks once, home first. It is exact under the shard's lock or while the version stands still. at is the bucket's
// number in the shard.
func (t *Table) probe(s *shard, k Key, h uint64) (b *bucket, slot int, word, at uint64) {
	home := t.geometry(s).home(position(h))
	b = t.bucket(s, home)
	if slot := b.slotOf(k); b.holds(slot, k) {
		return b, slot, b.val[slot].Load(), home
	}
	for i, reach := uint64(1), b.reach(); i <= reach; i++ {
		at = home + offset(i)
		b = t.bucket(s, at)
		if slot := b.slotOf(k); b.holds(slot, k) {
			return b, slot, b.val[slot].Load(), at
		}
	}
	return nil, 0, 0, 0
}
