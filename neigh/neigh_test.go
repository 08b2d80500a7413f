package neigh

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func key(n int) Key { return Key{Lo: 0xffff<<32 | uint64(n)} }

func moves(mac uint64) Claim { return Claim{MAC: mac, Enter: true, Move: true, Sure: true} }

// knows fails unless k is at mac in second now; 0 for nowhere.
func knows(t *testing.T, table *Table, k Key, now uint32, mac uint64) Entry {
	t.Helper()
	e, ok := table.Lookup(k, now)
	if ok != (mac != 0) || e.MAC != mac {
		t.Fatalf("%v is at %012x (known: %v), want %012x", k, e.MAC, ok, mac)
	}
	return e
}

func TestLearn(t *testing.T) {
	table := New(NewBudget(10), 0, 100)
	k := key(1)
	for _, step := range []struct {
		claim Claim
		now   uint32
		want  Outcome
		mac   uint64
		sure  bool
		seen  uint32
	}{
		{Claim{MAC: 5}, 1, Nothing, 0, false, 0},
		{Claim{MAC: 5, Enter: true}, 1, Added, 5, false, 1},
		{Claim{MAC: 5, Enter: true}, 1, Nothing, 5, false, 1},
		{Claim{MAC: 5}, 2, Refreshed, 5, false, 2},
		{Claim{MAC: 5, Sure: true, Router: true}, 2, Refreshed, 5, true, 2},
		{Claim{MAC: 5}, 3, Refreshed, 5, true, 3}, // and what is known of the router stays
		{Claim{MAC: 6, Enter: true}, 4, Nothing, 5, true, 3},
		{Claim{MAC: 6, Enter: true, Move: true}, 4, Moved, 6, false, 4},
		{Claim{MAC: 7, Enter: true, Sure: true}, 103, Nothing, 6, false, 4},
		{Claim{MAC: 7, Enter: true, Sure: true}, 104, Moved, 7, true, 104}, // the old one has aged
		{Claim{MAC: 8}, 300, Nothing, 0, false, 0},
	} {
		if got := table.Learn(k, step.claim, step.now); got != step.want {
			t.Fatalf("%+v: outcome %d, want %d", step, got, step.want)
		}
		if e := knows(t, table, k, step.now, step.mac); step.mac != 0 && (e.Sure != step.sure || e.Seen != step.seen || e.Kind != Learned) {
			t.Fatalf("%+v: entry %+v", step, e)
		}
	}
	if c := &table.Counts; c.Added.Load() != 1 || c.Moved.Load() != 2 {
		t.Errorf("%d added, %d moved", c.Added.Load(), c.Moved.Load())
	}
	if n := table.Age(300); n != 1 || table.Len() != 0 || table.Counts.Aged.Load() != 1 {
		t.Errorf("%d aged, %d left", n, table.Len())
	}
}

// Addresses that differ in one word or in the VLAN are different ones.
func TestKeys(t *testing.T) {
	table := New(NewBudget(10), 0, 0)
	keys := []Key{{1, 2, 0}, {1, 3, 0}, {2, 2, 0}, {1, 2, 1}, {0, 0, 0}, {2, 1, 0}}
	for i, k := range keys {
		table.Learn(k, moves(uint64(i+1)), 1)
	}
	for i, k := range keys {
		knows(t, table, k, 1, uint64(i+1))
	}
	if table.Len() != len(keys) {
		t.Errorf("%d entries", table.Len())
	}
}

// What is entered by hand stays until it is taken away by hand.
func TestStatic(t *testing.T) {
	table := New(NewBudget(1), 1, 10)
	table.Learn(key(9), moves(9), 1) // the only one that may be learned
	if err := table.Set(key(1), Entry{MAC: 5, Kind: Static, Sure: true}, true); err != nil {
		t.Fatal(err)
	}
	if err := table.Set(key(1), Entry{MAC: 6, Kind: Static, Sure: true}, true); err != ErrExists {
		t.Errorf("entered twice: %v", err)
	}
	if o := table.Learn(key(1), moves(6), 2); o != RefusedStatic || table.Counts.RefusedStatic.Load() != 1 {
		t.Errorf("moved a static entry: outcome %d", o)
	}
	if o := table.Learn(key(1), moves(5), 2); o != Nothing {
		t.Errorf("a claim that agrees: outcome %d", o)
	}
	table.Age(1000)
	if e := knows(t, table, key(1), 1000, 5); e.Kind != Static || e.Seen != 0 {
		t.Errorf("entry %+v", e)
	}
	knows(t, table, key(9), 1000, 0)
	if err := table.Set(key(1), Entry{MAC: 7, Kind: Learned, Seen: 1000}, false); err != nil { // replaced, and learned now
		t.Fatal(err)
	}
	if o := table.Learn(key(1), moves(8), 1001); o != Moved {
		t.Errorf("outcome %d", o)
	}
	if table.DeleteIf(key(1), Entry{MAC: 7, Kind: Learned, Sure: true}) || !table.DeleteIf(key(1), Entry{MAC: 8, Kind: Learned, Sure: true}) {
		t.Error("the wrong one was deleted, or none")
	}
	if err := table.Delete(key(1)); err != ErrNotFound {
		t.Errorf("deleted twice: %v", err)
	}
	if o := table.Learn(key(2), moves(8), 1001); o != Added {
		t.Errorf("the budget has not come back: outcome %d", o)
	}
	if err := table.Set(key(3), Entry{MAC: 7, Kind: Learned, Seen: 1}, false); err != nil {
		t.Fatal(err)
	}
	if err := table.Set(key(3), Entry{MAC: 8, Kind: Learned, Seen: 1001}, true); err != nil { // the old one counts no more
		t.Error(err)
	}
}

// A storm in one table costs a bounded number of entries there, pushes nothing out, and takes no more than the limit of what all
// share. Operators are never shut out.
func TestStorm(t *testing.T) {
	const limit, frames = 500, 50_000
	budget := NewBudget(3 * limit / 2)
	victim, storm, late := New(budget, limit, 100), New(budget, limit, 100), New(budget, limit, 100)
	for i := range 100 {
		victim.Learn(key(i), moves(uint64(i+1)), 1)
		storm.Learn(key(i), moves(uint64(i+1)), 1)
		victim.Grow()
		storm.Grow()
	}
	for i := range frames {
		storm.Learn(Key{Hi: 7, Lo: uint64(i)}, moves(9), 1)
		if i%1000 == 0 {
			storm.Grow()
		}
	}
	for i := range 100 {
		knows(t, victim, key(i), 1, uint64(i+1))
		knows(t, storm, key(i), 1, uint64(i+1))
	}
	if storm.Len() != limit || storm.Counts.RefusedLimit.Load()+storm.Counts.RefusedRoom.Load() != frames-(limit-100) {
		t.Errorf("%d entries, %d and %d refused", storm.Len(), storm.Counts.RefusedLimit.Load(), storm.Counts.RefusedRoom.Load())
	}
	if n := len(*storm.slots.Load()); n > 16*limit {
		t.Errorf("%d slots", n)
	}
	victim.Grow()
	if o := victim.Learn(key(100), moves(101), 1); o != Added {
		t.Errorf("in another table: outcome %d", o)
	}
	for i := range limit {
		late.Learn(key(i), moves(1), 1)
		late.Grow()
	}
	if all := victim.Len() + storm.Len() + late.Len(); all != 3*limit/2 {
		t.Errorf("%d entries together", all)
	}
	if err := storm.Set(key(1000), Entry{MAC: 5, Kind: Static}, true); err != nil {
		t.Error(err)
	}
	storm.Close()
	if o := storm.Learn(key(1), moves(1), 1); o != Nothing || storm.Len() != 0 {
		t.Errorf("closed: outcome %d, %d entries", o, storm.Len())
	}
	if err := storm.Set(key(1), Entry{MAC: 5, Kind: Static}, true); err != ErrClosed {
		t.Error(err)
	}
	if o := late.Learn(key(2000), moves(1), 1); o != Added {
		t.Errorf("what a closed table had is not free: outcome %d", o)
	}
	victim.Close()
	late.Close()
	if left := budget.left.Load(); left != 3*limit/2 {
		t.Errorf("%d of the budget are left", left)
	}
}

// Against a map: learning, entering, deleting and ageing in any order, with growth on the way.
func TestModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	table, model := New(NewBudget(1<<20), 0, 50), map[Key]Entry{}
	for now := uint32(1); now < 4000; now++ {
		for range 20 {
			k, mac := Key{Hi: uint64(r.IntN(2)), Lo: uint64(r.IntN(700)), VLAN: uint16(r.IntN(2))}, uint64(1+r.IntN(3))
			was, ok := model[k]
			switch r.IntN(20) {
			case 0:
				if err := table.Delete(k); ok && err != nil { // what has aged may still be there
					t.Fatal(err)
				}
				delete(model, k)
			case 1:
				e := Entry{MAC: mac, Kind: Static, Sure: true}
				if err := table.Set(k, e, false); err != nil {
					t.Fatal(err)
				}
				model[k] = e
			default:
				o := table.Learn(k, moves(mac), now)
				for o == RefusedRoom {
					table.Grow()
					o = table.Learn(k, moves(mac), now)
				}
				if !ok || was.Kind == Learned {
					model[k] = Entry{MAC: mac, Kind: Learned, Sure: true, Seen: now}
				}
			}
		}
		for k, e := range model {
			if e.Kind == Learned && now-e.Seen >= 50 {
				delete(model, k)
			}
		}
		if now%7 == 0 {
			table.Age(now)
			table.Grow()
		}
		if now%100 != 0 {
			continue
		}
		for k, e := range model {
			if got := knows(t, table, k, now, e.MAC); got != e {
				t.Fatalf("%v: %+v, want %+v", k, got, e)
			}
		}
		n := 0
		table.Range(now, func(k Key, e Entry) {
			if n++; model[k] != e {
				t.Fatalf("%v: %+v in the walk, want %+v", k, e, model[k])
			}
		})
		if n != len(model) {
			t.Fatalf("%d entries in the walk, want %d", n, len(model))
		}
	}
}

// Readers never see an entry that nobody made: the MAC address goes with the IP address, whoever writes meanwhile.
func TestReadersAndWriters(t *testing.T) {
	table := New(NewBudget(1<<20), 0, 2)
	macOf := func(n int, second uint32) uint64 { return uint64(n)<<8 | uint64(second&0xff) }
	var clock atomic.Uint32
	clock.Store(1)
	var done atomic.Bool
	var wg sync.WaitGroup
	for seed := range uint64(2) {
		wg.Go(func() {
			for r := rand.New(rand.NewPCG(seed, 1)); !done.Load(); {
				n, now := r.IntN(3000), clock.Load()
				table.Learn(key(n), moves(macOf(n, now)), now)
			}
		})
		wg.Go(func() {
			for r := rand.New(rand.NewPCG(seed, 2)); !done.Load(); {
				n := r.IntN(3000)
				if e, ok := table.Lookup(key(n), clock.Load()); ok && e.MAC>>8 != uint64(n) {
					t.Errorf("%d is at %x", n, e.MAC)
					return
				}
			}
		})
	}
	for now := uint32(2); now < 60; now++ {
		clock.Store(now)
		table.Age(now)
		table.Grow()
		table.Range(now, func(k Key, e Entry) {
			if e.MAC>>8 != k.Lo&0xffffffff {
				t.Errorf("%v is at %x", k, e.MAC)
			}
		})
		time.Sleep(time.Millisecond)
	}
	done.Store(true)
	wg.Wait()
}

func TestNoAllocations(t *testing.T) {
	table := New(NewBudget(1<<20), 0, 0)
	n := 0
	if a := testing.AllocsPerRun(1000, func() {
		n++
		table.Learn(key(n%40), moves(uint64(n)), uint32(n))
		table.Learn(key(n), moves(uint64(n)), uint32(n))
		table.Lookup(key(n), uint32(n))
	}); a != 0 {
		t.Errorf("%v allocations", a)
	}
}
