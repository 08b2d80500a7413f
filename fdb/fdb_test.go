package fdb

import (
	"errors"
	"testing"
	"unsafe"
)

func TestWords(t *testing.T) {
	if size := unsafe.Sizeof(bucket{}); size != bucketSize {
		t.Errorf("bucket has %d bytes, want %d", size, bucketSize)
	}
	if size := unsafe.Sizeof(shard{}); size != 64 {
		t.Errorf("shard has %d bytes, want one cache line", size)
	}
	if at, end := unsafe.Offsetof(Table{}.version), unsafe.Offsetof(Table{}.geo); end-at != 64 {
		t.Errorf("the version has %d bytes, want a cache line of its own", end-at)
	}
	k := MakeKey(0xfedc, 0xffff_0257_a71c_0001)
	if k.Domain() != 0xfedc || k.MAC() != 0x0257_a71c_0001 || k.IsZero() || !MakeKey(0, 0).IsZero() {
		t.Errorf("key %x: domain %x, mac %x", uint64(k), k.Domain(), k.MAC())
	}
	if got, want := k.String(), "65244/02:57:a7:1c:00:01"; got != want {
		t.Errorf("key prints %q, want %q", got, want)
	}
	for _, i := range []uint32{0, 1, 1 << 20, MaxIndex} {
		for d, remote := range map[Dest]bool{PortDest(i): false, RemoteDest(i): true} {
			for _, kind := range []Kind{Learned, Static, Extern} {
				v := makeValue(d, kind, 0xfffffff0)
				if v.Dest() != d || d.Index() != i || d.IsRemote() != remote || v.Kind() != kind || v.Seen() != 0xfffffff0 {
					t.Errorf("%v %v became %v %v seen %d", d, kind, v.Dest(), v.Kind(), v.Seen())
				}
				if uint64(v)&^valueMask != 0 || !v.Found() {
					t.Errorf("%v %v: word %x", d, kind, uint64(v))
				}
			}
		}
	}
	if makeValue(PortDest(0), Learned, 0) == 0 {
		t.Error("the smallest value looks like a miss")
	}
	if got := RemoteDest(7).String() + ", " + PortDest(3).String(); got != "remote 7, port 3" {
		t.Errorf("destinations print %q", got)
	}
	if got := Learned.String() + Static.String() + Extern.String() + Kind(0).String(); got != "learnedstaticextern_learnnone" {
		t.Errorf("kinds print %q", got)
	}
	if RefusedFull.String() != "refused: full" || Outcome(99).String() != "unknown" || Moved.Refused() || !RefusedStatic.Refused() {
		t.Error("outcomes print or classify wrong")
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{MaxEntries: -1}, {MaxEntries: 1<<30 + 1}, {Shards: 3}, {Shards: -2}, {Shards: 2048}} {
		if tab, err := New(cfg); err == nil {
			_ = tab.Close()
			t.Errorf("%+v accepted", cfg)
		}
	}
	tab, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	tab.Learn(MakeKey(1, 2), PortDest(1), 1)
	if st := tab.Stats(); st.MaxEntries != DefaultMaxEntries || st.Bytes > 100_000 || st.BytesPerEntry() != float64(st.Bytes) {
		t.Errorf("a table with one entry: %+v", st)
	}
	for range 2 {
		if err := tab.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestInvalid(t *testing.T) {
	tab := newTable(t, Config{MaxEntries: 10, Heap: true})
	for _, err := range []error{tab.Add(0, 1, Static, 0), tab.Add(1, 1, 0, 0), tab.Replace(1, 1, 4, 0)} {
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v, want %v", err, ErrInvalid)
		}
	}
	if o := tab.Learn(0, 1, 0); o != Fresh || tab.Lookup(0) != 0 || tab.Len() != 0 {
		t.Errorf("learn of the zero key: %v, %d entries", o, tab.Len())
	}
	if err := tab.Delete(0); !errors.Is(err, ErrNotFound) {
		t.Errorf("delete of the zero key: %v", err)
	}
}

// TestLearn spells out what TestModel only compares: the outcome of each situation and its effect.
func TestLearn(t *testing.T) {
	tab := newTable(t, Config{MaxEntries: 100, Heap: true})
	learned, static, extern := MakeKey(1, 0x0200_0000_0001), MakeKey(1, 0x0200_0000_0002), MakeKey(1, 0x0200_0000_0003)
	if tab.Add(static, PortDest(1), Static, 5) != nil || tab.Add(extern, PortDest(1), Extern, 5) != nil {
		t.Fatal("add failed")
	}
	for _, c := range []struct {
		name string
		k    Key
		d    Dest
		now  uint32
		want Outcome
		is   Value
	}{
		{"new", learned, PortDest(1), 10, Added, makeValue(PortDest(1), Learned, 10)},
		{"same second", learned, PortDest(1), 10, Fresh, makeValue(PortDest(1), Learned, 10)},
		{"earlier clock of another worker", learned, PortDest(1), 9, Fresh, makeValue(PortDest(1), Learned, 10)},
		{"later", learned, PortDest(1), 11, Refreshed, makeValue(PortDest(1), Learned, 11)},
		{"elsewhere", learned, RemoteDest(1), 11, Moved, makeValue(RemoteDest(1), Learned, 11)},
		{"static, same", static, PortDest(1), 11, Fresh, makeValue(PortDest(1), Static, 5)},
		{"static, elsewhere", static, PortDest(2), 11, RefusedStatic, makeValue(PortDest(1), Static, 5)},
		{"extern, same", extern, PortDest(1), 11, Fresh, makeValue(PortDest(1), Extern, 5)},
		{"extern, elsewhere", extern, RemoteDest(1), 11, RefusedStatic, makeValue(PortDest(1), Extern, 5)},
	} {
		was := tab.Lookup(c.k)
		if fresh := was.Fresh(c.d, c.now); fresh != (c.want == Fresh) {
			t.Errorf("%s: Fresh beforehand says %v", c.name, fresh)
		}
		if got := tab.Learn(c.k, c.d, c.now); got != c.want || tab.Lookup(c.k) != c.is {
			t.Errorf("%s: %v, then %v %v seen %d", c.name, got, tab.Lookup(c.k).Dest(), tab.Lookup(c.k).Kind(), tab.Lookup(c.k).Seen())
		}
	}
	if st := tab.Stats(); st.Moves != 1 || st.RefusedStatic != 2 || st.Entries != 3 {
		t.Errorf("stats %+v", st)
	}
}

func TestLimits(t *testing.T) {
	tab := newTable(t, Config{MaxEntries: 10, Heap: true})
	key := func(d uint16, n uint64) Key { return MakeKey(d, unicast(n)) }
	tab.SetLimit(1, 3)
	if err := tab.Add(key(1, 0), 1, Static, 0); err != nil {
		t.Fatal(err)
	}
	for n, want := range []Outcome{Fresh, Added, Added, RefusedLimit, RefusedLimit} {
		if got := tab.Learn(key(1, uint64(n)), 1, 0); got != want {
			t.Errorf("learn %d in the limited domain: %v, want %v", n, got, want)
		}
	}
	if got := tab.Learn(key(1, 2), 2, 0); got != Moved {
		t.Errorf("a move at the limit: %v", got)
	}
	if err := tab.Add(key(1, 9), 1, Learned, 0); !errors.Is(err, ErrLimit) {
		t.Errorf("add of a learned entry at the limit: %v", err)
	}
	if err := tab.Add(key(1, 10), 1, Static, 0); err != nil {
		t.Errorf("add of a static entry at the limit: %v", err)
	}
	for n := range uint64(6) {
		if got := tab.Learn(key(2, n), 1, 0); got != Added {
			t.Errorf("learn %d in the free domain: %v", n, got)
		}
	}
	if got := tab.Learn(key(2, 99), 1, 0); got != RefusedFull {
		t.Errorf("learn into a full table: %v", got)
	}
	if err := tab.Replace(key(2, 99), 1, Static, 0); !errors.Is(err, ErrFull) {
		t.Errorf("replace into a full table: %v", err)
	}
	tab.SetLimit(1, -1)
	if err := tab.Delete(key(2, 0)); err != nil {
		t.Error(err)
	}
	if got := tab.Learn(key(1, 3), 1, 0); got != Added {
		t.Errorf("learn without a limit: %v", got)
	}
	st := tab.Stats()
	if tab.DomainLen(1) != 5 || tab.DomainLen(2) != 5 || tab.Len() != 10 || st.RefusedLimit != 3 || st.RefusedFull != 2 {
		t.Errorf("domains %d and %d, %d in all, stats %+v", tab.DomainLen(1), tab.DomainLen(2), tab.Len(), st)
	}
	check(t, tab)
}

// TestSeed wants tables of one seed to be the same, and those of none to differ.
func TestSeed(t *testing.T) {
	homes := func(seed uint64) (all [64]uint64) {
		tab := newTable(t, Config{Seed: seed, MaxEntries: 1000})
		for i := range all {
			all[i] = tab.hash(MakeKey(1, unicast(uint64(i))))
		}
		return all
	}
	one, again, two, free, freer := homes(1), homes(1), homes(2), homes(0), homes(0)
	if one != again || one == two || free == freer || free == one {
		t.Error("seeds do not decide, or nothing is random without one")
	}
}
