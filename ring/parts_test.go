package ring

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// jumbo returns a loopback whose packets have several parts, over heap memory with one pool.
func jumbo(t testing.TB, frames int, size uint32) (*Memory, *Depot, *Pool, *Socket, *Kernel) {
	t.Helper()
	m := heap(t, frames, 16384)
	d := NewDepot(m)
	p := d.NewPool()
	s, k := NewLoopback(m, size, p)
	return m, d, p, s, k
}

// anyFrame is one of a length up to what a frame holds.
func anyFrame(rng *rand.Rand) []byte {
	length := []int{1, 60, 1514, 3839, 3840, 3841, 4096, 7680, 7681, 9064, 16384 - 256}[rng.IntN(11)]
	frame := make([]byte, length)
	for i := range frame {
		frame[i] = byte(rng.Uint32())
	}
	return frame
}

// Packets of all lengths come and leave whole, in order, with what is put in front of them, through rings that are often full; no
// frame is lost or used twice.
func TestPartsForward(t *testing.T) {
	const outer = 50
	m, d, p, s, k := jumbo(t, 96, 16)
	rng := rand.New(rand.NewPCG(1, 2))
	var sent [][]byte
	got := 0
	take := func() {
		k.Take(func(addr uint64, frame []byte) {
			if !bytes.Equal(frame[outer:], sent[got]) || !bytes.Equal(frame[:outer], bytes.Repeat([]byte{byte(got)}, outer)) {
				t.Fatalf("packet %d of %d bytes left changed, with %d", got, len(sent[got]), len(frame))
			}
			got++
		})
	}
	batch := make([]Desc, 5)
	var held []Desc // received, and not staged since tx was full
	first := 0      // number of the first of them
	for range 20000 {
		if f := anyFrame(rng); rng.IntN(2) == 0 && k.Deliver(f) {
			sent = append(sent, f)
		}
		held = append(held, batch[:s.Receive(batch)]...)
		for len(held) > 0 {
			desc := held[0]
			if desc.Addr&(m.size-1) != 256 || int(desc.Len) != len(sent[first]) {
				t.Fatalf("packet %d lies at %d with %d bytes, want 256 and %d", first, desc.Addr&(m.size-1), desc.Len, len(sent[first]))
			}
			desc.Addr, desc.Len = desc.Addr-outer, desc.Len+outer
			copy(m.Bytes(desc.Addr, outer), bytes.Repeat([]byte{byte(first)}, outer))
			if !s.Send(desc) {
				break
			}
			held, first = held[1:], first+1
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if rng.IntN(4) == 0 {
			take()
		}
		s.Reap(p)
		s.Refill(p)
		if c := m.Census(); c.Conflicts > 0 {
			t.Fatal(c)
		}
	}
	for range 200 {
		take()
		s.Reap(p)
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if got != first || got < 1000 || s.Pending() != 0 {
		t.Errorf("%d packets left of %d staged, %d pending", got, first, s.Pending())
	}
	if c := s.Counters(); c != (Counters{}) {
		t.Errorf("counted %+v", c)
	}
	for _, desc := range held {
		p.Put(desc.Addr)
	}
	wantAll(t, m, d, p, s)
}

// A frame is the sender's again when the last of its chunks is completed, and not before.
func TestPartsCompleted(t *testing.T) {
	m, d, p, s, k := jumbo(t, 8, 4)
	addr, _ := p.Get()
	s.Send(Desc{Addr: addr + 256, Len: 9000})
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if n := k.Tx.Peek(4); n != 3 {
		t.Fatalf("a packet of 9,000 bytes is %d descriptors, want 3", n)
	}
	for i := range uint32(3) {
		d := k.Tx.At(i)
		if wantMore := i < 2; (d.Options&more != 0) != wantMore || d.Addr&4095+uint64(d.Len) > 4096 {
			t.Errorf("part %d is %+v", i, d)
		}
		if k.Completion.Reserve(1) != 1 {
			t.Fatal("no room")
		}
		k.Completion.Set(0, d.Addr)
		k.Completion.Submit(1)
		if n, want := s.Reap(p), int(i)/2; n != want {
			t.Errorf("after %d completions %d frames are free, want %d", i+1, n, want)
		}
	}
	k.Tx.Release(3)
	wantAll(t, m, d, p, s)
}

// What a driver must not deliver costs that packet, is counted, and loses no frame.
func TestPartsThatAreWrong(t *testing.T) {
	m, d, p, s, k := jumbo(t, 64, 16)
	fill := func() uint64 {
		k.Fill.Peek(1)
		addr := k.Fill.At(0)
		k.Fill.Release(1)
		return addr + packetHeadroom
	}
	good := func() {
		t.Helper()
		if !k.Deliver(make([]byte, 9000)) {
			t.Fatal("not delivered")
		}
		var batch [4]Desc
		n := s.Receive(batch[:])
		if n != 1 || batch[0].Len != 9000 {
			t.Fatalf("received %d, the first %+v, want the one that follows", n, batch[0])
		}
		p.Put(batch[0].Addr)
		s.Refill(p)
	}
	part := func(addr uint64, length, options uint32) Desc { return Desc{Addr: addr, Len: length, Options: options} }
	foreign := uint64(m.Frames()) << m.shift
	for _, c := range []struct {
		name  string
		parts []Desc
		want  Counters
	}{
		{"a first part that is not ours", []Desc{part(foreign, 3840, more), part(fill(), 100, 0)}, Counters{Foreign: 1}},
		{"a last part that is not ours", []Desc{part(fill(), 3840, more), part(foreign, 100, 0)}, Counters{Foreign: 1}},
		{"only parts that are not ours", []Desc{part(foreign, 3840, more), part(foreign, 100, 0)}, Counters{Foreign: 2}},
		{"a whole packet that is not ours", []Desc{part(foreign, 60, 0)}, Counters{Foreign: 1}},
		{"a part that runs out of its frame", []Desc{part(fill(), 3840, more), part(fill(), 1<<20, more), part(fill(), 1, 0)}, Counters{Malformed: 1}},
		{"a whole packet that runs out of its frame", []Desc{part(fill(), 16384, 0)}, Counters{Malformed: 1}},
		{"more than a frame holds", []Desc{part(fill(), 16000, more), part(fill(), 129, more), part(fill(), 1, 0)}, Counters{TooLong: 1}},
	} {
		before := s.Counters()
		for _, d := range c.parts {
			k.DeliverDesc(d)
		}
		if n := s.Receive(make([]Desc, 4)); n != 0 {
			t.Errorf("%s: %d packets were received", c.name, n)
		}
		s.Reap(p)
		s.Refill(p)
		after := s.Counters()
		after.Foreign, after.Malformed, after.TooLong = after.Foreign-before.Foreign, after.Malformed-before.Malformed, after.TooLong-before.TooLong
		if after != c.want {
			t.Errorf("%s: counted %+v, want %+v", c.name, after, c.want)
		}
		good()
	}
	k.DeliverDesc(Desc{Addr: fill(), Len: 3840, Options: more}) // and the socket is closed before the rest
	s.Receive(make([]Desc, 4))
	wantAll(t, m, d, p, s)
}

// FuzzParts lets a driver deliver any descriptors: no frame is lost or used twice, and nothing outside of frames is touched.
func FuzzParts(f *testing.F) {
	f.Add([]byte{0, 15, 1, 1, 15, 0, 2, 60, 0, 200, 1, 1})
	f.Fuzz(func(t *testing.T, script []byte) {
		m, d, p, s, k := jumbo(t, 32, 16)
		var batch [4]Desc
		for ; len(script) >= 3; script = script[3:] {
			k.DeliverDesc(Desc{Addr: uint64(script[0]) * 4000, Len: uint32(script[1]) * 256, Options: uint32(script[2])})
			for _, desc := range batch[:s.Receive(batch[:])] {
				if desc.Addr&(m.size-1)+uint64(desc.Len) > m.size {
					t.Fatalf("%+v does not lie in its frame", desc)
				}
				p.Put(desc.Addr)
			}
			s.Reap(p)
			s.Refill(p)
		}
		if c := m.Census(); c.Conflicts > 0 {
			t.Fatal(c)
		}
		wantAll(t, m, d, p, s)
	})
}

// Of the largest packets, which have several parts, rings have room for fewer than of small ones.
func TestRoom(t *testing.T) {
	_, _, _, s, _ := jumbo(t, 96, 16)
	if room := s.Room(); room != 4 {
		t.Errorf("rings of 16 parts have room for %d packets of 4", room)
	}
	m := heap(t, 96, 4096)
	s, _ = NewLoopback(m, 16, NewDepot(m).NewPool())
	if room := s.Room(); room != 16 {
		t.Errorf("rings of 16 have room for %d packets", room)
	}
}
