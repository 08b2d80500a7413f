package fdb

// A look-up: hash -> shard and home bucket -> the four keys of one line -> the value beside the key -> version unchanged.
// In a batch each step is done for all keys before the next, so that the cache misses overlap.

// stage is how many keys of a batch are on their way at once. The core waits for memory once in a stage, so it is more than
// the misses that a core can have in flight.
const stage = 64

// ahead is how many further buckets are asked for at once for a key that is not at home: few keys stand behind those.
const ahead = 4

// staged is what compare needs to know of the keys whose lines were asked for.
type staged struct {
	home    [stage]uint32
	version [stage]uint64
	again   [stage]uint32 // keys that are not in their home bucket and may stand further on
}

// maxTries bounds the look-ups that a stream of inserts into the same shard can spoil before one takes the lock.
const maxTries = 64

// Lookup is the value of k, or 0. Takes no lock (see maxTries) and touches one cache line of the table on a hit.
func (t *Table) Lookup(k Key) Value {
	_, _, word := t.find(k, t.hash(k))
	return Value(word & valueMask)
}

// LookupBatch sets out[i] to the value of keys[i], 0 where it is not found or the key is zero. Keys beyond the length
// of out are not looked up. Each value is as Lookup would have returned it during the call.
func (t *Table) LookupBatch(keys []Key, out []Value) {
	keys = keys[:min(len(keys), len(out))]
	var st staged
	for len(keys) > 0 {
		n := min(stage, len(keys))
		t.ask(keys[:n], &st)
		t.compare(keys[:n], out[:n], &st)
		keys, out = keys[n:], out[n:]
	}
}

// ask finds the home buckets of at most stage keys and prefetches them.
func (t *Table) ask(keys []Key, st *staged) {
	const group = 8 // calls are cheap but not free
	for i, k := range keys {
		h := t.hash(k)
		s := t.shardOf(h)
		st.version[i&(stage-1)] = s.version.Load()
		st.home[i&(stage-1)] = uint32(t.bucketIndex(h&t.shardMask, geometry(s.geo.Load()).home(position(h))))
		if i%group == group-1 {
			prefetch(&t.buckets[0], &st.home[(i-group+1)&(stage-1)], group)
		}
	}
	if rest := len(keys) % group; rest > 0 {
		prefetch(&t.buckets[0], &st.home[(len(keys)-rest)&(stage-1)], rest)
	}
}

// compare looks for each key in its home bucket, which is mostly the end of it, and asks for the next line of the others.
func (t *Table) compare(keys []Key, out []Value, st *staged) {
	n := 0
	for i, k := range keys {
		b := &t.buckets[st.home[i&(stage-1)]]
		slot := b.slotOf(k)
		ok := b.holds(slot, k)
		word, reach := b.val[slot].Load(), uint64(0)
		if !ok {
			word, reach = 0, b.reach()
		}
		if k == 0 {
			word, reach = 0, 0
		}
		out[i] = Value(word & valueMask)
		if reach > 0 {
			t.askFurther(st.home[i&(stage-1)], 1, min(reach, ahead))
			st.again[n&(stage-1)] = uint32(i)
			n++
		} else if !t.unchanged(st, i) {
			out[i] = t.Lookup(k)
		}
	}
	if n > 0 {
		t.compareFurther(keys, out, st, n)
	}
}

// compareFurther looks for the first n keys of st.again in the further buckets of their windows, a round for each.
func (t *Table) compareFurther(keys []Key, out []Value, st *staged, n int) {
	for round := uint64(1); n > 0; round++ {
		left := 0
		for _, i := range st.again[:n] {
			home := st.home[i&(stage-1)]
			b := &t.buckets[t.further(home, round)]
			slot := b.slotOf(keys[i])
			ok := b.holds(slot, keys[i])
			if !ok && round < t.buckets[home].reach() {
				if round >= ahead {
					t.askFurther(home, round+1, round+1)
				}
				st.again[left&(stage-1)] = i
				left++
				continue
			}
			if ok {
				out[i] = Value(b.val[slot].Load() & valueMask)
			}
			if !t.unchanged(st, int(i)) {
				out[i] = t.Lookup(keys[i])
			}
		}
		n = left
	}
}

// askFurther prefetches some buckets, at most ahead, in the window of a home bucket.
func (t *Table) askFurther(home uint32, from, to uint64) {
	var index [ahead]uint32
	for i := from; i <= to; i++ {
		index[(i-from)%ahead] = t.further(home, i)
	}
	prefetch(&t.buckets[0], &index[0], int(to-from+1))
}

// further is the index of the i-th bucket in the window of the home bucket with the given index.
func (t *Table) further(home uint32, i uint64) uint32 {
	j := uint64(home)
	at := j>>((runBits+t.shardBits)&63)<<runBits | j&(runLen-1)
	return uint32(t.bucketIndex(j>>runBits&t.shardMask, at+offset(i)))
}

// unchanged tells whether key i was looked for in one version of its shard.
func (t *Table) unchanged(st *staged, i int) bool {
	s := &t.shards[uint64(st.home[i&(stage-1)])>>runBits&t.shardMask]
	return s.version.Load() == st.version[i&(stage-1)]
}

// find returns the bucket and slot of k and the value word as it stands there, or nil. Without the shard's lock the place
// is where k was during the call.
func (t *Table) find(k Key, h uint64) (*bucket, int, uint64) {
	if k == 0 {
		return nil, 0, 0
	}
	s := t.shardOf(h)
	for range maxTries {
		version := s.version.Load()
		b, slot, word, _ := t.probe(s, k, h)
		if s.version.Load() == version {
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
	home := geometry(s.geo.Load()).home(position(h))
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
