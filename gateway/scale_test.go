package gateway

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

// Thousands of VNIs with a thousand remotes each: their flood lists are one, and what
// one more costs does not depend on how many there are.
func TestManyVNIs(t *testing.T) {
	const vnis, remotes = 4096, 1000
	list := make([]config.Remote, remotes)
	for i := range list {
		list[i].Dst = netip.AddrFrom4([4]byte{172, 16, byte(i / 250), byte(1 + i%250)})
	}
	begin := time.Now()
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(b *bed, cfg *config.Config) {
		must(t, b.host.AddRoute(lab.Route{Dst: netip.MustParsePrefix("172.16.0.0/12"), Via: remoteAddr}))
		for i := range vnis - 1 {
			v := cfg.NewVNI(uint32(1000 + 37*i))
			v.Remotes = append([]config.Remote{}, list...) // a list of its own, as a file may have it
			cfg.VNIs = append(cfg.VNIs, v)
		}
		cfg.VNIs[0].Remotes = list
		must(t, cfg.Validate())
		begin = time.Now()
	})
	started := time.Since(begin)
	b.await("the ways to all remotes are direct", func() bool {
		s := b.g.plane.Snapshot()
		if len(s.Paths) != 1 || len(s.Paths[0]) < remotes {
			return false
		}
		for _, p := range s.Paths[0][:remotes] {
			if p.State != dataplane.PathDirect {
				return false
			}
		}
		return true
	})
	direct := time.Since(begin)

	shared := func() *uint32 {
		t.Helper()
		domains := b.g.plane.Snapshot().Domains
		for _, d := range domains {
			if len(d.FloodRemotes) != remotes || &d.FloodRemotes[0] != &domains[0].FloodRemotes[0] {
				t.Fatalf("vni %d has a flood list of its own", d.VNI)
			}
		}
		return &domains[0].FloodRemotes[0]
	}
	first := shared()
	text, err := json.Marshal(map[string]any{"vni": 7, "device": nil, "remotes": list})
	must(t, err)
	// A neighbour that the kernel looked at again meanwhile makes new paths, and rightly so: then once more.
	var added, deleted time.Duration
	b.await("one more VNI makes no other paths", func() bool {
		paths := &b.g.plane.Snapshot().Paths[0][0]
		begin = time.Now()
		must(t, b.g.AddVNI(text))
		added = time.Since(begin)
		same := &b.g.plane.Snapshot().Paths[0][0] == paths
		if shared() != first {
			t.Error("one more VNI made another flood list")
		}
		begin = time.Now()
		must(t, b.g.DeleteVNI(7))
		deleted = time.Since(begin)
		return same
	})
	var whole, small time.Duration
	must(t, b.g.order(func() (bool, error) {
		begin := time.Now()
		b.g.steward.repath = true
		b.g.publish()
		whole = time.Since(begin)
		begin = time.Now()
		b.g.steward.redrawn = true
		b.g.publish()
		small = time.Since(begin)
		return false, nil
	}))
	begin = time.Now()
	s := b.g.Status()
	status := time.Since(begin)
	if len(s.VNIs) != vnis || len(s.VNIs[5].Remotes) != remotes {
		t.Errorf("the status has %d VNIs", len(s.VNIs))
	}
	begin = time.Now()
	must(t, b.reload(func(cfg *config.Config) { cfg.VNIs = cfg.VNIs[:1] }))
	emptied := time.Since(begin)
	if n := len(b.g.Status().VNIs); n != 1 {
		t.Errorf("%d VNIs are left", n)
	}
	t.Logf("start %v, all ways direct %v; snapshot with all ways %v, without %v; one more VNI %v, one less %v; status %v; %d VNIs less %v",
		started, direct, whole, small, added, deleted, status, vnis-1, emptied)
}
