package fdb

import (
	"slices"
	"sync"
	"testing"
)

// A key that moved as often as its domain allows within the time stays where it is, until the freeze ends, its entry goes
// or somebody changes it.
func TestFreeze(t *testing.T) {
	here, there := PortDest(1), RemoteDest(2)
	k, free := MakeKey(1, unicast(1)), MakeKey(2, unicast(1))
	type step struct {
		at   uint32
		d    Dest
		want Outcome
	}
	freeze := []step{{1, here, Added}, {1, there, Moved}, {2, here, Moved}, {10, there, Moved}, {11, here, RefusedFrozen}, {11, there, Refreshed}}
	for _, c := range []struct {
		name  string
		limit MoveLimit
		steps []step
		then  func(tab *Table)
		after []step
	}{
		{name: "too often", limit: MoveLimit{Moves: 3, Within: 10}, steps: freeze, after: []step{{1 << 30, here, RefusedFrozen}}},
		{name: "not within the time", limit: MoveLimit{Moves: 3, Within: 9}, steps: []step{
			{1, here, Added}, {1, there, Moved}, {2, here, Moved}, {10, there, Moved}, {11, here, Moved}, {12, there, Moved}, {12, here, RefusedFrozen}}},
		{name: "for a time", limit: MoveLimit{Moves: 3, Within: 10, Freeze: 5}, steps: freeze,
			after: []step{{14, here, RefusedFrozen}, {15, here, Moved}, {15, there, Moved}, {16, here, Moved}, {16, there, RefusedFrozen}}},
		{name: "deleted", limit: MoveLimit{Moves: 3, Within: 10}, steps: freeze,
			then: func(tab *Table) { _ = tab.Delete(k) }, after: []step{{12, here, Added}, {12, there, Moved}}},
		{name: "aged", limit: MoveLimit{Moves: 3, Within: 10}, steps: freeze,
			then:  func(tab *Table) { tab.AgeStep(1<<20, 1000, func(uint16) uint32 { return 300 }) },
			after: []step{{1001, here, Added}, {1001, there, Moved}}},
		{name: "flushed", limit: MoveLimit{Moves: 3, Within: 10}, steps: freeze,
			then: func(tab *Table) { tab.FlushIf(func(Key, Value) bool { return true }) }, after: []step{{12, here, Added}, {12, there, Moved}}},
		{name: "no limit any more", limit: MoveLimit{Moves: 3, Within: 10}, steps: freeze,
			then: func(tab *Table) { tab.SetMoveLimit(1, MoveLimit{}) }, after: []step{{12, here, Moved}, {12, there, Moved}, {12, here, Moved}, {12, there, Moved}}},
		{name: "another limit", limit: MoveLimit{Moves: 3, Within: 10}, steps: append(freeze[:4:4], step{11, here, RefusedFrozen}),
			then: func(tab *Table) { tab.SetMoveLimit(2, MoveLimit{}) }, after: []step{{12, here, RefusedFrozen}}},
		{name: "replaced", limit: MoveLimit{Moves: 3, Within: 10}, steps: freeze,
			then: func(tab *Table) { _ = tab.Replace(k, here, Learned, 12) }, after: []step{{12, there, Moved}}},
		{name: "no limit", steps: []step{{1, here, Added}, {1, there, Moved}, {1, here, Moved}, {1, there, Moved}, {1, here, Moved}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tab := newTable(t, Config{Heap: true, MaxEntries: 1000})
			tab.SetMoveLimit(1, c.limit)
			learn := func(steps []step) {
				t.Helper()
				for i, s := range steps {
					frozen := tab.Frozen(k, s.at)
					if got := tab.Learn(k, s.d, s.at); got != s.want || (got == RefusedFrozen) != (frozen && tab.Lookup(k).Dest() != s.d) {
						t.Fatalf("step %d: %v in second %d: %v, want %v; frozen before: %v", i, s.d, s.at, got, s.want, frozen)
					}
					if got := tab.Learn(free, s.d, s.at); got.Refused() {
						t.Fatalf("the same address in another domain: %v", got)
					}
				}
			}
			learn(c.steps)
			frozen := c.steps[len(c.steps)-1].want != Moved
			if n := tab.CountFrozen(c.steps[len(c.steps)-1].at); n[1] == 1 != frozen || n[2] != 0 {
				t.Errorf("frozen: %v", n)
			}
			if c.then != nil {
				c.then(tab)
				if n := tab.CountFrozen(12); len(n) != 0 && c.after[0].want != RefusedFrozen {
					t.Errorf("frozen still: %v", n)
				}
			}
			learn(c.after)
		})
	}
}

// Every move is noted down once, up to what fits, and the others are counted.
func TestMoved(t *testing.T) {
	tab := newTable(t, Config{Heap: true, MaxEntries: 1000, Shards: 1})
	tab.SetMoveLimit(1, MoveLimit{Moves: 2, Within: 10})
	k := MakeKey(1, unicast(7))
	for i := range uint32(4) {
		tab.Learn(k, PortDest(i), i)
	}
	var got []Move
	lost := tab.Moved(func(m Move) { got = append(got, m) })
	want := []Move{{k, PortDest(0), PortDest(1), 1, false}, {k, PortDest(1), PortDest(2), 2, true}}
	if !slices.Equal(got, want) || lost != 0 {
		t.Errorf("moves %v, lost %d, want %v", got, lost, want)
	}
	other := MakeKey(2, unicast(7))
	for i := range uint32(notes + 6) {
		tab.Learn(other, PortDest(i), 5)
	}
	n := 0
	if lost := tab.Moved(func(Move) { n++ }); n != notes || lost != 5 {
		t.Errorf("%d moves noted, %d lost, want %d and 5", n, lost, notes)
	}
	if lost := tab.Moved(func(m Move) { t.Errorf("again %v", m) }); lost != 0 {
		t.Errorf("%d lost again", lost)
	}
}

// However many keys move, those that are frozen stay so, and memory is what it was.
func TestFreezeIsBounded(t *testing.T) {
	tab := newTable(t, Config{Heap: true, MaxEntries: 1 << 16, Shards: 1})
	tab.SetMoveLimit(1, MoveLimit{Moves: 2, Within: 10})
	var frozen []Key
	for n := range uint64(4 * moverSets * moverWays) {
		k := MakeKey(1, unicast(n))
		for i := range uint32(3) {
			tab.Learn(k, PortDest(i), 1)
		}
		if tab.Frozen(k, 1) {
			frozen = append(frozen, k)
		}
	}
	if n := tab.CountFrozen(1)[1]; n != len(frozen) || n > moverSets*moverWays || n < moverSets {
		t.Errorf("%d frozen, %d said to be so", len(frozen), n)
	}
	for _, k := range frozen {
		if got := tab.Learn(k, PortDest(9), 2); got != RefusedFrozen {
			t.Fatalf("%v was frozen: %v", k, got)
		}
	}
}

// Workers that see one address in turns move it exactly as often as its limit says.
func TestFreezeByMany(t *testing.T) {
	tab := newTable(t, Config{Heap: true, MaxEntries: 1000})
	const limit = 50
	tab.SetMoveLimit(1, MoveLimit{Moves: limit, Within: 1000})
	k := MakeKey(1, unicast(1))
	tab.Learn(k, PortDest(9), 1)
	var all sync.WaitGroup
	for w := range uint32(4) {
		all.Go(func() {
			for !tab.Frozen(k, 1) {
				tab.Learn(k, PortDest(w), 1)
			}
		})
	}
	all.Wait()
	at := tab.Lookup(k).Dest()
	if n := tab.Stats().Moves; n != limit {
		t.Errorf("%d moves, want %d", n, limit)
	}
	if tab.Learn(k, PortDest(8), 1) != RefusedFrozen || tab.Lookup(k).Dest() != at {
		t.Error("it moved on")
	}
}
