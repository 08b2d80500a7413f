package fdb

import (
	"sync"
	"sync/atomic"
	"testing"
)

// These tests repeat one hazard of the protocol in fdb.go a great many times on the very key that readers look up, so
// that losing any one raise of the version shows.

// against runs write while readers call read until it is done or read reports false.
func against(t *testing.T, read func() bool, write func()) {
	t.Helper()
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for !stop.Load() && read() {
			}
		})
	}
	write()
	stop.Store(true)
	wg.Wait()
}

func interleaveRounds() int {
	if raceEnabled {
		return 4_000
	}
	return 300_000
}

// oneHome is a table whose hash is broken: all keys have one home, and share its slots.
func oneHome(t *testing.T) *Table {
	tab := newTable(t, Config{MaxEntries: 1000, Shards: 1, Heap: raceEnabled})
	tab.seed = [4]uint64{}
	return tab
}

// TestSlotReuse gives one slot to two keys in turn.
func TestSlotReuse(t *testing.T) {
	tab := oneHome(t)
	a, b := MakeKey(1, 0x0200_0000_0001), MakeKey(1, 0x0200_0000_0002)
	keys := []Key{a, b, a, b, a, b, a, b}
	read := func() bool {
		var out [8]Value
		tab.LookupBatch(keys, out[:])
		for i, k := range keys {
			if one := tab.Lookup(k); one.Found() && !owns(k, one) || out[i].Found() && !owns(k, out[i]) {
				t.Errorf("%v has the value of the other key", k)
				return false
			}
		}
		return true
	}
	against(t, read, func() {
		for range 4 * interleaveRounds() {
			for _, k := range keys[:2] {
				tab.Learn(k, ownDest(k, 0), 1)
				_ = tab.Delete(k)
			}
		}
	})
}

// TestRelocation moves one entry to and fro between its home and the next bucket of its window.
func TestRelocation(t *testing.T) {
	tab := oneHome(t)
	k := MakeKey(1, 0x0200_0000_0001)
	if err := tab.Add(k, 1, Static, 1); err != nil {
		t.Fatal(err)
	}
	keys := []Key{k, k, k, k}
	read := func() bool {
		var out [4]Value
		tab.LookupBatch(keys, out[:])
		for i := range keys {
			if !out[i].Found() || !tab.Lookup(k).Found() {
				t.Error("static entry is missing while it moves")
				return false
			}
		}
		return true
	}
	s := &tab.shards[0]
	home := tab.homeOf(s, k)
	tab.bucket(s, home).raiseReach(1)
	against(t, read, func() {
		for range interleaveRounds() {
			s.mu.Lock()
			tab.relocate(s, home, 0, home+1, 0)
			tab.relocate(s, home+1, 0, home, 0)
			s.mu.Unlock()
		}
	})
}

// TestGrowthUnderReaders grows many small tables, each from nothing, under readers of a few static entries.
func TestGrowthUnderReaders(t *testing.T) {
	keys := make([]Key, 24)
	for i := range keys {
		keys[i] = MakeKey(1, unicast(uint64(i)))
	}
	for round := 0; round < interleaveRounds()/400 && !t.Failed(); round++ {
		tab := newTable(t, Config{MaxEntries: 1000, Shards: 1, Heap: true})
		for _, k := range keys {
			if err := tab.Add(k, ownDest(k, 0), Static, 1); err != nil {
				t.Fatal(err)
			}
		}
		read := func() bool {
			var out [24]Value
			tab.LookupBatch(keys, out[:])
			for i, k := range keys {
				if one := tab.Lookup(k); !owns(k, one) || !owns(k, out[i]) {
					t.Errorf("static %v: batch %v, single %v", k, out[i], one)
					return false
				}
			}
			return true
		}
		against(t, read, func() {
			for i := range 900 {
				tab.Learn(MakeKey(2, unicast(uint64(i))), 1, 1)
			}
		})
	}
}
