package gateway

import (
	"net/netip"
	"slices"
	"testing"

	"vxgw/dataplane"
	"vxgw/vxlan"
)

// TestSourceChanges looks at what workers go by.
func TestSourceChanges(t *testing.T) {
	b := newBed(t)
	b.direct()
	old := b.g.plane.Snapshot()
	must(t, b.host.AddAddress("ens18", "10.9.0.1/24"))
	must(t, b.host.DeleteAddress("ens18", "10.0.0.1/24"))
	dst := netip.MustParseAddr("10.9.0.2")
	source := func(s *dataplane.Snapshot) string { return s.Domains[0].Tunnel.Source(dst).String() }
	want := vxlan.Addr4(0x0a090001)
	var s *dataplane.Snapshot
	b.await("the new source is in force", func() bool { s = b.g.plane.Snapshot(); return slices.Equal(s.Locals, []vxlan.Addr{want}) })
	if source(s) != "10.9.0.1" {
		t.Errorf("the slow path still sends from %s", source(s))
	}
	if broadcast := vxlan.Addr4(0x0a0900ff); !slices.Contains(s.Martians, want) || !slices.Contains(s.Martians, broadcast) || slices.Contains(s.Martians, old.Locals[0]) {
		t.Errorf("martians %x", s.Martians)
	}
	if source(old) != "10.0.0.1" {
		t.Error("what workers may still have was changed")
	}
	must(t, b.host.DeleteAddress("ens18", "10.9.0.1/24"))
	b.await("no source", func() bool {
		s := b.g.plane.Snapshot()
		return len(s.Locals) == 0 && s.Paths[0][0].State == dataplane.PathNoRoute
	})
}
