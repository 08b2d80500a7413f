package fdb

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// Destinations that tell by themselves which key they belong to: 22 bits of it, and a generation bit for moves.
func ownDest(k Key, generation uint32) Dest {
	return RemoteDest(uint32(uint64(k)*0x9e3779b97f4a7c15>>42)&(MaxIndex>>1) | generation<<22)
}

func owns(k Key, v Value) bool { return v.Dest() == ownDest(k, 0) || v.Dest() == ownDest(k, 1) }

// TestReadersAndWriters lets writers insert, move, replace, delete, age and flush, and the table grow from nothing, while
// readers check that no value belongs to another key and that the static entries never go missing.
func TestReadersAndWriters(t *testing.T) {
	const writers, readers, fixed, shifting = 3, 2, 300, 20_000
	rounds := 60_000
	if raceEnabled {
		rounds = 15_000
	}
	tab := newTable(t, Config{MaxEntries: 2 * shifting, Shards: 2, Heap: raceEnabled})
	keyOf := func(n uint64) Key { return MakeKey(uint16(n%2), unicast(n)) }
	for n := range uint64(fixed) {
		k := keyOf(n)
		if err := tab.Add(k, ownDest(k, 0), Static, 0); err != nil {
			t.Fatal(err)
		}
	}
	var stop atomic.Bool
	var write, read sync.WaitGroup
	for w := range uint64(writers) {
		write.Go(func() {
			rng := rand.New(rand.NewPCG(w, 1))
			for i := range uint32(rounds) {
				k := keyOf(rng.Uint64N(shifting))
				switch op := rng.Uint32N(1000); {
				case op < 700:
					tab.Learn(k, ownDest(k, op&1), i/64)
				case op < 990:
					if k != keyOf(0) && tab.Lookup(k).Kind() == Learned { // static entries are nobody's to delete
						_ = tab.Delete(k)
					}
				case op < 998:
					if k := keyOf(rng.Uint64N(fixed)); tab.Replace(k, ownDest(k, op&1), Static, i) != nil {
						t.Error("replace failed")
					}
				case op == 998:
					tab.AgeStep(100, i/64, func(uint16) uint32 { return 200 })
				default:
					tab.FlushIf(func(k Key, v Value) bool { return v.Kind() == Learned && k.MAC()&0xff00 == 0 })
				}
			}
		})
	}
	for r := range uint64(readers) {
		read.Go(func() {
			rng := rand.New(rand.NewPCG(r, 2))
			keys, out := make([]Key, 80), make([]Value, 80)
			for !stop.Load() {
				for i := range keys {
					keys[i] = keyOf(rng.Uint64N(shifting))
					if i%4 == 0 {
						keys[i] = keyOf(rng.Uint64N(fixed))
					}
				}
				tab.LookupBatch(keys, out)
				for i, k := range keys {
					one := tab.Lookup(k)
					if out[i].Found() && !owns(k, out[i]) || one.Found() && !owns(k, one) {
						t.Errorf("%v has the value of another key: %v, %v", k, out[i].Dest(), one.Dest())
						return
					}
					if i%4 == 0 && (out[i].Kind() != Static || one.Kind() != Static) {
						t.Errorf("static %v is missing: batch %v, single %v", k, out[i].Kind(), one.Kind())
						return
					}
				}
			}
		})
	}
	read.Go(func() {
		for !stop.Load() {
			seen := map[Key]bool{}
			tab.Range(func(k Key, v Value) bool {
				if seen[k] && v.Kind() == Static || !owns(k, v) {
					t.Errorf("range: %v twice or with the value of another key (%v)", k, v.Dest())
				}
				seen[k] = true
				return true
			})
			for n := range uint64(fixed) {
				if !seen[keyOf(n)] {
					t.Errorf("range misses static %v", keyOf(n))
				}
			}
		}
	})
	write.Wait()
	stop.Store(true)
	read.Wait()
	check(t, tab)
	if got := tab.Len(); got < fixed {
		t.Errorf("%d entries at the end, want at least the %d static ones", got, fixed)
	}
}

// TestParallelLearn lets several workers learn the same and their own keys: nothing is lost or counted twice.
func TestParallelLearn(t *testing.T) {
	const workers, each = 4, 10_000
	tab := newTable(t, Config{MaxEntries: 100_000, Heap: raceEnabled})
	var added atomic.Int64
	var wg sync.WaitGroup
	for w := range uint64(workers) {
		wg.Go(func() {
			for n := range uint64(each) {
				for _, k := range []Key{MakeKey(1, unicast(n)), MakeKey(uint16(2+w), unicast(n))} {
					if tab.Learn(k, ownDest(k, 0), 1) == Added {
						added.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	if want := (workers + 1) * each; tab.Len() != want || int(added.Load()) != want {
		t.Errorf("%d entries, %d added, want %d", tab.Len(), added.Load(), want)
	}
	check(t, tab)
}
