package dataplane

import (
	"testing"

	"vxgw/fdb"
)

// frameOf is the frame that holds an address.
func frameOf(r *rig, addr uint64) uint32 { return r.plane.Memory.Frame(addr) }

// A frame for a port whose queue is another worker's leaves there, from the same
// memory, and has one verdict.
func TestCrossToPort(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
	k := r.ports[0].kernel
	k.Fill.Peek(1)
	received := frameOf(r, k.Fill.At(0))
	want := ipFrame(hostB, hostA, 1, 100)
	r.deliver(r.ports[0], want)
	r.run()
	got := r.take(r.ports[1])
	if len(got) != 1 || string(got[0].data) != string(want) || frameOf(r, got[0].addr) != received {
		t.Fatalf("port 1 sent %d frames, the first from frame %d; it was received into %d", len(got), frameOf(r, got[0].addr), received)
	}
	if n, c := r.verdicts(ToPort); n != 1 || c != 0 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.run()
	r.account()
}

// The outer headers are put on by the worker that received the frame, also where the
// underlay is another's.
func TestCrossToUnderlay(t *testing.T) {
	r := newRigWith(t, 2, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	inner := ipFrame(hostR, hostA, 1, 100)
	r.deliver(r.ports[0], inner)
	r.run()
	got := r.take(r.wire)
	if len(got) != 1 || string(got[0].data[50:]) != string(inner) {
		t.Fatalf("%d packets on the underlay, verdicts %v", len(got), r.nonzero())
	}
	if n, _ := r.verdicts(ToRemote); n != 1 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.run()
	r.account()
}

// What flooding makes is counted as copies, whichever worker sends it.
func TestCrossFlood(t *testing.T) {
	r := newRigWith(t, 3, 1, 0, 2, 1)
	r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 100))
	r.run()
	for i, e := range r.ends() {
		want := 1
		if i == 1 {
			want = 0 // where it came from
		}
		if n := len(r.take(e)); n != want {
			t.Errorf("queue %d sent %d frames, want %d", i, n, want)
		}
	}
	flooded, _ := r.verdicts(Flooded)
	toPort, ports := r.verdicts(ToPort)
	toRemote, remotes := r.verdicts(ToRemote)
	if flooded != 1 || toPort != 0 || toRemote != 0 || ports != 3 || remotes != 1 {
		t.Errorf("verdicts %v, copies to %d ports and %d remotes", r.nonzero(), ports, remotes)
	}
	r.run()
	r.account()
}

// A lane is bounded: what finds it full is dropped and said, and so is what comes out
// of it when the port has gone down meanwhile or has no room.
func TestCrossingsDropped(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
	const sent = laneSize + 60
	from := r.ports[0]
	for range sent {
		r.deliver(from, ipFrame(hostB, hostA, 1, 100))
		for r.worker.Round() > 0 { // the other one rests
		}
	}
	r.account()
	if n, _ := r.verdicts(LaneFull); n != 60 {
		t.Errorf("%d frames found the lane full, want 60", n)
	}
	r.run()
	full, _ := r.verdicts(TxFull)
	if n, _ := r.verdicts(ToPort); n+full != laneSize || n != uint64(r.ports[1].kernel.Tx.Peek(laneSize)) || full == 0 {
		t.Errorf("%d frames went out and %d found no room, of %d", n, full, laneSize)
	}
	r.take(r.ports[1])
	r.deliver(from, ipFrame(hostB, hostA, 1, 100))
	r.worker.Round()
	down := *r.snap.Ports[1]
	down.Up = false
	r.snap.Ports = []*Port{r.snap.Ports[0], &down}
	r.publish()
	r.run()
	if n, _ := r.verdicts(PortDown); n != 1 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.run()
	r.account()
}

// What Quiesce has waited for includes frames that cross over: a worker may be done
// with a snapshot while frames that another one has handed over by it are still to come.
func TestQuiesceAwaitsCrossings(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
	r.run()
	a, b := r.workers[0], r.workers[1]
	for _, w := range r.workers {
		w.running.Store(true)
	}
	r.deliver(r.ports[0], ipFrame(hostB, hostA, 1, 100))
	a.fromPort(0, a.queues[1].Socket.Receive(a.batch.desc[:])) // the first half of a round
	r.publish()
	b.Round()
	a.flush() // its end
	a.Round()
	if seq := r.plane.Snapshot().Seq; !r.plane.Passed(seq) || b.lanesEmpty() {
		t.Fatal("both are to be past the snapshot, with a frame between them")
	}
	quiet := make(chan struct{})
	go func() {
		defer close(quiet)
		r.plane.Quiesce()
	}()
	for r.plane.turn.Load() == 0 {
		select {
		case <-quiet:
			t.Fatal("Quiesce did not wait for the frame between the workers")
		default:
		}
	}
	for done := false; !done; {
		a.Round()
		b.Round()
		select {
		case <-quiet:
			done = true
		default:
		}
	}
	if !b.lanesEmpty() {
		t.Error("the frame is still between the workers")
	}
	for _, w := range r.workers {
		w.running.Store(false)
	}
}

// Several queues of one worker: flows towards the underlay spread over them, each
// flow keeps to one, and what comes from a queue of the underlay has its own way.
func TestWays(t *testing.T) {
	r := newRigWith(t, 1, 0)
	for range 3 {
		r.more = append(r.more, r.open(Underlay, 0))
	}
	r.more = append(r.more, r.open(0, 0))
	r.publish()
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
	wires := append([]end{r.wire}, r.more[:3]...)
	used := map[int]bool{}
	for flow := range uint16(64) {
		at := -1
		for range 3 {
			r.deliver(r.ports[0], ipFrame(hostR, hostA, flow, 100))
			r.run()
			for i, e := range wires {
				if n := len(r.take(e)); n > 0 && at >= 0 && at != i {
					t.Fatalf("flow %d left by queue %d and by queue %d", flow, at, i)
				} else if n > 0 {
					at = i
				}
			}
		}
		used[at] = true
	}
	if len(used) != 4 || used[-1] {
		t.Errorf("64 flows left by queues %v, want all 4", used)
	}
	for i, e := range wires {
		r.deliver(e, tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 1, 100)))
		r.run()
		outs := []end{r.ports[0], r.more[3]}
		if a, b := len(r.take(outs[i%2])), len(r.take(outs[1-i%2])); a != 1 || b != 0 {
			t.Errorf("from queue %d of the underlay: %d and %d frames by the port's queues", i, a, b)
		}
	}
	r.run()
	r.account()
}

// A packed crossing reads back as what it was.
func TestCrossingCode(t *testing.T) {
	for _, port := range []uint32{0, 1, fdb.MaxIndex, underlayCrossing} {
		for way := range uint32(ways) {
			for _, kind := range []kind{original, duplicate} {
				c := makeCrossing(port, way, kind)
				if c.port() != port || c.way() != way || c.kind() != kind {
					t.Errorf("%d %d %d became %d %d %d", port, way, kind, c.port(), c.way(), c.kind())
				}
			}
		}
	}
}

// Crossing over costs no memory.
func TestCrossingAllocates(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
	f := ipFrame(hostB, hostA, 1, 100)
	take := func(uint64, []byte) {}
	if n := testing.AllocsPerRun(100, func() {
		r.ports[0].kernel.Deliver(f)
		r.run()
		r.ports[1].kernel.Take(take)
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}
