package dataplane

import (
	"bytes"
	"testing"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// bigFrame is a UDP datagram that the rig's ports carry and its tunnel does not.
func bigFrame(dst, src uint64) []byte { return ipFrame(dst, src, 7, 1472) }

// answerTo is the answer that names an MTU.
func answerTo(t *testing.T, frame []byte, mtu int) []byte {
	t.Helper()
	b := append(make([]byte, vxlan.TooBigRoom), frame...)
	var in vxlan.Inner
	if f := vxlan.ParseInner(frame, &in); f != vxlan.OK {
		t.Fatal(f)
	}
	start, end := vxlan.PutTooBig(b, &in, mtu)
	if end == 0 {
		t.Fatal("there is no answer")
	}
	return b[start:end]
}

// answers is how many answers were counted and, to ports, sent.
func (r *rig) answers() (counted uint64, sent []int) {
	for _, p := range r.ports {
		sent = append(sent, len(r.take(p)))
	}
	return r.worker.Counters.Answers.Load(), sent
}

// The sender is told by the memory of its own frame, and what the tunnel can carry
// is the largest packet that leaves.
func TestTooBigIsAnswered(t *testing.T) {
	for _, tc := range []struct {
		name  string
		tags  []byte
		state PathState
		mtu   int // of the route
		want  int
	}{
		{"plain", nil, PathDirect, 1500, 1450},
		{"tagged", []byte{0x81, 0, 0, 100}, PathDirect, 1500, 1446},
		{"unresolved next hop", nil, PathSlow, 1500, 1450},
		{"smaller route", nil, PathDirect, 1400, 1350},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 2)
			r.path(0, tc.state)
			r.snap.Paths[0][0].MTU = tc.mtu
			r.publish()
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
			frame := func(payload int) []byte {
				f := ipFrame(hostR, hostA, 7, payload)
				return append(append(append([]byte(nil), f[:12]...), tc.tags...), f[12:]...)
			}
			if r.ports[0].kernel.Fill.Peek(1) == 0 {
				t.Fatal("no frame to receive into")
			}
			in := r.ports[0].kernel.Fill.At(0)
			big := frame(tc.want - 28 + 1)
			r.deliver(r.ports[0], big)
			r.run()
			if n, _ := r.verdicts(TooBig); n != 1 || r.worker.Counters.Answers.Load() != 1 {
				t.Errorf("verdicts %v, %d answers", r.nonzero(), r.worker.Counters.Answers.Load())
			}
			got := r.take(r.ports[0])
			if len(got) != 1 || len(r.take(r.ports[1]))+len(r.take(r.wire)) != 0 {
				t.Fatal("the answer went elsewhere, or nowhere")
			}
			if !bytes.Equal(got[0].data, answerTo(t, big, tc.want)) {
				t.Errorf("answer % x", got[0].data)
			}
			if m := r.plane.Memory; m.Frame(got[0].addr) != m.Frame(in) {
				t.Errorf("received in frame %d, answered from frame %d", m.Frame(in), m.Frame(got[0].addr))
			}
			r.deliver(r.ports[0], frame(tc.want-28))
			r.run()
			if n, _ := r.verdicts(TooBig); n != 1 {
				t.Errorf("a packet of the size that was named: %v", r.nonzero())
			}
			r.account()
		})
	}
}

// What does not fit its way and gets no answer is dropped as ever.
func TestTooBigUnanswered(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(r *rig)
		want Verdict
	}{
		{"broadcast", func(r *rig) { r.deliver(r.ports[0], bigFrame(bcast, hostA)) }, Flooded},
		{"not IP", func(r *rig) { r.deliver(r.ports[0], append(bigFrame(hostR, hostA)[:12], make([]byte, 1500)...)) }, TooBig},
		{"from the tunnel", func(r *rig) { // as a bridge: is_skb_forwardable
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
			p := *r.snap.Ports[1]
			p.MTU = 1000
			r.snap.Ports = []*Port{r.snap.Ports[0], &p}
			r.publish()
			r.deliver(r.wire, tunnelled(r.t, remote, 42, 0, ipFrame(hostB, hostR, 7, 1400)))
		}, TooBig},
		{"a port that cannot carry the answer", func(r *rig) {
			p := *r.snap.Ports[0]
			p.MTU = 500
			r.snap.Ports = []*Port{&p, r.snap.Ports[1]}
			r.publish()
			r.deliver(r.ports[0], bigFrame(hostR, hostA))
		}, TooBig},
		{"a port that went down", func(r *rig) {
			p := *r.snap.Ports[0]
			p.Up = false
			r.snap.Ports = []*Port{&p, r.snap.Ports[1]}
			r.publish()
			r.deliver(r.ports[0], bigFrame(hostR, hostA))
		}, TooBig},
		{"no room in front", func(r *rig) {
			k := r.ports[0].kernel
			addr := k.Fill.At(0)
			k.Fill.Release(1)
			frame := bigFrame(hostR, hostA)
			copy(r.plane.Memory.Bytes(addr+vxlan.TooBigRoom-1, uint32(len(frame))), frame)
			k.DeliverDesc(ring.Desc{Addr: addr + vxlan.TooBigRoom - 1, Len: uint32(len(frame))})
		}, TooBig},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 2)
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
			r.ports[0].kernel.Fill.Peek(1)
			tc.do(r)
			r.run()
			if n, _ := r.verdicts(tc.want); n != 1 {
				t.Errorf("verdicts %v, want %v", r.nonzero(), tc.want)
			}
			if n, sent := r.answers(); n != 0 || sent[0] != 0 {
				t.Errorf("%d answers, sent %v", n, sent)
			}
			r.run()
			r.account()
		})
	}
}

// A frame that is flooded has one answer, whatever number of remotes it is too big for.
func TestTooBigFlood(t *testing.T) {
	r := newRig(t, 2)
	n, err := r.plane.Remotes.Add(third)
	must(t, err)
	r.snap.Domains[0].FloodRemotes = append(r.snap.Domains[0].FloodRemotes, n)
	r.path(n, PathDirect)
	r.publish()
	r.deliver(r.ports[0], bigFrame(hostR, hostA))
	r.run()
	frames, _ := r.verdicts(Flooded)
	_, dropped := r.verdicts(TooBig)
	if answers, sent := r.answers(); frames != 1 || dropped != 2 || answers != 1 || sent[0] != 1 || sent[1] != 1 {
		t.Errorf("%d frames flooded, %d copies too big, %d answers, frames to ports %v", frames, dropped, answers, sent)
	}
	r.run()
	r.account()
}

// A flood of frames that are too big has so many answers per second and no more, and
// leaves those to other ports alone.
func TestTooBigLimit(t *testing.T) {
	r := newRig(t, 2)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	send := func(port, n int) (answered int) {
		for range n {
			r.deliver(r.ports[port], bigFrame(hostR, hostA+uint64(port)))
			r.run()
			answered += len(r.take(r.ports[port]))
		}
		return answered
	}
	if n := send(0, answersPerSecond+100); n != answersPerSecond {
		t.Errorf("%d answers in a second, want %d", n, answersPerSecond)
	}
	if n := send(1, 10); n != 10 {
		t.Errorf("%d of 10 answers to another port", n)
	}
	r.plane.Tick(2)
	if n := send(0, 10); n != 10 {
		t.Errorf("%d of 10 answers in the next second", n)
	}
	if n, _ := r.verdicts(TooBig); n != answersPerSecond+120 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.run()
	r.account()
}

// An answer that finds the port's tx ring full is lost, and its frame is not.
func TestTooBigRingFull(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	for range 200 { // the ring holds 128
		r.deliver(r.ports[0], bigFrame(hostR, hostA))
		r.run()
	}
	if n := r.worker.Counters.Answers.Load(); n != 128 {
		t.Errorf("%d answers", n)
	}
	if n, _ := r.verdicts(TooBig); n != 200 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.account()
}
