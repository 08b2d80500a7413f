package ring

import (
	"bytes"
	"encoding/binary"
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

func TestFlushRefuses(t *testing.T) {
	m, d, p, s, k := loop(t, 64, 16)
	get := func() uint64 {
		addr, ok := p.Get()
		if !ok {
			t.Fatal("no frame")
		}
		return addr
	}
	first, twice, last := get(), get(), get()
	for _, desc := range []Desc{
		{Addr: first, Len: 2048, Options: 77},
		{Addr: get()},                 // empty
		{Addr: get() + 2000, Len: 49}, // into the next frame
		{Addr: twice, Len: 60},
		{Addr: get(), Len: 2049}, // longer than a frame
		{Addr: get(), Len: ^uint32(0)},
		{Addr: twice, Len: 60},
		{Addr: 64 * 2048, Len: 60}, // behind the memory
		{Addr: 1 << 63, Len: 60},
		{Addr: ^uint64(0), Len: 60},
		{Addr: last, Len: 61},
	} {
		if !s.Send(desc) {
			t.Errorf("%+v: tx full", desc)
		}
	}
	if err := s.Flush(); err != nil {
		t.Error(err)
	}
	var got []Desc
	for i := range k.Tx.Peek(16) {
		got = append(got, k.Tx.At(i))
	}
	if diff := cmp.Diff([]Desc{{Addr: first, Len: 2048}, {Addr: twice, Len: 60}, {Addr: last, Len: 61}}, got); diff != "" {
		t.Errorf("the kernel's (-want +got):\n%s", diff)
	}
	if got := s.Counters().Refused; got != 8 {
		t.Errorf("refused %d, want 8", got)
	}
	if packets, bytes := s.Sent(); packets != 3 || bytes != 2048+60+61 {
		t.Errorf("sent %d packets, %d bytes", packets, bytes)
	}
	if before := p.Len(); s.Reap(p) != 0 || p.Len() != before+4 {
		t.Errorf("%d of the 4 refused frames that were the caller's came back", p.Len()-before)
	}
	wantAll(t, m, d, p, s)
}

// A socket that is closed between Send and Flush gives back what is staged, right or wrong.
func TestCloseWithFramesStaged(t *testing.T) {
	m, d, p, s, _ := loop(t, 64, 8)
	for i := range uint32(4) {
		addr, _ := p.Get()
		s.Send(Desc{Addr: addr, Len: 60 * (i % 2)})
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
	s.Reap(p)
	addr, _ := p.Get()
	if !s.Send(Desc{Addr: addr, Len: 60}) {
		t.Error("no room after the ring was taken")
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
	var status sync.WaitGroup
	status.Go(func() { // what a status page asks for meanwhile
		for {
			rx, tx := s.Outstanding()
			if _, err := s.Statistics(); err != nil || rx > 256 || tx > 256 || s.Counters().Foreign > 0 {
				t.Errorf("outstanding %d and %d, counted %+v, %v", rx, tx, s.Counters(), err)
			}
			select {
			case <-done:
				return
			default:
				runtime.Gosched()
			}
		}
	})
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
	status.Wait()
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

// TestLendsSoMany has a kernel take whatever the fill ring has, as a NIC with a large ring of its own does: it gets so many
// frames and no more, and others once those come back.
func TestLendsSoMany(t *testing.T) {
	const size, most = 16, 2*16 + napiWeight
	m, d, p, s, k := loop(t, 256, size)
	var taken []uint64
	hoard := func() {
		t.Helper()
		for range 100 {
			for range k.Fill.Peek(size) {
				taken = append(taken, k.Fill.At(0))
				k.Fill.Release(1)
			}
			if full := s.Refill(p); !full {
				t.Fatal("short of frames, although it may have no more")
			}
		}
		if len(taken) != most {
			t.Fatalf("the kernel has %d frames, want %d", len(taken), most)
		}
	}
	hoard()
	batch := make([]Desc, size)
	for range 10 {
		for range size {
			k.DeliverDesc(Desc{Addr: taken[0] + packetHeadroom, Len: 60})
			k.DeliverDesc(Desc{Addr: taken[0] + packetHeadroom, Len: 60}) // twice: counts once
			taken = taken[1:]
			for _, desc := range batch[:s.Receive(batch)] {
				p.Put(desc.Addr)
			}
		}
		if len(taken) == 0 {
			t.Fatal("the kernel has run dry")
		}
		hoard()
	}
	wantAll(t, m, d, p, s)
}
