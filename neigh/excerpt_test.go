package neigh

import (
	"math/rand/v2"
	"testing"
)

// Learn does in an excerpt what it then does in the table, which an excerpt leaves as it is.
func TestExcerptLearnsAsTable(t *testing.T) {
	budget := NewBudget(12)
	table := New(budget, 10, 30)
	if err := table.Set(Key{Lo: 3}, Entry{MAC: 7, Kind: Static, Sure: true}, false); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[Outcome]int{}
	for i := range 3000 {
		k, now := Key{Lo: random.Uint64N(16), VLAN: uint16(random.IntN(2))}, uint32(i/10)
		c := Claim{MAC: 1 + random.Uint64N(3), Enter: random.IntN(4) > 0, Move: random.IntN(2) == 0, Sure: random.IntN(2) == 0}
		if i%100 == 0 {
			table.Age(now)
		}
		before, was := table.Lookup(k, now)
		x := table.Excerpt(k, k, Key{Lo: 99})
		if e, ok := x.Lookup(k, now); e != before || ok != was {
			t.Fatalf("%v is %+v in the excerpt, and %+v", k, e, before)
		}
		said := x.Learn(k, c, now)
		if e, ok := table.Lookup(k, now); e != before || ok != was {
			t.Fatal("the excerpt has changed the table")
		}
		o := table.Learn(k, c, now)
		if e, _ := x.Lookup(k, now); o != said || e != first(table.Lookup(k, now)) {
			t.Fatalf("learn %v, %+v: the excerpt said %v, and it was %v", k, c, said, o)
		}
		seen[said]++
	}
	for o := Nothing; o <= RefusedLimit; o++ {
		if seen[o] == 0 {
			t.Errorf("never came to %v: %v", o, seen)
		}
	}
}

func first(e Entry, _ bool) Entry { return e }
