package gateway

import (
	"slices"
	"testing"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

// A reload changes what a VNI floods and which ports are isolated without opening a port
// again; what was flooded in this second stays counted; a refused one changes nothing; and
// a port that goes and comes back is what it was.
func TestFloodingChanges(t *testing.T) {
	b := newBed(t)
	add := func(container string) {
		t.Helper()
		_, err := b.host.BridgePort("p0", container, "172.20.0.2/24", lab.VethOptions{})
		must(t, err)
	}
	add("box1")
	must(t, b.host.Do(func() error { return b.g.AddPort(control.PortChange{VNI: 42, Name: "p0", Isolated: true}) }))
	inForce := func(name string) *dataplane.Port {
		for _, p := range b.g.plane.Snapshot().Ports {
			if p != nil && p.Name == name {
				return p
			}
		}
		return nil
	}
	domain := func() *dataplane.Domain { return b.g.plane.Snapshot().Domains[0] }
	check := func(isolated ...string) {
		t.Helper()
		var open []uint32
		for _, name := range []string{"veth1", "p0"} {
			p := inForce(name)
			if p == nil {
				t.Fatalf("no port %s", name)
			}
			if p.Isolated != slices.Contains(isolated, name) {
				t.Errorf("%s is isolated: %v", name, p.Isolated)
			}
			if !p.Isolated {
				open = append(open, p.Index)
			}
		}
		if len(isolated) > 0 && !slices.Equal(domain().OpenPorts, open) {
			t.Errorf("open ports %v, want %v", domain().OpenPorts, open)
		}
		for _, p := range b.g.Status().Ports {
			if p.Isolated != slices.Contains(isolated, p.Name) {
				t.Errorf("the status says of %s that it is isolated: %v", p.Name, p.Isolated)
			}
		}
	}
	check("p0")
	queues := func() (all []*dataplane.Queue) {
		for _, q := range b.g.plane.Snapshot().Queues {
			all = append(all, q...)
		}
		return all
	}
	before := queues()

	limited := func(cfg *config.Config) {
		v := cfg.VNIs[0]
		v.Ports = []config.Port{{Name: "veth1", Isolated: true}, {Name: "p0", Isolated: true}}
		v.BcastFlood, v.Storm = false, config.Storm{Unknown: 7, Multicast: 9}
		cfg.VNIs = []config.VNI{v}
	}
	must(t, b.reload(limited))
	check("veth1", "p0")
	f := domain().Flooding
	if f.Off != [dataplane.ClassCount]bool{dataplane.Broadcast: true} || f.Storm == nil ||
		f.Limit != [dataplane.ClassCount]uint32{dataplane.UnknownUnicast: 7, dataplane.Multicast: 9} {
		t.Errorf("floods %+v", f)
	}
	storm := f.Storm

	must(t, b.host.Bridge("taken"))
	if err := b.reload(func(cfg *config.Config) {
		v, c := cfg.VNIs[0], cfg.NewVNI(201)
		v.Ports = []config.Port{{Name: "veth1"}, {Name: "p0"}}
		c.Device = &config.Device{Name: "taken"}
		cfg.VNIs = []config.VNI{v, c}
	}); err == nil {
		t.Fatal("accepted")
	}
	check("veth1", "p0")
	if domain().Flooding != f {
		t.Errorf("floods %+v after a refused reload", domain().Flooding)
	}

	must(t, b.reload(func(cfg *config.Config) {
		limited(cfg)
		cfg.VNIs[0].Storm.Unknown, cfg.VNIs[0].Ports[0].Isolated = 8, false
	}))
	check("p0")
	if f := domain().Flooding; f.Limit[dataplane.UnknownUnicast] != 8 || f.Storm != storm {
		t.Errorf("floods %+v, counted at %p before", f, storm)
	}
	if !slices.Equal(queues(), before) {
		t.Error("queues were opened or closed on the way")
	}

	must(t, b.host.DeleteLink("p0"))
	b.await("p0 is gone", func() bool { return inForce("p0") == nil })
	for _, p := range b.g.Status().Ports {
		if p.Name == "p0" && !p.Isolated {
			t.Error("the status does not say of the port that is gone that it is isolated")
		}
	}
	add("box2")
	b.await("p0 is back", func() bool { return inForce("p0") != nil })
	check("p0")
}
