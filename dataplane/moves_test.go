package dataplane

import (
	"testing"

	"vxgw/fdb"
)

// An address that has moved too often stays where it is: its frames from elsewhere are
// dropped, from ports and from tunnels; those from there, and to it, go on.
func TestMoveFrozen(t *testing.T) {
	r := newRig(t, 2)
	r.plane.FDB.SetMoveLimit(0, fdb.MoveLimit{Moves: 2, Within: 10, Freeze: 5})
	port := func(n int) { r.deliver(r.ports[n], ipFrame(bcast, hostA, 1, 0)) }
	tunnel := func() { r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(bcast, hostA, 1, 0))) }
	frozen := func(want uint64) {
		t.Helper()
		r.run()
		for _, e := range r.ends() {
			r.take(e)
		}
		r.run()
		if n, _ := r.verdicts(MoveFrozen); n != want {
			t.Fatalf("%d frames move_frozen, want %d: %v", n, want, r.nonzero())
		}
	}
	port(0)
	frozen(0)
	tunnel()
	frozen(0)
	port(1) // and here it stays
	frozen(0)
	port(0)
	frozen(1)
	tunnel()
	frozen(2)
	r.pin(hostR, fdb.RemoteDest(0))
	r.deliver(r.ports[0], ipFrame(hostR, hostA, 1, 0)) // of a known destination too
	frozen(3)
	port(1)
	frozen(3)
	r.deliver(r.ports[0], ipFrame(hostA, hostB, 1, 0))
	r.run()
	if got := r.cameOut(); got != "[0 1 0]" {
		t.Errorf("a frame to the frozen address came out at %s", got)
	}
	r.plane.Tick(6)
	tunnel()
	frozen(3)
	if v := r.plane.FDB.Lookup(fdb.MakeKey(0, hostA)); v.Dest() != fdb.RemoteDest(0) {
		t.Errorf("after the freeze it is at %v", v.Dest())
	}
	checkBalance(t, r)
	r.account()
}
