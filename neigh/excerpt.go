package neigh

// Excerpt returns a table of its own that knows of some addresses what t knows, and has as much room left. What Learn would do in t
// can be tried in it: t stays as it is. Not for workers.
func (t *Table) Excerpt(keys ...Key) *Table {
	x := New(NewBudget(int(max(t.budget.left.Load(), 0))), 0, t.ageing.Load())
	x.limit.Store(t.limit.Load())
	for _, k := range keys {
		if s, _, _ := x.find(k); s != nil {
			continue
		}
		if s, place, info := t.find(k); s != nil {
			x.free(*x.slots.Load(), k).put(k, place&macMask, info)
			x.live.Add(1)
		}
	}
	t.mu.Lock()
	x.learned, x.closed = t.learned, t.closed
	t.mu.Unlock()
	return x
}
