package dataplane

import (
	"math/rand/v2"
	"testing"

	"vxgw/fdb"
	"vxgw/ring"
)

// account fails when a frame has not exactly one owner: the depot, a worker's pool, a
// lane, the slow path, the queue from the kernel, or a socket's rings.
func (r *rig) account() {
	r.t.Helper()
	c := r.plane.Memory.Census()
	user := r.plane.Depot.Len()
	for _, w := range r.workers {
		user += w.pool.Len() + len(w.hold.frames) + w.Slow.pool.Len() + waiting(w.Slow.queue) +
			w.Inject.pool.Len() + waiting(w.Inject.queue) +
			w.Inject6.pool.Len() + waiting(w.Inject6.queue)
		for _, l := range w.arriving {
			user += waiting(l)
		}
	}
	if c.Conflicts != 0 || c.User != user {
		r.t.Fatalf("census %v: %d frames in user hands were expected", c, user)
	}
	in := 0
	for _, s := range c.Claims {
		in += s.Receiving + s.Sending
	}
	if user+in != r.plane.Memory.Frames() {
		r.t.Fatalf("%d frames in user hands and %d in rings, of %d", user, in, r.plane.Memory.Frames())
	}
}

// waiting is how many frames are in a queue between goroutines.
func waiting[T any](q *Exchange[T]) int { return int(q.produced.Load() - q.consumed.Load()) }

// Random traffic with flooding, drops, down ports, full rings and a kernel that
// takes its time: no frame is lost, none has two owners, and every frame
// received has one verdict.
func TestConservation(t *testing.T) {
	r := newRig(t, 3)
	rnd := rand.New(rand.NewPCG(1, 2))
	macs := []uint64{hostA, hostB, hostR, bcast, 0, bridgeGroup, device, 0x01005e000001, 0x0200000000ff}
	from := []func() []byte{
		func() []byte {
			f := ipFrame(macs[rnd.IntN(len(macs))], macs[rnd.IntN(len(macs))], uint16(rnd.Uint32()), rnd.IntN(1500))
			if rnd.IntN(4) == 0 {
				return f
			}
			return f[:1+rnd.IntN(len(f))]
		},
		func() []byte {
			inner := ipFrame(macs[rnd.IntN(len(macs))], macs[rnd.IntN(len(macs))], uint16(rnd.Uint32()), rnd.IntN(1400))
			p := tunnelled(t, remote, 42+uint32(rnd.IntN(20)/19), uint8(rnd.Uint32()), inner[:rnd.IntN(len(inner)+1)])
			if rnd.IntN(4) == 0 {
				p[rnd.IntN(len(p))] ^= 1 << rnd.IntN(8)
			}
			if rnd.IntN(2) == 0 {
				return p
			}
			return p[:1+rnd.IntN(len(p))]
		},
	}
	var delivered uint64
	for step := range 3_000 {
		e, kind := r.wire, 1
		if i := rnd.IntN(4); i < 3 {
			e, kind = r.ports[i], 0
		}
		for range rnd.IntN(8) {
			if p := from[1](); len(p) > ethernet { // from the underlay, by way of the kernel
				r.inject(p)
			}
		}
		for range rnd.IntN(80) {
			if e.kernel.Deliver(from[kind]()) {
				delivered++
			}
		}
		r.worker.Round()
		if rnd.IntN(3) == 0 {
			all := append([]end{r.wire}, r.ports...)
			r.take(all[rnd.IntN(len(all))])
		}
		if rnd.IntN(50) == 0 {
			r.snap.Underlay = rnd.IntN(2) == 0
			p := *r.snap.Ports[2]
			p.Up = !p.Up
			r.snap.Ports = []*Port{r.snap.Ports[0], r.snap.Ports[1], &p}
			r.path(0, []PathState{PathDirect, PathSlow, PathDraining, PathNoRoute}[rnd.IntN(4)])
			r.publish()
		}
		if rnd.IntN(20) == 0 {
			r.runSlow(nil)
		}
		if step%100 == 0 {
			r.account()
		}
	}
	for range 10 {
		for _, e := range append([]end{r.wire}, r.ports...) {
			r.take(e)
		}
		r.run()
	}
	r.account()
	var sum uint64
	for v := range VerdictCount {
		n, _ := r.verdicts(Verdict(v))
		sum += n
	}
	if n, _ := r.verdicts(undecided); n != 0 {
		t.Errorf("%d frames without a verdict", n)
	}
	if delivered += r.worker.Inject.Packets.Load(); sum != delivered {
		t.Errorf("%d verdicts for %d frames: %v", sum, delivered, r.nonzero())
	}
	checkBalance(t, r)
	if r.worker.Counters.Answers.Load() == 0 {
		t.Error("the traffic never was answered")
	}
	for _, v := range []Verdict{ToPort, ToRemote, Flooded, ToKernel, Short, UnknownVNI, InnerShort, BadSourceMAC, LinkLocal, PortDown, TxFull, TooBig, NoRoute, ECN, OwnMACLoop} {
		f, c := r.verdicts(v)
		if f+c == 0 {
			t.Errorf("the traffic never came to %v", v)
		}
	}
}

// A kernel that delivers what it does not own changes nothing and is counted.
func TestForeignDescriptors(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	r.deliver(r.ports[0], ipFrame(hostR, hostA, 1, 10))
	r.run()
	sent := r.take(r.wire)
	for _, addr := range []uint64{sent[0].addr, 1 << 40, 5 * 4096} {
		r.ports[0].kernel.DeliverDesc(ring.Desc{Addr: addr, Len: 60})
	}
	r.run()
	if n := r.ports[0].queue.Socket.Counters().Foreign; n != 3 {
		t.Errorf("%d foreign descriptors counted, want 3", n)
	}
	r.account()
}

// A frame without room for the outer headers in front of it is dropped.
func TestNoHeadroom(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	k := r.ports[0].kernel
	if k.Fill.Peek(1) == 0 {
		t.Fatal("no frame to receive into")
	}
	addr := k.Fill.At(0)
	k.Fill.Release(1)
	copy(r.plane.Memory.Bytes(addr+49, 60), ipFrame(hostR, hostA, 1, 18))
	k.DeliverDesc(ring.Desc{Addr: addr + 49, Len: 60})
	r.run()
	if n, _ := r.verdicts(NoHeadroom); n != 1 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.account()
}
