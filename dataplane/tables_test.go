package dataplane

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"

	"vxgw/fdb"
)

func TestVerdictTexts(t *testing.T) {
	names := map[string]Verdict{}
	for v := range VerdictCount {
		v := Verdict(v)
		if v.String() == "" || v.Sentence() == "" {
			t.Errorf("verdict %d has no name or no sentence", v)
		}
		if other, ok := names[v.String()]; ok {
			t.Errorf("verdicts %d and %d are both called %s", v, other, v)
		}
		names[v.String()] = v
	}
	for _, v := range []Verdict{ToPort, ToRemote, Flooded, ToKernel} {
		if v.Drop() {
			t.Errorf("%v counts as a drop", v)
		}
	}
	if !Short.Drop() || !NoHeadroom.Drop() {
		t.Error("drops do not count as such")
	}
}

// Everything that was pushed comes out once, in order, also around the end of the
// indices and with two goroutines at it.
func TestExchange(t *testing.T) {
	e := NewExchange[int](8)
	start := ^uint32(0) - 3
	e.produced.Store(start)
	e.consumed.Store(start)
	e.staged, e.room = start, start+8
	const total = 100_000
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; i < total; {
			if e.Push(i) {
				i++
				if i%5 == 0 {
					e.Publish()
				}
				continue
			}
			e.Publish()
		}
		e.Publish()
	})
	var out [3]int
	for want := 0; want < total; {
		n := e.Take(out[:])
		for _, v := range out[:n] {
			if v != want {
				t.Fatalf("took %d, want %d", v, want)
			}
			want++
		}
	}
	wg.Wait()
	if !e.Empty() || e.Publish() {
		t.Error("something is left")
	}
}

func TestExchangeFull(t *testing.T) {
	e := NewExchange[int](4)
	for i := range 4 {
		if !e.Push(i) {
			t.Fatal("full too early")
		}
	}
	if e.Push(4) {
		t.Fatal("took more than its size")
	}
	if !e.Empty() {
		t.Error("showed what was not published")
	}
	e.Publish()
	var out [8]int
	if n := e.Take(out[:]); n != 4 || !e.Push(9) {
		t.Errorf("took %d, and there is no room afterwards", n)
	}
}

func TestVNITable(t *testing.T) {
	want := map[uint32]uint16{}
	var domains []*Domain
	rnd := rand.New(rand.NewPCG(3, 4))
	for i := range 4096 {
		vni := 1 + rnd.Uint32N(1<<24-1)
		if _, ok := want[vni]; ok {
			continue
		}
		want[vni] = uint16(i)
		domains = append(domains, &Domain{Index: uint16(i), VNI: vni}, nil)
	}
	table := NewVNITable(domains)
	for vni, index := range want {
		if got := table.Domain(vni); got != index {
			t.Fatalf("vni %d: domain %d, want %d", vni, got, index)
		}
	}
	for range 100_000 {
		vni := rnd.Uint32N(1 << 24)
		if _, ok := want[vni]; !ok && table.Domain(vni) != NoDomain {
			t.Fatalf("vni %d has a domain", vni)
		}
	}

	// One by one, each table leaving those before it as they are.
	empty := NewVNITable(nil)
	grown := empty
	for vni, index := range want {
		grown = grown.With(vni, index)
	}
	before := grown
	for vni, index := range want {
		if index%2 == 0 {
			grown = grown.With(vni, NoDomain)
		}
		if before.Domain(vni) != index || empty.Domain(vni) != NoDomain {
			t.Fatalf("vni %d: an older table has changed", vni)
		}
	}
	for vni, index := range want {
		if index%2 == 0 {
			index = NoDomain
		}
		if got := grown.Domain(vni); got != index {
			t.Fatalf("vni %d: domain %d, want %d", vni, got, index)
		}
	}
}

// The table of remotes against a map, with readers that look while others add and
// retire: a number found is always that of the address asked for.
func TestRemotes(t *testing.T) {
	r := NewRemotes(256)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	stop := make(chan struct{})
	var wg sync.WaitGroup
	const stable = 50 // never retired
	for i := range stable {
		_, err := r.Add(addr(i))
		must(t, err)
	}
	for range 2 {
		wg.Go(func() {
			for i := 0; ; i = (i + 1) % stable {
				select {
				case <-stop:
					return
				default:
				}
				if n, ok := r.Find(addr(i)); !ok || n != uint32(i) {
					t.Errorf("remote %d is found as %d, %t", i, n, ok)
					return
				}
			}
		})
	}
	twin := map[int]uint32{}
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 5_000 {
		i := stable + rnd.IntN(400)
		if n, ok := twin[i]; ok && rnd.IntN(2) == 0 {
			r.Retire([]uint32{n})
			if _, ok := r.Find(addr(i)); ok {
				t.Fatalf("retired remote %d is still found", i)
			}
			r.Release([]uint32{n})
			delete(twin, i)
			continue
		}
		n, err := r.Add(addr(i))
		if known, ok := twin[i]; ok && (err != nil || n != known) {
			t.Fatalf("remote %d has number %d, was %d: %v", i, n, known, err)
		}
		if full := len(twin)+stable == 256; err != nil {
			if !full {
				t.Fatalf("full with %d remotes", len(twin)+stable)
			}
			continue
		}
		twin[i] = n
	}
	close(stop)
	wg.Wait()
	taken := map[uint32]bool{}
	for i, n := range twin {
		if got, ok := r.Find(addr(i)); !ok || got != n || taken[n] {
			t.Errorf("remote %d: number %d, %t, want %d", i, got, ok, n)
		}
		taken[n] = true
		if r.Addrs()[n] != addr(i) {
			t.Errorf("number %d is %v, want %v", n, r.Addrs()[n], addr(i))
		}
	}
}

// No path of the data plane allocates.
func TestNoAllocations(t *testing.T) {
	r := newRig(t, 2)
	runs := map[string]struct {
		to    end
		frame []byte
	}{
		"encap":   {r.ports[0], ipFrame(hostR, hostA, 1, 18)},
		"decap":   {r.wire, tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 1, 18))},
		"bridge":  {r.ports[1], ipFrame(hostA, hostB, 1, 18)},
		"flood":   {r.ports[0], ipFrame(bcast, hostA, 1, 18)},
		"drop":    {r.wire, tunnelled(t, remote, 43, 0, ipFrame(hostA, hostR, 1, 18))},
		"short":   {r.wire, make([]byte, 20)},
		"move":    {r.ports[1], ipFrame(bcast, hostA, 1, 18)},
		"too big": {r.ports[0], ipFrame(hostR, hostA, 1, 1472)},
	}
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	for name, tc := range runs {
		none := func(uint64, []byte) {}
		allocs := testing.AllocsPerRun(200, func() {
			tc.to.kernel.Deliver(tc.frame)
			r.run()
			for _, e := range []end{r.wire, r.ports[0], r.ports[1]} {
				e.kernel.Take(none)
			}
			r.run()
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations per frame", name, allocs)
		}
	}
	if r.worker.Counters.Answers.Load() == 0 {
		t.Error("nothing was too big")
	}
	r.path(0, PathSlow)
	r.publish()
	discard := discardSender{}
	if n := testing.AllocsPerRun(200, func() {
		r.ports[0].kernel.Deliver(runs["flood"].frame)
		r.run()
		r.runSlow(discard)
		for _, e := range r.ports {
			e.kernel.Take(func(uint64, []byte) {})
		}
		r.run()
	}); n != 0 {
		t.Errorf("slow path: %v allocations per frame", n)
	}
}

type discardSender struct{}

// Unsent is nothing.
func (discardSender) Unsent() int { return 0 }

// Send does nothing.
func (discardSender) Send([]byte) error { return nil }
