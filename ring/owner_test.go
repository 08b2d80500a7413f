package ring

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHostileKernel delivers what no correct driver would: nothing of it may reach the user or a pool.
func TestHostileKernel(t *testing.T) {
	m, d, p, s, k := loop(t, 64, 8)
	other, otherKernel := NewLoopback(m, 8, p)
	free, _ := p.Get()
	batch := make([]Desc, 8)
	receive := func(name string, want int) {
		t.Helper()
		if n := s.Receive(batch); n != want {
			t.Errorf("%s: received %d, want %d", name, n, want)
		}
	}
	addr := k.Fill.At(0)
	k.Fill.Release(1)
	for range 3 {
		k.DeliverDesc(Desc{Addr: addr + 256, Len: 60})
	}
	receive("the same frame three times", 1)
	k.DeliverDesc(Desc{Addr: addr + 256, Len: 60})
	receive("the same frame later", 0)
	k.DeliverDesc(Desc{Addr: otherKernel.Fill.At(0), Len: 60})
	receive("a frame of another socket", 0)
	k.DeliverDesc(Desc{Addr: free, Len: 60})
	receive("a frame of the user", 0)
	for _, far := range []uint64{64 * 2048, 1 << 32, 1 << 63, ^uint64(0)} {
		k.DeliverDesc(Desc{Addr: far, Len: 60})
	}
	receive("frames out of range", 0)
	if got := s.Counters(); got.Foreign != 9 || got.Malformed != 0 {
		t.Errorf("counted %+v, want 9 foreign", got)
	}
	if rx, _ := s.Outstanding(); rx != 7 {
		t.Errorf("outstanding %d, want 7", rx)
	}

	long := k.Fill.Peek(1)
	k.DeliverDesc(Desc{Addr: k.Fill.At(0) + 2000, Len: 49})
	k.Fill.Release(long)
	receive("a frame that runs into the next", 1)
	if batch[0].Len != 0 || s.Counters().Malformed != 1 {
		t.Errorf("handed out as %+v, malformed %d", batch[0], s.Counters().Malformed)
	}
	p.Put(batch[0].Addr)

	// The kernel completes frames it does not have, and one it has twice.
	s.Send(Desc{Addr: free, Len: 60})
	s.Flush()
	for i, a := range []uint64{free, free, addr, otherKernel.Fill.At(0), k.Fill.At(0), 64 * 2048, ^uint64(0)} {
		k.Completion.Reserve(8)
		k.Completion.Set(uint32(i), a)
	}
	k.Completion.Submit(7)
	if n := s.Reap(p); n != 1 {
		t.Errorf("reaped %d, want 1", n)
	}
	if got := s.Counters().Foreign; got != 9+6 {
		t.Errorf("foreign %d, want 15", got)
	}
	if _, tx := s.Outstanding(); tx != 0 {
		t.Errorf("outstanding %d, want 0", tx)
	}
	p.Put(addr)
	wantAll(t, m, d, p, s, other)
}

// TestHostileIndices has the kernel's indices jump; the verbs may do nothing worse than count.
func TestHostileIndices(t *testing.T) {
	m, d, p, s, k := loop(t, 64, 8)
	batch := make([]Desc, 32)
	k.Rx.producer.Store(1 << 30)
	k.Completion.producer.Store(1 << 31)
	k.Fill.consumer.Store(77)
	k.Tx.consumer.Store(^uint32(0) - 5)
	for range 10 {
		for _, desc := range batch[:s.Receive(batch)] {
			p.Put(desc.Addr)
		}
		s.Reap(p)
		s.Refill(p)
		if addr, ok := p.Get(); ok && !s.Send(Desc{Addr: addr, Len: 60}) {
			p.Put(addr)
		}
		s.Flush()
	}
	wantAll(t, m, d, p, s)
}

// TestConservation does random things with three sockets over one memory, a goroutine playing each one's kernel, and wants
// every frame once at every census.
func TestConservation(t *testing.T) {
	const frames = 300
	m := heap(t, frames, 2048)
	d := NewDepot(m)
	p := d.NewPool()
	var sockets []*Socket
	var kernels []*Kernel
	for range 3 {
		s, k := NewLoopback(m, 32, p)
		sockets, kernels = append(sockets, s), append(kernels, k)
	}
	r := rand.New(rand.NewPCG(5, 6))
	var held []Desc
	batch := make([]Desc, 20)
	frame := make([]byte, 60)
	for range 300 {
		var wg sync.WaitGroup
		for i, k := range kernels {
			seed := r.Uint64()
			wg.Go(func() {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				for range 50 {
					if r.IntN(3) == 0 {
						k.Take(func(uint64, []byte) {})
					} else {
						k.Deliver(frame)
					}
				}
			})
		}
		for range 50 {
			s := sockets[r.IntN(len(sockets))]
			switch r.IntN(6) {
			case 0:
				held = append(held, batch[:s.Receive(batch[:r.IntN(20)])]...)
			case 1:
				for len(held) > 0 && s.Send(held[len(held)-1]) {
					held = held[:len(held)-1]
				}
			case 2:
				s.Flush()
			case 3:
				s.Reap(p)
			case 4:
				s.Refill(p)
			case 5:
				if len(held) > 0 {
					p.Put(held[0].Addr)
					held = held[1:]
				}
			}
		}
		wg.Wait()
		for _, s := range sockets {
			s.Flush()
		}
		c := m.Census()
		if want := len(held) + p.Len() + d.Len(); c.User != want || c.Conflicts != 0 {
			t.Fatalf("user %d, want %d: %v", c.User, want, c)
		}
		claimed := 0
		for i, s := range sockets {
			rx, tx := s.Outstanding()
			if int(rx) != c.Claims[i].Receiving || int(tx) != c.Claims[i].Sending {
				t.Fatalf("outstanding %d and %d, census says %v", rx, tx, c)
			}
			claimed += int(rx + tx)
			if got := s.Counters(); got.Foreign+got.Malformed+got.Refused != 0 {
				t.Fatalf("counted %+v", got)
			}
		}
		if c.User+claimed != frames {
			t.Fatalf("%d of the user, %d of sockets, %d in all", c.User, claimed, frames)
		}
	}
	for _, desc := range held {
		p.Put(desc.Addr)
	}
	wantAll(t, m, d, p, sockets...)
}

// TestCensusSeesConflicts sends one frame on two sockets, which only a broken caller does.
func TestCensusSeesConflicts(t *testing.T) {
	m, _, p, s, _ := loop(t, 64, 8)
	other, _ := NewLoopback(m, 8, p)
	addr, _ := p.Get()
	s.Send(Desc{Addr: addr, Len: 60})
	other.Send(Desc{Addr: addr, Len: 60})
	want := Census{User: 64 - 17, Conflicts: 1, Claims: []Claim{
		{Device: "loopback", Receiving: 8, Sending: 1}, {Device: "loopback", Receiving: 8, Sending: 1},
	}}
	if diff := cmp.Diff(want, m.Census()); diff != "" {
		t.Errorf("census (-want +got):\n%s", diff)
	}
	const line = "user 47 conflicts 1; loopback queue 0 receiving 8 sending 1; loopback queue 0 receiving 8 sending 1"
	if got := m.Census().String(); got != line {
		t.Errorf("census %q, want %q", got, line)
	}
}
