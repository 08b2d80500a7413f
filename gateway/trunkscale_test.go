package gateway

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

// All VLANs there are on one trunk, each a VNI of its own: frames of each cross in both
// directions, one VLAN changes without those of the others, and the trunk goes and comes back
// as a whole.
func TestTrunkOfAllVLANs(t *testing.T) {
	vni := func(vlan int) uint32 { return uint32(10_000 + vlan) }
	begin := time.Now()
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(b *bed, cfg *config.Config) {
		must(t, b.container.SetOffload("veth0", "txvlan", false)) // tags are in the frames, also on kernels that cannot tell
		for vlan := 1; vlan <= config.MaxVLAN; vlan++ {
			v := cfg.NewVNI(vni(vlan))
			v.Remotes = cfg.VNIs[0].Remotes
			v.Ports = []config.Port{{Name: "veth1", VLAN: config.VLAN(vlan)}}
			cfg.VNIs = append(cfg.VNIs, v)
		}
		cfg.VNIs = cfg.VNIs[1:]
		must(t, cfg.Validate())
		begin = time.Now()
	})
	started := time.Since(begin)
	b.direct()
	if n := len(b.g.plane.Snapshot().Ports); n != config.MaxVLAN+1 {
		t.Fatalf("%d ports", n)
	}
	wire, err := b.remote.Capture("ens18", func(f lab.Frame) bool { return !f.Outgoing && len(f.Data) > 100 && f.Data[23] == 17 })
	must(t, err)
	inside, err := b.container.Capture("veth0", func(f lab.Frame) bool { return !f.Outgoing && f.Tagged })
	must(t, err)
	tag := func(f []byte, vlan int) []byte {
		return append(binary.BigEndian.AppendUint32(bytes.Clone(f[:12]), 0x81000000|uint32(vlan)), f[12:]...)
	}
	cross := func(step int) {
		t.Helper()
		const burst = 50
		seen := map[uint32]bool{}
		for first := 1; first <= config.MaxVLAN; first += step * burst {
			var out, in [][]byte
			var ids []int
			for i := range burst {
				if vlan := first + i*step; vlan <= config.MaxVLAN {
					ids = append(ids, vlan)
					out = append(out, tag(frame(0xff, 1, 60), vlan))
					in = append(in, b.packetOf(vni(vlan), frame(0xff, 2, 60)))
				}
			}
			before := [2]int{len(wire.Frames()), len(inside.Frames())}
			must(t, b.container.SendFrame("veth0", out...))
			must(t, b.remote.SendFrame("ens18", in...))
			b.await(fmt.Sprintf("frames of VLANs %d and so on", first), func() bool {
				return len(wire.Frames()) >= before[0]+len(out) && len(inside.Frames()) >= before[1]+len(in)
			})
			for _, f := range wire.Frames()[before[0]:] {
				seen[binary.BigEndian.Uint32(f.Data[46:])>>8] = true
				if !bytes.Equal(f.Data[50:], frame(0xff, 1, 60)) {
					t.Fatalf("into the tunnel goes % x", f.Data[50:])
				}
			}
			for i, f := range inside.Frames()[before[1]:] {
				if int(f.VLAN) != ids[i] || !bytes.Equal(f.Data, frame(0xff, 2, 60)) {
					t.Fatalf("in VLAN %d comes % x, want VLAN %d", f.VLAN, f.Data[:20], ids[i])
				}
			}
			for _, id := range ids {
				if !seen[vni(id)] {
					t.Errorf("VLAN %d did not come with VNI %d", id, vni(id))
				}
			}
		}
	}
	begin = time.Now()
	cross(1)
	crossed := time.Since(begin)

	var publish time.Duration
	must(t, b.g.order(func() (bool, error) {
		begin := time.Now()
		b.g.publish()
		publish = time.Since(begin)
		return false, nil
	}))
	// What the kernel still says of the trunk makes another list, and rightly so: then once more.
	b.await("ports that are the same are the same list in the next snapshot", func() bool {
		before := b.g.plane.Snapshot().Ports
		must(t, b.g.order(func() (bool, error) { b.g.publish(); return false, nil }))
		return &b.g.plane.Snapshot().Ports[0] == &before[0]
	})
	begin = time.Now()
	must(t, b.reload(func(cfg *config.Config) {
		cfg.VNIs = slices.Clone(cfg.VNIs)
		v := &cfg.VNIs[99] // VLANs 100 and 101 change places
		v.Ports, cfg.VNIs[100].Ports = cfg.VNIs[100].Ports, v.Ports
	}))
	swapped := time.Since(begin)
	if s := b.g.plane.Snapshot(); s.Ports[0].Tagging == nil || s.Domains[s.Ports[0].Tagging.VLAN[100].Domain].VNI != vni(101) {
		t.Error("VLANs 100 and 101 did not change places")
	}
	begin = time.Now()
	s := b.g.Status()
	status := time.Since(begin)
	if len(s.Ports) != 1 || len(s.Ports[0].VLANs) != config.MaxVLAN {
		t.Errorf("the status has %d ports", len(s.Ports))
	}
	must(t, b.host.DeleteLink("veth1"))
	b.await("the trunk is gone", func() bool {
		p := b.g.Status().Ports
		return len(p) == 1 && p[0].Gone && len(p[0].VLANs) == config.MaxVLAN
	})
	l := b.lab
	must(t, l.Veth(b.host, "veth1", b.container, "veth0", lab.VethOptions{}))
	must(t, b.container.SetOffload("veth0", "txvlan", false))
	begin = time.Now()
	b.await("the trunk is back", func() bool {
		p := b.g.Status().Ports
		return len(p) == 1 && p[0].Up && len(p[0].VLANs) == config.MaxVLAN && !p[0].VLANs[0].Gone
	})
	back := time.Since(begin)
	if inside, err = b.container.Capture("veth0", func(f lab.Frame) bool { return !f.Outgoing && f.Tagged }); err != nil {
		t.Fatal(err)
	}
	must(t, b.reload(func(*config.Config) {}))
	cross(37)
	if n := b.verdict(dataplane.InnerVLAN); n != 0 {
		t.Errorf("%d frames were of no VLAN", n)
	}
	begin = time.Now()
	must(t, b.reload(func(cfg *config.Config) { cfg.VNIs = cfg.VNIs[:1] }))
	t.Logf("start %v, frames of all both ways %v; snapshot %v; two VLANs change places %v; status %v; back %v; %d VNIs less %v",
		started, crossed, publish, swapped, status, back, config.MaxVLAN-1, time.Since(begin))
}
