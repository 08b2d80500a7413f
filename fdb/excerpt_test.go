package fdb

import (
	"math/rand/v2"
	"testing"
)

// Learn does in an excerpt what it then does in the table, which an excerpt leaves as it is.
func TestExcerptLearnsAsTable(t *testing.T) {
	table, err := New(Config{Heap: true, MaxEntries: 200, Shards: 2})
	if err != nil {
		t.Fatal(err)
	}
	table.SetLimit(1, 20)
	table.SetMoveLimit(2, MoveLimit{Moves: 3, Within: 50, Freeze: 20})
	if err := table.Add(MakeKey(3, 7), PortDest(9), Static, 1); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[Outcome]int{}
	for i := range 1500 {
		k, d, now := MakeKey(uint16(random.IntN(4)), 1+random.Uint64N(70)), PortDest(uint32(random.IntN(3))), uint32(i/6)
		before, len0 := table.Lookup(k), table.Len()
		x, err := table.Excerpt(k, 0, k)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Lookup(k); got != before {
			t.Fatalf("%v is %x in the excerpt, and %x", k, got, before)
		}
		said := x.Learn(k, d, now)
		if table.Lookup(k) != before || table.Len() != len0 {
			t.Fatal("the excerpt has changed the table")
		}
		if o := table.Learn(k, d, now); o != said || x.Lookup(k) != table.Lookup(k) || x.Len() != table.Len() {
			t.Fatalf("learn %v at %v: the excerpt said %v, and it was %v", k, d, said, o)
		}
		seen[said]++
	}
	for o := Fresh; o <= RefusedFrozen; o++ {
		if seen[o] == 0 {
			t.Errorf("never came to %q: %v", o, seen)
		}
	}
}
