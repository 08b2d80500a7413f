package dataplane

import (
	"testing"

	"vxgw/fdb"
)

// An entry may name a port that the snapshot does not know, yet or any more: its frames
// are dropped and counted, from wherever they come.
func TestEntryOfUnknownPort(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	for _, number := range []uint32{2, 1 << 15} {
		must(t, r.plane.FDB.Replace(fdb.MakeKey(0, hostB), fdb.PortDest(number), fdb.Static, 1))
		before, _ := r.verdicts(PortDown)
		for _, e := range r.ports {
			r.deliver(e, ipFrame(hostB, hostA, 1, 100))
		}
		r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(hostB, hostR, 1, 100)))
		r.run()
		if now, _ := r.verdicts(PortDown); now != before+3 {
			t.Errorf("port %d: %d frames dropped, want 3; verdicts %v", number, now-before, r.nonzero())
		}
		for i, e := range r.ends() {
			if n := len(r.take(e)); n != 0 {
				t.Errorf("port %d: queue %d sent %d frames", number, i, n)
			}
		}
	}
	r.run()
	r.account()
}
