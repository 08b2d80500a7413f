package fdb

import "testing"

func newTable(tb testing.TB, cfg Config) *Table {
	tb.Helper()
	t, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := t.Close(); err != nil {
			tb.Error(err)
		}
	})
	return t
}

// unicast is a MAC made of n that is neither multicast nor zero.
func unicast(n uint64) uint64 { return n*0x9e3779b97f4a7c15>>16&^(1<<40) | 2<<40 }

// check looks at every slot of a table at rest: each entry stands in its window within its home's reach, a look-up finds
// that very place, and the counters agree.
func check(tb testing.TB, t *Table) {
	tb.Helper()
	total, domains := 0, map[uint16]int{}
	for i := range t.shards {
		s := &t.shards[i]
		live := 0
		for j := range t.maxBuckets + spread {
			b := t.bucket(s, j)
			for slot := range slots {
				k := Key(b.key[slot].Load())
				if k == 0 {
					continue
				}
				live++
				domains[k.Domain()]++
				if t.shardOf(t.hash(k)) != s {
					tb.Fatalf("%v stands in shard %d", k, i)
				}
				if found, at, _, _ := t.probe(s, k, t.hash(k)); found != b || at != slot {
					tb.Fatalf("%v in bucket %d of shard %d (%x) is not where look-ups find it", k, j, i, uint64(t.geometry(s)))
				}
			}
		}
		if live != s.live {
			tb.Fatalf("shard %d has %d entries and counts %d", i, live, s.live)
		}
		total += live
	}
	if total != t.Len() {
		tb.Fatalf("%d entries, Len %d", total, t.Len())
	}
	for d := range t.domains {
		if n := t.DomainLen(uint16(d)); n != domains[uint16(d)] {
			tb.Fatalf("%d entries in domain %d, DomainLen %d", domains[uint16(d)], d, n)
		}
	}
}

// contents is all that Range visits; an entry visited twice is an error.
func contents(tb testing.TB, t *Table) map[Key]Value {
	tb.Helper()
	m := map[Key]Value{}
	t.Range(func(k Key, v Value) bool {
		if _, ok := m[k]; ok {
			tb.Errorf("range visits %v twice", k)
		}
		m[k] = v
		return true
	})
	return m
}
