package dataplane

import (
	"testing"

	"vxgw/fdb"
)

// A host behind a VTEP whose packets go to a port or VNI of their own claims its address like any other, and is answered for.
func TestSnoopEndpoint(t *testing.T) {
	for _, kind := range []fdb.Kind{fdb.Static, fdb.Extern, fdb.Learned} {
		r := newRig(t, 2)
		table := r.neighbours(false)
		e := Endpoint{remote, 8472, 100}
		n, err := r.plane.Remotes.AddEndpoint(e)
		must(t, err)
		r.pathTo(n, e, PathDirect)
		r.publish()
		must(t, r.plane.FDB.Replace(fdb.MakeKey(0, hostR), fdb.RemoteDest(n), kind, 1))
		r.deliver(r.wire, tunnelled(t, remote, 42, 0, answerOf(ipR, hostR, false)))
		r.run()
		if got, ok := table.Lookup(neighOf(ipR, 0), 1); !ok || got.MAC != hostR || table.Counts.RefusedForged.Load() != 0 {
			t.Errorf("%v entry: the neighbour is %+v, %v; %d claims refused as forged", kind, got, ok, table.Counts.RefusedForged.Load())
		}
		r.cameOut()
		r.deliver(r.ports[0], askFor(ipR))
		r.run()
		if got := r.cameOut(); got != "[1 1 0]" {
			t.Errorf("%v entry: a question came out at %s", kind, got)
		}
		// Another VTEP that claims it is not believed.
		r.deliver(r.wire, tunnelled(t, third, 42, 0, arpFrame(bcast, hostR, 1, hostR, "172.17.1.77", ipA)))
		r.run()
		if _, ok := table.Lookup(neighOf("172.17.1.77", 0), 1); ok != (kind == fdb.Learned) {
			t.Errorf("%v entry: the claim of another VTEP is believed: %v", kind, ok)
		}
		checkBalance(t, r)
		r.account()
	}
}
