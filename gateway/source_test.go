package gateway

import (
	"net/netip"
	"slices"
	"testing"

	"vxgw/dataplane"
)

// TestSourceChanges looks at what workers go by.
func TestSourceChanges(t *testing.T) {
	b := newBed(t)
	b.direct()
	old := b.g.plane.Snapshot()
	must(t, b.host.AddAddress("ens18", "10.9.0.1/24"))
	must(t, b.host.DeleteAddress("ens18", "10.0.0.1/24"))
	want := ipInt(netip.MustParseAddr("10.9.0.1"))
	var s *dataplane.Snapshot
	b.await("the new source is in force", func() bool { s = b.g.plane.Snapshot(); return s.Local == want })
	if s.Domains[0].Tunnel.Outer.Src != netip.MustParseAddr("10.9.0.1") {
		t.Errorf("the slow path still sends from %s", s.Domains[0].Tunnel.Outer.Src)
	}
	if broadcast := want | 0xff; !slices.Contains(s.Martians, want) || !slices.Contains(s.Martians, broadcast) || slices.Contains(s.Martians, old.Local) {
		t.Errorf("martians %x", s.Martians)
	}
	if old.Domains[0].Tunnel.Outer.Src != netip.MustParseAddr("10.0.0.1") {
		t.Error("what workers may still have was changed")
	}
	must(t, b.host.DeleteAddress("ens18", "10.9.0.1/24"))
	b.await("no source", func() bool {
		s := b.g.plane.Snapshot()
		return s.Local == 0 && s.Paths[0][0].State == dataplane.PathNoRoute
	})
}
