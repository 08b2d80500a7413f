package fdb

import "testing"

func TestAgeSteps(t *testing.T) {
	const n = 5000
	tab := newTable(t, Config{MaxEntries: n, Shards: 2})
	key := func(i int) Key { return MakeKey(uint16(i%3), unicast(uint64(i))) }
	for i := range n { // seen in seconds 100 to 199
		tab.Learn(key(i), 1, uint32(100+i%100))
	}
	if err := tab.Replace(key(0), 1, Static, 100); err != nil {
		t.Fatal(err)
	}
	expire := func(d uint16) uint32 { return []uint32{50, 120, 0}[d] }
	gone := func(i int, now uint32) bool {
		limit := expire(uint16(i % 3))
		return i != 0 && limit > 0 && int(now)-(100+i%100) >= int(limit)
	}
	for _, now := range []uint32{100, 149, 150, 200, 230, 400} {
		removed, calls, before := 0, 0, tab.Len()
		for done := false; !done; done = tab.age.at == (cursor{}) {
			removed += tab.AgeStep(1, now, expire)
			calls++
		}
		if want := tab.Stats().Buckets * 8 / 9 / runWalk; calls < want {
			t.Errorf("second %d: a pass took %d calls, want %d or more", now, calls, want)
		}
		if removed != before-tab.Len() {
			t.Errorf("second %d: %d removed, %d fewer", now, removed, before-tab.Len())
		}
		for i := range n {
			if tab.Lookup(key(i)).Found() == gone(i, now) {
				t.Fatalf("second %d: entry %d last seen %d is there: %v", now, i, 100+i%100, gone(i, now))
			}
		}
	}
	if left, aged := tab.Len(), tab.Stats().Aged; int(aged) != n-left {
		t.Errorf("%d aged, %d left of %d", aged, left, n)
	}
	if tab.AgeStep(1<<30, 1<<20, expire) != 0 {
		t.Error("something aged twice")
	}
	check(t, tab)
}

// TestRangeDuringChanges inserts, deletes and grows from within the walk: what was there before and stays is visited once.
func TestRangeDuringChanges(t *testing.T) {
	const stay = 2000
	tab := newTable(t, Config{MaxEntries: 100_000, Shards: 2})
	key := func(d uint16, i int) Key { return MakeKey(d, unicast(uint64(i))) }
	for i := range stay {
		tab.Learn(key(1, i), Dest(i), 1)
		tab.Learn(key(2, i), Dest(i), 1)
	}
	visits, next := map[Key]int{}, 0
	tab.Range(func(k Key, v Value) bool {
		visits[k]++
		for range min(20, 90_000-next) {
			tab.Learn(key(3, next), 1, 1)
			_ = tab.Delete(key(2, next*7%stay))
			next++
		}
		return true
	})
	for i := range stay {
		if n := visits[key(1, i)]; n != 1 {
			t.Fatalf("entry %d visited %d times", i, n)
		}
	}
	for k, n := range visits {
		if n > 1 && k.Domain() != 3 {
			t.Errorf("%v visited %d times", k, n)
		}
	}
	check(t, tab)
	calls := 0
	tab.Range(func(Key, Value) bool { calls++; return calls < 3 })
	if calls != 3 {
		t.Errorf("range called back %d times after being told to stop at 3", calls)
	}
}

func TestFlush(t *testing.T) {
	tab := newTable(t, Config{MaxEntries: 10_000, Heap: true})
	for i := range 3000 {
		tab.Learn(MakeKey(uint16(i%3), unicast(uint64(i))), RemoteDest(uint32(i%5)), 1)
	}
	moved := MakeKey(1, unicast(1))
	n := tab.FlushIf(func(k Key, v Value) bool {
		if k == moved {
			tab.Learn(k, PortDest(9), 2)
		}
		return k.Domain() == 1
	})
	if n != 999 || tab.DomainLen(1) != 1 || tab.Lookup(moved).Dest() != PortDest(9) {
		t.Errorf("%d flushed, %d left, moved entry at %v", n, tab.DomainLen(1), tab.Lookup(moved).Dest())
	}
	if n := tab.FlushIf(func(_ Key, v Value) bool { return v.Dest() == RemoteDest(0) }); n != 400 {
		t.Errorf("%d entries of remote 0 flushed, want 400", n)
	}
	check(t, tab)
}
