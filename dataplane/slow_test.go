package dataplane

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// recorder is a Sender that keeps what it is given.
type recorder struct {
	packets [][]byte
	err     error
	unsent  int
}

// Unsent is what the test says.
func (r *recorder) Unsent() int { return r.unsent }

// Send keeps a copy of the packet.
func (r *recorder) Send(packet []byte) error {
	r.packets = append(r.packets, bytes.Clone(packet))
	return r.err
}

// runSlow does what SlowPath.Run does with what waits now.
func (r *rig) runSlow(out Sender) {
	if out == nil {
		out = &recorder{}
	}
	now := time.Now() // one for all, lest a frame lingers since this goroutine did not get its CPU
	for r.worker.Slow.carry(out, func(uint32) {}, now) > 0 {
	}
}

// A frame to an unresolved next hop leaves through the kernel with the same
// headers that it would have had on the direct way, but for the ID.
func TestSlowPathBytes(t *testing.T) {
	for name, change := range map[string]func(*Tunnel){
		"defaults":    func(*Tunnel) {},
		"all options": func(o *Tunnel) { o.InheritTTL, o.InheritDF, o.UDPChecksum = true, true, true },
		"fixed TTL":   func(o *Tunnel) { o.Outer.TTL, o.InheritDF = 9, true },
		"fixed DF":    func(o *Tunnel) { o.InheritTTL, o.Outer.DF = true, true },
		"fixed TOS":   func(o *Tunnel) { o.InheritTTL, o.Outer.TOS, o.Outer.InheritTOS = true, 0xb8, false },
	} {
		t.Run(name, func(t *testing.T) { slowPathBytes(t, change) })
	}
}

func slowPathBytes(t *testing.T, change func(*Tunnel)) {
	r := newRig(t, 1)
	change(r.snap.Domains[0].Tunnel)
	r.path(0, PathDirect)
	r.publish()
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	frame := ipFrame(hostR, hostA, 9, 100)
	frame[14+6], frame[14+8] = 0x40, 77
	copy(frame[14+10:], []byte{0, 0})
	binary.BigEndian.PutUint16(frame[14+10:], ^vxlan.Fold(vxlan.Sum(frame[14:34], 0)))
	r.deliver(r.ports[0], frame)
	r.run()
	direct := r.take(r.wire)[0].data
	r.path(0, PathSlow)
	r.publish()
	r.deliver(r.ports[0], frame)
	r.run()
	out := &recorder{}
	r.runSlow(out)
	if len(out.packets) != 1 {
		t.Fatalf("%d packets through the kernel", len(out.packets))
	}
	slow := append(bytes.Clone(direct[:14]), out.packets[0]...)
	for _, p := range [][]byte{direct, slow} {
		var o vxlan.Outer
		if f := vxlan.ParseOuter(p, &o); f != vxlan.OK {
			t.Fatal(f)
		}
		if opts := r.snap.Domains[0].Tunnel; opts.InheritTTL && p[22] != 77 || opts.InheritDF && p[20] != 0x40 {
			t.Errorf("TTL %d, flags %#x: not those of the inner packet", p[22], p[20])
		}
	}
	if id := slow[18:20]; id[0] != 0 || id[1] != 0 {
		t.Errorf("ID %x: it is the kernel's to choose", id)
	}
	for _, p := range [][]byte{direct, slow} {
		clear(p[18:20]) // ID
		clear(p[24:26]) // and the checksum over it
	}
	if !bytes.Equal(direct, slow) {
		t.Errorf("through the kernel\n%x, direct\n%x", slow, direct)
	}
	r.run()
	r.account()
}

// No frame overtakes one that is still with the kernel: later ones wait, and leave
// directly, in order, when the slow way has run dry.
func TestNoReordering(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	send := func() { r.deliver(r.ports[0], ipFrame(hostR, hostA, 9, 100)); r.run() }
	r.path(0, PathSlow)
	r.publish()
	send()
	r.path(0, PathDraining)
	r.publish()
	send()
	kernel := &recorder{unsent: 1000}
	r.runSlow(kernel)
	send()
	if n := len(r.take(r.wire)); n != 0 {
		t.Fatal("a frame went directly while one was with the kernel")
	}
	if n := r.plane.Pending(0); n != 1 || len(kernel.packets) != 1 {
		t.Fatalf("%d frames pending, %d with the kernel, want 1 and 1", n, len(kernel.packets))
	}
	r.account()
	kernel.unsent = 0
	r.runSlow(kernel)
	send()
	if n := len(r.take(r.wire)); n != 3 || len(kernel.packets) != 1 {
		t.Fatalf("%d frames went directly, %d through the kernel, want 3 and 1", n, len(kernel.packets))
	}
	r.run()
	if n, _ := r.verdicts(ToRemote); n != 3 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	checkBalance(t, r)
	r.account()
}

// The queue to the kernel is bounded, and what finds it full is dropped and said.
func TestSlowPathFull(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	r.path(0, PathSlow)
	r.publish()
	const sent = slowQueue + 50
	for range sent {
		r.deliver(r.ports[0], ipFrame(hostR, hostA, 9, 100))
		r.run()
	}
	if n, _ := r.verdicts(ToKernel); n != slowQueue {
		t.Errorf("%d frames queued, want %d", n, slowQueue)
	}
	if n, _ := r.verdicts(NoNeighbour); n != sent-slowQueue {
		t.Errorf("%d frames dropped, want %d", n, sent-slowQueue)
	}
	r.account()
	r.runSlow(&recorder{err: errors.New("refused")})
	if s := r.worker.Slow; s.Failed.Load() != slowQueue || s.Sent.Load() != 0 {
		t.Errorf("%d failed, %d sent", s.Failed.Load(), s.Sent.Load())
	}
	if n := r.plane.Pending(0); n != 0 {
		t.Errorf("%d frames still pending", n)
	}
	r.account()
}

// Run sends what comes, sleeps in between, and ends with Stop.
func TestSlowPathRun(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	r.path(0, PathSlow)
	r.publish()
	sent, wanted := make(chan struct{}), make(chan uint32, 1000)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.worker.Slow.Run(signaller(sent), func(n uint32) { wanted <- n })
	}()
	for range 1000 {
		r.deliver(r.ports[0], ipFrame(hostR, hostA, 9, 100))
		r.run()
		<-sent
	}
	r.worker.Slow.Stop()
	<-ended
	if n := <-wanted; n != 0 {
		t.Errorf("remote %d was wanted", n)
	}
	r.run()
	r.account()
}

type signaller chan struct{}

// Unsent is nothing.
func (s signaller) Unsent() int { return 0 }

// Send tells that a packet came.
func (s signaller) Send([]byte) error { s <- struct{}{}; return nil }
