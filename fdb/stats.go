package fdb

// Stats is a snapshot of the table's counters, each exact but not all of one instant.
type Stats struct {
	Entries    int
	MaxEntries int
	Buckets    int // in use, for the budget of AgeStep
	Bytes      int // memory of those buckets; the kernel backs them in pages of up to 2 MiB and keeps what was once used

	Moves         uint64 // learned entries that changed their destination by learning
	RefusedStatic uint64 // learning refused because a static or extern entry is elsewhere
	RefusedLimit  uint64 // new entries refused by the limit of their bridge domain
	RefusedFull   uint64 // new entries refused because of MaxEntries, or because there was no room near their home
	Aged          uint64 // learned entries removed by AgeStep
}

// Stats adds up the shards.
func (t *Table) Stats() Stats {
	st := Stats{Entries: t.Len(), MaxEntries: int(t.maxEntries)}
	for i := range t.shards {
		s := &t.shards[i]
		g := t.geometry(s)
		n := g.buckets()
		if !g.resting() {
			n = stretched(n)
		}
		st.Buckets += int(n)
		st.Moves += s.moves.Load()
		st.RefusedStatic += s.static.Load()
		st.RefusedLimit += s.limit.Load()
		st.RefusedFull += s.full.Load()
		st.Aged += s.aged.Load()
	}
	st.Bytes = st.Buckets * bucketSize
	return st
}

// BytesPerEntry is the memory of the buckets in use over the entries in them; 0 for an empty table.
func (s Stats) BytesPerEntry() float64 {
	if s.Entries == 0 {
		return 0
	}
	return float64(s.Bytes) / float64(s.Entries)
}
