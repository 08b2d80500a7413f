package fdb

import "testing"

func TestNoAllocations(t *testing.T) {
	tab := newTable(t, Config{MaxEntries: 100_000})
	keys, out := make([]Key, 128), make([]Value, 128)
	for i := range keys {
		keys[i] = MakeKey(1, unicast(uint64(i)))
		tab.Learn(keys[i], 1, 0)
	}
	missing := make([]Key, 128)
	for i := range missing {
		missing[i] = keys[i] ^ 1<<60
	}
	if err := tab.Replace(keys[0], 1, Static, 0); err != nil {
		t.Fatal(err)
	}
	tab.SetLimit(2, 1)
	now, fresh := uint32(0), uint64(1000)
	for name, fn := range map[string]func(){
		"lookup hit":  func() { tab.Lookup(keys[5]) },
		"lookup miss": func() { tab.Lookup(missing[5]) },
		"batch hit":   func() { tab.LookupBatch(keys, out) },
		"batch miss":  func() { tab.LookupBatch(missing, out) },
		"fresh":       func() { tab.Learn(keys[6], 1, 0) },
		"refresh":     func() { now++; tab.Learn(keys[7], 1, now) },
		"move":        func() { now++; tab.Learn(keys[8], Dest(now&1), now) },
		"static":      func() { tab.Learn(keys[0], 2, 0) },
		"limit":       func() { tab.Learn(MakeKey(2, unicast(1)), 1, 0); tab.Learn(MakeKey(2, unicast(2)), 1, 0) },
		"new":         func() { fresh++; tab.Learn(MakeKey(3, unicast(fresh)), 1, 0) },
	} {
		if n := testing.AllocsPerRun(5000, fn); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
