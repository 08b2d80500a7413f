package fdb

import (
	"math/rand/v2"
	"testing"
)

// What is counted by bridge domain adds up to what is counted of the table, until one is forgotten.
func TestDomainStats(t *testing.T) {
	const domains = 4
	tab := newTable(t, Config{MaxEntries: 250, Shards: 4})
	r := rand.New(rand.NewPCG(1, 2))
	for d := range uint16(domains) {
		tab.SetLimit(d, 25*int(d))
	}
	for range 10 {
		if err := tab.Replace(MakeKey(1, unicast(r.Uint64N(200))), 1, Static, 1); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20_000 {
		tab.Learn(MakeKey(uint16(r.IntN(domains)), unicast(r.Uint64N(200))), Dest(r.IntN(3)), uint32(i/100))
		if i%500 == 0 {
			tab.AgeStep(1<<20, uint32(i/100), func(uint16) uint32 { return 2 })
		}
	}
	var sum Stats
	for d := range uint16(domains) {
		s := tab.DomainStats(d)
		if s.Entries != tab.DomainLen(d) || s.Limit != 25*int(d) || s.Moves == 0 || s.Aged == 0 {
			t.Errorf("domain %d: %+v", d, s)
		}
		if (s.RefusedStatic > 0) != (d == 1) || (s.RefusedLimit > 0) != (d > 0) {
			t.Errorf("domain %d: %+v", d, s)
		}
		sum.Entries += s.Entries
		sum.Moves += s.Moves
		sum.Aged += s.Aged
		sum.RefusedStatic += s.RefusedStatic
		sum.RefusedLimit += s.RefusedLimit
		sum.RefusedFull += s.RefusedFull
	}
	all := tab.Stats()
	if all.RefusedFull == 0 {
		t.Error("the table was never full")
	}
	sum.MaxEntries, sum.Buckets, sum.Bytes = all.MaxEntries, all.Buckets, all.Bytes
	if sum != all {
		t.Errorf("domains add up to %+v, the table has %+v", sum, all)
	}
	tab.ForgetDomain(1)
	if s := tab.DomainStats(1); s != (DomainStats{Entries: tab.DomainLen(1), Limit: 25}) {
		t.Errorf("after it was forgotten: %+v", s)
	}
	if again := tab.Stats(); again != all {
		t.Errorf("the table has %+v, before %+v", again, all)
	}
}
