package fdb

import (
	"testing"
)

// TestGrowth fills a table from nothing to its limit, with checks in the middle of growth, and empties it again.
func TestGrowth(t *testing.T) {
	const n = 60_000
	tab := newTable(t, Config{MaxEntries: n, Shards: 4})
	key := func(i int) Key { return MakeKey(uint16(i>>8), unicast(uint64(i))) }
	growing := 0
	for i := range n {
		if o := tab.Learn(key(i), Dest(i), uint32(i)); o != Added {
			t.Fatalf("entry %d of %d: %v", i, n, o)
		}
		if i%5000 == 77 {
			check(t, tab)
			for j := range i {
				if v := tab.Lookup(key(j)); v != makeValue(Dest(j), Learned, uint32(j)) {
					t.Fatalf("entry %d of %d is %x", j, i, uint64(v))
				}
			}
			for s := range tab.shards {
				if !tab.geometry(&tab.shards[s]).resting() {
					growing++
				}
			}
		}
		if per := tab.Stats().BytesPerEntry(); i > 10_000 && per > 26 {
			t.Fatalf("%.1f bytes per entry at %d", per, i)
		}
	}
	if growing == 0 {
		t.Error("no check fell into growth")
	}
	if o := tab.Learn(key(n), 1, 1); o != RefusedFull {
		t.Errorf("one more: %v", o)
	}
	for i := range n {
		if err := tab.Delete(key(i)); err != nil {
			t.Fatal(err)
		}
		if i%10_000 == 77 {
			check(t, tab)
		}
	}
	for s := range tab.shards {
		for j := range tab.maxBuckets {
			if r := tab.bucket(&tab.shards[s], j).reach(); r > near {
				t.Fatalf("bucket %d of an empty shard has reach %d", j, r)
			}
		}
	}
}

// TestChurn deletes and inserts at the load limit for long: look-ups of what is not there stay as short as they were.
func TestChurn(t *testing.T) {
	const n, rounds = 20_000, 10
	tab := newTable(t, Config{MaxEntries: n, Shards: 1})
	further := func() (sum uint64) {
		s := &tab.shards[0]
		for j := range tab.geometry(s).buckets() {
			sum += tab.bucket(s, j).reach()
		}
		return sum
	}
	key := func(i int) Key { return MakeKey(1, unicast(uint64(i))) }
	for i := range n {
		tab.Learn(key(i), 1, 1)
	}
	before := further()
	for i := n; i < n*rounds; i++ {
		if err := tab.Delete(key(i - n)); err != nil {
			t.Fatal(err)
		}
		if o := tab.Learn(key(i), 1, 1); o != Added {
			t.Fatalf("entry %d: %v", i, o)
		}
	}
	if after := further(); after > 2*before {
		t.Errorf("buckets reach %d further in all after churn, %d before", after, before)
	}
	check(t, tab)
}

// TestFullWindow breaks the hash, so that all keys have one home: the window fills, then entries are refused, nothing
// loops, and deletions make room again.
func TestFullWindow(t *testing.T) {
	tab := newTable(t, Config{MaxEntries: 10_000, Heap: true})
	tab.seed = [4]uint64{}
	added := 0
	for i := range 1000 {
		switch o := tab.Learn(MakeKey(1, unicast(uint64(i))), 1, 1); o {
		case Added:
			added++
		case RefusedFull:
		default:
			t.Fatalf("entry %d: %v", i, o)
		}
	}
	if added != window*slots || tab.Len() != added || tab.DomainLen(1) != added || tab.Stats().RefusedFull != uint64(1000-added) {
		t.Errorf("%d added, want %d; %+v", added, window*slots, tab.Stats())
	}
	check(t, tab)
	if err := tab.Delete(MakeKey(1, unicast(0))); err != nil {
		t.Error(err)
	}
	if o := tab.Learn(MakeKey(1, unicast(999)), 1, 1); o != Added {
		t.Errorf("into the freed slot: %v", o)
	}
	check(t, tab)
	out := make([]Value, 200)
	keys := make([]Key, 200)
	for i := range keys {
		keys[i] = MakeKey(1, unicast(uint64(i)))
	}
	tab.LookupBatch(keys, out)
	for i, k := range keys {
		if out[i] != tab.Lookup(k) || out[i].Found() != (i > 0 && i < added) {
			t.Errorf("key %d: batch %x, single %x", i, uint64(out[i]), uint64(tab.Lookup(k)))
		}
	}
}
