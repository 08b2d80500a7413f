package ring

import (
	"bytes"
	"testing"

	"github.com/asavie/xdp"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// far is the other end of a veth pair: an AF_XDP implementation that is not ours.
type far struct{ *xdp.Socket }

func newFar(t *testing.T, ifindex int) far {
	t.Helper()
	program, err := xdp.NewProgram(2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	if err := program.Attach(ifindex); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Detach(ifindex) })
	s, err := xdp.NewSocket(ifindex, 0, &xdp.SocketOptions{
		NumFrames: 1024, FrameSize: 2048,
		FillRingNumDescs: 512, CompletionRingNumDescs: 512, RxRingNumDescs: 512, TxRingNumDescs: 512,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := program.Register(0, s.FD()); err != nil {
		t.Fatal(err)
	}
	s.Fill(s.GetDescs(512))
	return far{s}
}

// send sends the patterns from first on and returns how many the ring took.
func (f far) send(first, n int) int {
	f.Complete(f.NumCompleted())
	descs := f.GetDescs(n)
	for i := range descs {
		frame := pattern(first+i, sizeOf(first+i))
		descs[i].Len = uint32(copy(f.GetFrame(xdp.Desc{Addr: descs[i].Addr, Len: 2048}), frame))
	}
	return f.Transmit(descs)
}

// kick sends on what an earlier call left in the ring: one stops where too many frames are under way.
func (f far) kick() { f.Transmit(nil) }

// receive shows what has arrived to fn and returns how many frames that were.
func (f far) receive(fn func(frame []byte)) int {
	descs := f.Receive(f.NumReceived())
	for _, d := range descs {
		fn(f.GetFrame(d))
	}
	f.Fill(descs)
	return len(descs)
}

// TestTrafficWithAnotherImplementation sends and receives thousands of frames and looks at every byte.
func TestTrafficWithAnotherImplementation(t *testing.T) {
	const total = 6000
	for _, frameSize := range []int{2048, 4096} {
		ownNamespace(t)
		ours, theirs := veth(t, "ours", "theirs")
		f := newFar(t, theirs)
		m, depot, p := mapped(t, 1024, frameSize)
		s := bind(t, open(t, m, small(ours, "ours")), 0, p)
		sockets := redirect(t, ours)
		put(t, sockets, 0, s)

		batch := make([]Desc, 64)
		sent, received := 0, 0
		for idle := 0; received < total && idle < patience; {
			if sent < total && sent-received < 128 {
				sent += f.send(sent, min(32, total-sent))
			}
			n := s.Receive(batch)
			for _, d := range batch[:n] {
				if got := m.Bytes(d.Addr, d.Len); !bytes.Equal(got, pattern(received, sizeOf(received))) {
					t.Fatalf("frame %d of %d bytes differs", received, len(got))
				}
				if d.Addr%uint64(frameSize) != packetHeadroom {
					t.Fatalf("frame starts at %d", d.Addr%uint64(frameSize))
				}
				p.Put(d.Addr)
				received++
			}
			s.Refill(p)
			if n == 0 {
				f.kick()
				wait(s.FD())
				idle++
			}
		}
		if received != total {
			t.Fatalf("received %d of %d: %+v", received, total, s.Counters())
		}

		sent, received = 0, 0
		for idle := 0; received < total && idle < patience; {
			for sent < total && sent-received < 128 {
				addr, ok := p.Get()
				if !ok {
					break
				}
				frame := pattern(sent, sizeOf(sent))
				copy(m.Bytes(addr, uint32(len(frame))), frame)
				if !s.Send(Desc{Addr: addr, Len: uint32(len(frame))}) {
					p.Put(addr)
					break
				}
				sent++
			}
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			n := f.receive(func(frame []byte) {
				if !bytes.Equal(frame, pattern(received, sizeOf(received))) {
					t.Fatalf("sent frame %d arrived changed", received)
				}
				received++
			})
			s.Reap(p)
			if n == 0 {
				wait(f.FD())
				idle++
			}
		}
		if received != total {
			t.Fatalf("the other end got %d of %d: %+v", received, total, s.Counters())
		}
		stats, err := s.Statistics()
		if diff := cmp.Diff(unix.XDPStatistics{Rx_dropped: stats.Rx_dropped, Tx_ring_empty_descs: stats.Tx_ring_empty_descs}, stats); err != nil || diff != "" {
			t.Errorf("kernel counts invalid descriptors, or an empty fill ring (%v):\n%s", err, diff)
		}
		if c := s.Counters(); c.Foreign+c.Malformed+c.Refused+c.SendErrors != 0 {
			t.Errorf("counted %+v", c)
		}
		if err := sockets.Delete(uint32(0)); err != nil {
			t.Error(err)
		}
		wantAll(t, m, depot, p, s)
	}
}

// TestForwardOverOneMemory moves frames from one veth pair to another by their descriptors, 50 bytes written in front.
func TestForwardOverOneMemory(t *testing.T) {
	const total, outer = 4000, 50
	ownNamespace(t)
	left, farLeft := veth(t, "left", "farleft")
	right, farRight := veth(t, "right", "farright")
	source, sink := newFar(t, farLeft), newFar(t, farRight)
	m, depot, p := mapped(t, 1024, 4096)
	in := bind(t, open(t, m, small(left, "left")), 0, p)
	out := bind(t, open(t, m, small(right, "right")), 0, p)
	sockets := redirect(t, left)
	put(t, sockets, 0, in)
	header := bytes.Repeat([]byte{0xee}, outer)

	batch := make([]Desc, 64)
	sent, received := 0, 0
	for idle := 0; received < total && idle < patience; {
		if sent < total && sent-received < 100 {
			sent += source.send(sent, min(32, total-sent))
		}
		n := in.Receive(batch)
		for _, d := range batch[:n] {
			frame := m.Frame(d.Addr)
			d.Addr, d.Len = d.Addr-outer, d.Len+outer
			copy(m.Bytes(d.Addr, outer), header)
			if !out.Send(d) {
				t.Fatal("tx full with less in flight than it holds")
			}
			if slot := *out.tx.Slot(out.staged - 1); m.Frame(slot.Addr) != frame || slot.Len != d.Len {
				t.Fatalf("frame %d left as %d", frame, m.Frame(slot.Addr))
			}
		}
		if err := out.Flush(); err != nil {
			t.Fatal(err)
		}
		n += sink.receive(func(frame []byte) {
			if len(frame) < outer || !bytes.Equal(frame[:outer], header) || !bytes.Equal(frame[outer:], pattern(received, sizeOf(received))) {
				t.Fatalf("frame %d arrived changed", received)
			}
			received++
		})
		out.Reap(p)
		in.Refill(p)
		if n == 0 {
			source.kick()
			wait(in.FD())
			idle++
		}
	}
	if received != total {
		t.Fatalf("forwarded %d of %d: in %+v out %+v", received, total, in.Counters(), out.Counters())
	}
	c := m.Census()
	if c.Conflicts != 0 || c.User != p.Len()+depot.Len() {
		t.Errorf("pool %d depot %d, census %v", p.Len(), depot.Len(), c)
	}
	if err := sockets.Delete(uint32(0)); err != nil {
		t.Error(err)
	}
	wantAll(t, m, depot, p, in, out)
}

// TestQueuesJoin binds two queues of one device, the second to the first's registration, and sends on both. Then the first,
// which registered, goes, and a third joins the second.
func TestQueuesJoin(t *testing.T) {
	ownNamespace(t)
	ours, theirs := veth(t, "ours", "theirs")
	m, depot, p := mapped(t, 2048, 2048)
	near, away := open(t, m, small(ours, "ours")), open(t, m, small(theirs, "theirs"))
	sockets := redirect(t, theirs)
	var tx, rx [2]*Socket
	for q := range 2 {
		tx[q], rx[q] = bind(t, near, q, p), bind(t, away, q, p)
		put(t, sockets, q, rx[q])
		if b := tx[q].Bound(); b != (Binding{Queue: q}) {
			t.Errorf("queue %d bound as %+v", q, b)
		}
	}
	exchange := func(q, number int) {
		t.Helper()
		addr, _ := p.Get()
		frame := pattern(number, 200)
		copy(m.Bytes(addr, 200), frame)
		if !tx[q].Send(Desc{Addr: addr, Len: 200}) || tx[q].Flush() != nil {
			t.Fatal("not sent")
		}
		batch := make([]Desc, 4)
		n := 0
		for idle := 0; n == 0 && idle < patience; idle++ {
			wait(rx[q].FD())
			n = rx[q].Receive(batch)
		}
		if n != 1 || !bytes.Equal(m.Bytes(batch[0].Addr, batch[0].Len), frame) {
			t.Fatalf("queue %d: received %d frames", q, n)
		}
		p.Put(batch[0].Addr)
		rx[q].Refill(p)
		tx[q].Reap(p)
	}
	for i := range 300 {
		exchange(i%2, i)
	}
	if _, err := near.Bind(1, p); err == nil {
		t.Error("one queue was bound twice")
	}
	if err := near.Close(); err == nil {
		t.Error("a device with open sockets was closed")
	}
	if err := tx[0].Close(p); err != nil {
		t.Fatal(err)
	}
	exchange(1, 1)
	tx[0] = bind(t, near, 0, p)
	for i := range 100 {
		exchange(i%2, i)
	}
	for q := range uint32(2) {
		if err := sockets.Delete(q); err != nil {
			t.Error(err)
		}
	}
	wantAll(t, m, depot, p, tx[0], tx[1], rx[0], rx[1])
	for _, d := range []*Device{near, away} {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if _, err := d.Bind(0, p); err == nil {
			t.Error("a closed device was bound")
		}
	}
}

// TestFlushMovesAFullRing sends more than one sendto moves, where the kernel cannot be told otherwise, and more than
// SO_SNDBUF lets fly by default. It takes as many calls as PerSend says.
func TestFlushMovesAFullRing(t *testing.T) {
	const ring = 2048
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	m, depot, p := mapped(t, 3*ring, 2048)
	s := bind(t, open(t, m, DeviceConfig{Ifindex: ours, Name: "ours", FillSize: 64}), 0, p)
	for range 3 {
		for range ring {
			addr, _ := p.Get()
			copy(m.Bytes(addr, 60), pattern(1, 60))
			if !s.Send(Desc{Addr: addr, Len: 60}) {
				t.Fatal("ring full")
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		if n := s.Pending(); n != 0 {
			t.Fatalf("%d frames still pending: %+v", n, s.Counters())
		}
		reaped := 0
		for idle := 0; reaped < ring && idle < patience; idle++ {
			reaped += s.Reap(p)
			wait(s.FD())
		}
		if reaped != ring {
			t.Fatalf("reaped %d of %d", reaped, ring)
		}
	}
	most, least := uint64(3), uint64(3)
	if per := s.Bound().PerSend; per > 0 {
		most, least = 3*maxKicks, uint64(3*ring/per)
	}
	if kicks := s.Counters().Kicks; kicks < least || kicks > most {
		t.Errorf("%d rings of %d frames took %d calls, want %d to %d", 3, ring, kicks, least, most)
	}
	t.Logf("%+v", s.Counters())
	wantAll(t, m, depot, p, s)
}
