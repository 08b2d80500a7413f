package gateway

import (
	"net/netip"
	"testing"

	"vxgw/control"
	"vxgw/fdb"
)

// A VTEP whose entries have a port and a VNI of their own keeps the number of what it sends for as long as there are such
// entries: nothing is learned of it, and its traffic is counted all the same.
func TestEvictEndpoint(t *testing.T) {
	b := newBedWith(t, (*Gateway).steps) // no steward: the test does its work
	g, addr := b.g, netip.MustParseAddr("10.0.0.7")
	port, vni := uint16(8472), uint32(100)
	entry := control.FDBChange{MAC: "02:00:00:00:00:07", Dev: "gw42", Dst: addr, Port: &port, VNI: &vni}
	must(t, entry.Check("add"))
	must(t, g.ChangeFDB("add", entry))
	wire := packetSocket(t, b.remote, "ens18", 0)
	send(t, wire, b.packetFrom(addr, frame(0xff, 7, 60)))
	b.await("the frame is counted for its VTEP", func() bool { return b.traffic("10.0.0.7").RxPackets == 1 })
	for range 3 {
		g.evict()
	}
	if n := b.traffic("10.0.0.7").RxPackets; n != 1 {
		t.Errorf("%d packets are counted for a VTEP that entries name, want 1", n)
	}
	if v := g.plane.FDB.Lookup(fdb.MakeKey(0, 0x020000000007)); v.Kind() != fdb.Static {
		t.Errorf("the entry is %v %v", v.Kind(), v.Dest())
	}
	must(t, g.ChangeFDB("del", entry))
	for range 4 {
		g.evict()
	}
	for n, to := range g.plane.Remotes.Endpoints() {
		if to.Addr == addr {
			t.Errorf("number %d is still %+v", n, to)
		}
	}
}
