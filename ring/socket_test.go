package ring

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// loop returns a loopback over heap memory with one pool.
func loop(t testing.TB, frames int, size uint32) (*Memory, *Depot, *Pool, *Socket, *Kernel) {
	t.Helper()
	m := heap(t, frames, 2048)
	d := NewDepot(m)
	p := d.NewPool()
	s, k := NewLoopback(m, size, p)
	return m, d, p, s, k
}

// wantAll closes the socket and wants every frame back in the depot, once.
func wantAll(t *testing.T, m *Memory, d *Depot, p *Pool, sockets ...*Socket) {
	t.Helper()
	for _, s := range sockets {
		if err := s.Close(p); err != nil {
			t.Error(err)
		}
	}
	p.Drain()
	drained(t, d)
	if diff := cmp.Diff(Census{User: m.Frames()}, m.Census()); diff != "" {
		t.Errorf("census after close (-want +got):\n%s", diff)
	}
}

func TestLoopbackForwards(t *testing.T) {
	m, d, p, s, k := loop(t, 64, 16)
	batch := make([]Desc, 8)
	for round := range 1000 {
		var sent [][]byte
		for i := range 1 + round%8 {
			frame := bytes.Repeat([]byte{byte(round), byte(i)}, 30+i)
			if !k.Deliver(frame) {
				t.Fatalf("round %d: frame %d was dropped", round, i)
			}
			sent = append(sent, frame)
		}
		n := s.Receive(batch)
		if n != len(sent) {
			t.Fatalf("received %d of %d", n, len(sent))
		}
		for i, desc := range batch[:n] {
			if !bytes.Equal(m.Bytes(desc.Addr, desc.Len), sent[i]) {
				t.Fatalf("round %d: frame %d differs", round, i)
			}
			if desc.Addr%2048 != 256 {
				t.Fatalf("frame starts at %d of its frame, want 256", desc.Addr%2048)
			}
			if !s.Send(desc) {
				t.Fatal("tx full")
			}
		}
		if k.Tx.Peek(1) != 0 {
			t.Fatal("staged frames were seen before Flush")
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if s.Pending() != uint32(n) {
			t.Fatalf("pending %d, want %d", s.Pending(), n)
		}
		i := 0
		k.Take(func(addr uint64, frame []byte) {
			if m.Frame(addr) != m.Frame(batch[i].Addr) || !bytes.Equal(frame, sent[i]) {
				t.Errorf("round %d: frame %d left changed", round, i)
			}
			i++
		})
		if s.Pending() != 0 || i != n {
			t.Fatalf("took %d of %d, pending %d", i, n, s.Pending())
		}
		if s.Reap(p) != n {
			t.Fatal("not all frames completed")
		}
		s.Refill(p)
		if rx, tx := s.Outstanding(); rx != 16 || tx != 0 {
			t.Fatalf("outstanding %d and %d, want 16 and 0", rx, tx)
		}
	}
	wantAll(t, m, d, p, s)
	if rx, tx := s.Outstanding(); rx != 0 || tx != 0 {
		t.Errorf("outstanding after close: %d and %d", rx, tx)
	}
}

func TestSendRefuses(t *testing.T) {
	m, d, p, s, _ := loop(t, 64, 8)
	a, _ := p.Get()
	for _, c := range []struct {
		name string
		desc Desc
	}{
		{"empty", Desc{Addr: a}},
		{"into the next frame", Desc{Addr: a + 2000, Len: 49}},
		{"longer than a frame", Desc{Addr: a, Len: 2049}},
		{"huge", Desc{Addr: a, Len: ^uint32(0)}},
		{"behind the memory", Desc{Addr: 64 * 2048, Len: 60}},
		{"far behind the memory", Desc{Addr: 1 << 63, Len: 60}},
		{"at the end of the address space", Desc{Addr: ^uint64(0), Len: 60}},
	} {
		if s.Send(c.desc) {
			t.Errorf("%s: sent", c.name)
		}
	}
	if !s.Send(Desc{Addr: a, Len: 2048, Options: 77}) {
		t.Error("a whole frame was refused")
	}
	if got := s.tx.slots[0]; got != (Desc{Addr: a, Len: 2048}) {
		t.Errorf("tx ring got %+v", got)
	}
	if s.Send(Desc{Addr: a, Len: 60}) {
		t.Error("a frame was sent twice")
	}
	if got := s.Counters().Refused; got != 8 {
		t.Errorf("refused %d, want 8", got)
	}
	wantAll(t, m, d, p, s)
}

func TestSendStopsAtAFullRing(t *testing.T) {
	m, d, p, s, k := loop(t, 64, 8)
	sent := 0
	for range 12 {
		addr, ok := p.Get()
		if !ok {
			t.Fatal("no frame")
		}
		if s.Send(Desc{Addr: addr, Len: 60}) {
			sent++
		} else {
			p.Put(addr)
		}
	}
	if sent != 8 {
		t.Errorf("ring of 8 took %d", sent)
	}
	s.Flush()
	k.Take(func(uint64, []byte) {})
	if k.Tx.Peek(8) != 0 || s.Counters().Refused != 0 {
		t.Error("frames left or refused")
	}
	addr, _ := p.Get()
	if !s.Send(Desc{Addr: addr, Len: 60}) {
		t.Error("no room after the ring was taken")
	}
	wantAll(t, m, d, p, s)
}

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

func TestRefillWakesOnlyWhenAsked(t *testing.T) {
	m, d, p, s, k := loop(t, 64, 8)
	k.NeedWakeup(true, true)
	if !s.fill.NeedWakeup() || !s.tx.NeedWakeup() {
		t.Error("flags not seen")
	}
	s.Refill(p)
	s.Flush()
	if got := s.Counters(); got != (Counters{}) {
		t.Errorf("a loopback made system calls: %+v", got)
	}
	k.NeedWakeup(false, false)
	if s.fill.NeedWakeup() || s.tx.NeedWakeup() {
		t.Error("flags not cleared")
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

// TestLoopbackBetweenGoroutines runs the socket in one goroutine and the kernel in another under the race detector.
func TestLoopbackBetweenGoroutines(t *testing.T) {
	const total = 5000
	m, d, p, s, k := loop(t, 256, 64)
	done := make(chan int)
	go func() {
		delivered, taken := uint32(0), uint32(0)
		frame := make([]byte, 64)
		for taken < total {
			binary.LittleEndian.PutUint32(frame, delivered)
			if delivered < total && k.Deliver(frame) {
				delivered++
			}
			k.Take(func(_ uint64, frame []byte) {
				if got := binary.LittleEndian.Uint32(frame); got != taken {
					t.Errorf("frame %d came as %d", got, taken)
				}
				taken++
			})
		}
		close(done)
	}()
	batch := make([]Desc, 16)
	for running := true; running; {
		for _, desc := range batch[:s.Receive(batch)] {
			for !s.Send(desc) { // the other goroutine may not have run for a while
				s.Flush()
				s.Reap(p)
				runtime.Gosched()
			}
		}
		s.Flush()
		s.Reap(p)
		s.Refill(p)
		select {
		case <-done:
			running = false
		default:
		}
	}
	wantAll(t, m, d, p, s)
}

func TestVerbsAfterClose(t *testing.T) {
	m, d, p, s, _ := loop(t, 64, 8)
	addr, _ := p.Get()
	wantOpen := 64 - 8
	if c := m.Census(); c.User != wantOpen {
		t.Errorf("census %v, want user %d", c, wantOpen)
	}
	for range 2 {
		if err := s.Close(p); err != nil {
			t.Error(err)
		}
	}
	s.Refill(p)
	if s.Receive(make([]Desc, 4)) != 0 || s.Reap(p) != 0 || s.Send(Desc{Addr: addr, Len: 60}) || s.Flush() != nil || s.Pending() != 0 {
		t.Error("a verb did something after Close")
	}
	if _, err := s.Statistics(); err == nil {
		t.Error("statistics of a closed socket")
	}
	p.Put(addr)
	wantAll(t, m, d, p)
}

func TestVerbsAllocateNothing(t *testing.T) {
	_, _, p, s, k := loop(t, 256, 64)
	batch := make([]Desc, 64)
	frame := make([]byte, 60)
	if n := testing.AllocsPerRun(200, func() {
		for range 30 {
			k.Deliver(frame)
		}
		k.DeliverDesc(Desc{Addr: 1 << 40})
		for _, desc := range batch[:s.Receive(batch)] {
			s.Send(desc)
		}
		s.Send(Desc{})
		s.Flush()
		k.Take(func(uint64, []byte) {})
		s.Reap(p)
		s.Refill(p)
		s.Outstanding()
		s.Counters()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
