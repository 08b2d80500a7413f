package fdb

// Excerpt returns a table of its own, on the heap, that knows of some keys what t knows: their entries, what limits their bridge
// domains and how full those are, and of the first one how often it has moved. Learn of that one does in it what it would do in t, which
// stays as it is.
// Not for workers; any other goroutine. The counters of Stats begin at 0.
func (t *Table) Excerpt(keys ...Key) (*Table, error) {
	x, err := New(Config{MaxEntries: slots * firstBuckets / 2, Shards: 1, Heap: true})
	if err != nil {
		return nil, err
	}
	x.seed, x.maxEntries = t.seed, t.maxEntries
	s := &x.shards[0]
	for i, k := range keys {
		if k == 0 || x.Lookup(k).Found() {
			continue
		}
		h := t.hash(k)
		if v := t.Lookup(k); v.Found() {
			x.insert(s, k, h, v)
		}
		from, to := &t.domains[k.Domain()], &x.domains[k.Domain()]
		to.live.Store(from.live.Load())
		to.limit.Store(from.limit.Load())
		to.moves.Store(from.moves.Load())
		if i == 0 { // sets of two shards may have one place here
			t.copyMovers(x, h)
		}
	}
	x.total.Store(t.total.Load())
	return x, nil
}

// copyMovers copies the set of those that move with hash h.
func (t *Table) copyMovers(x *Table, h uint64) {
	s := t.shardOf(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	from := t.set(h)
	if from == nil {
		return
	}
	if x.moving[0].movers.Load() == nil {
		x.moving[0].movers.Store(new(movers))
	}
	to := x.set(h)
	for i := range from {
		f, t := &from[i], &to[i]
		t.key.Store(f.key.Load())
		t.until.Store(f.until.Load())
		t.first, t.last, t.count = f.first, f.last, f.count
	}
}
