package gateway

import (
	"net/netip"
	"testing"

	"vxgw/control"
	"vxgw/fdb"
)

// A stranger whose addresses have aged out gives its number back; a remote that is
// configured, or still named by an entry, keeps its own.
func TestEvict(t *testing.T) {
	b := newBedWith(t, (*Gateway).steps) // no steward: the test does its work
	g := b.g
	number := func(addr string) uint32 {
		n, err := g.plane.Remotes.Add(netip.MustParseAddr(addr))
		must(t, err)
		return n
	}
	silent, speaking := number("10.0.0.7"), number("10.0.0.8")
	g.want(silent)
	g.watchWanted()
	if _, ok := g.mirror.Path(netip.MustParseAddr("10.0.0.7")); !ok {
		t.Fatal("the way to a remote that is sent to is not followed")
	}
	wire := packetSocket(t, b.remote, "ens18", 0)
	send(t, wire, b.packetFrom(netip.MustParseAddr("10.0.0.7"), frame(0xff, 7, 60)))
	b.await("the frame is counted for its VTEP", func() bool {
		return b.traffic("10.0.0.7") == control.Traffic{RxPackets: 1, RxBytes: 60}
	})
	g.plane.FDB.FlushIf(func(_ fdb.Key, v fdb.Value) bool { return v.Dest() == fdb.RemoteDest(silent) })
	key := fdb.MakeKey(0, 0x020000000008)
	g.plane.FDB.Learn(key, fdb.RemoteDest(speaking), 1)

	g.evict()
	if _, ok := g.plane.Remotes.Find(netip.MustParseAddr("10.0.0.7")); !ok {
		t.Fatal("forgotten at first sight")
	}
	g.evict()
	if _, ok := g.plane.Remotes.Find(netip.MustParseAddr("10.0.0.7")); ok {
		t.Error("a silent stranger keeps its number")
	}
	if _, ok := g.mirror.Path(netip.MustParseAddr("10.0.0.7")); ok {
		t.Error("the way to a forgotten remote is still followed")
	}
	for _, addr := range []string{"10.0.0.2", "10.0.0.8"} {
		if _, ok := g.plane.Remotes.Find(netip.MustParseAddr(addr)); !ok {
			t.Errorf("%s was forgotten", addr)
		}
	}
	if v := g.plane.FDB.Lookup(key); v.Dest() != fdb.RemoteDest(speaking) {
		t.Errorf("the entry of a speaking remote is %v", v)
	}
	if n := number("10.0.0.9"); n != silent {
		t.Errorf("the next stranger has number %d, want %d again", n, silent)
	}
	if s := g.Status(); s.Forgotten.RxPackets != 1 || b.traffic("10.0.0.9") != (control.Traffic{}) {
		t.Errorf("forgotten traffic is %+v, that of the number's new owner %+v", s.Forgotten, b.traffic("10.0.0.9"))
	}
	g.want(silent)
	g.watchWanted()
	if _, ok := g.mirror.Path(netip.MustParseAddr("10.0.0.9")); !ok {
		t.Error("the way to the number's new owner is not followed")
	}
}

// traffic is what the status has for a remote.
func (b *bed) traffic(addr string) (t control.Traffic) {
	for _, r := range b.g.Status().Remotes {
		if r.Address == addr {
			t = r.Traffic
		}
	}
	return t
}

// A number that stands for nobody when the slow path tells of it, since its remote has
// just gone, is told of again for its next owner.
func TestWantedNobody(t *testing.T) {
	b := newBedWith(t, (*Gateway).steps) // no steward: the test does its work
	addr := netip.MustParseAddr("10.0.0.7")
	next := uint32(len(b.g.plane.Remotes.Addrs()))
	b.g.want(next)
	b.g.watchWanted()
	n, err := b.g.plane.Remotes.Add(addr)
	must(t, err)
	if n != next {
		t.Fatalf("the next number is %d, not %d: this tests nothing", n, next)
	}
	b.g.want(n)
	b.g.watchWanted()
	if _, ok := b.g.mirror.Path(addr); !ok {
		t.Error("the way to the number's owner is not followed")
	}
}
