package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/internal/lab"
)

// holdings are what a gateway holds beside frames.
func (b *bed) holdings() string {
	b.t.Helper()
	g, s := b.g, b.g.plane.Snapshot()
	var xdp []string
	links, err := b.host.Links()
	must(b.t, err)
	for _, l := range links {
		if x := l.Attrs().Xdp; x != nil && x.Attached {
			xdp = append(xdp, l.Attrs().Name)
		}
	}
	slices.Sort(xdp)
	vnis := 0
	for _, d := range s.Domains {
		if d != nil {
			vnis++
		}
	}
	queues := 0
	for _, q := range s.Queues {
		queues += len(q)
	}
	static := 0
	g.plane.FDB.Range(func(_ fdb.Key, v fdb.Value) bool {
		if v.Kind() != fdb.Learned {
			static++
		}
		return true
	})
	return fmt.Sprint("domains ", g.domainNumbers.used-len(g.domainNumbers.free), " ports ", g.portNumbers.used-len(g.portNumbers.free),
		" groups ", g.held, " frames ", g.frames.free, " programs on ", xdp, " VNIs ", vnis, " queues ", queues,
		" entries ", static, " journal ", len(g.journal.Pending()))
}

// A change that fails at its last step leaves nothing of the others.
func TestRefusedChangeLeavesNothing(t *testing.T) {
	b := newBed(t)
	for _, p := range []string{"p0", "p1"} {
		_, err := b.host.BridgePort(p, "box"+p, "172.20.0.2/24", lab.VethOptions{})
		must(t, err)
	}
	must(t, b.host.Bridge("taken"))
	before := b.holdings()
	for range 3 {
		err := b.reload(func(cfg *config.Config) {
			a, c := cfg.NewVNI(200), cfg.NewVNI(201)
			a.Group, a.Ports = netip.MustParseAddr("224.1.1.9"), []config.Port{{Name: "p0"}, {Name: "p1"}}
			a.Device = &config.Device{Name: "gw200"}
			c.Device = &config.Device{Name: "taken"}
			cfg.VNIs = append(cfg.VNIs[:1:1], a, c)
		})
		if err == nil || !strings.Contains(err.Error(), "vni 201: create device taken") {
			t.Fatalf("refused with %v", err)
		}
		if now := b.holdings(); now != before {
			t.Errorf("holds %s\nheld  %s", now, before)
		}
	}
	// And one whose port gives way first.
	err := b.reload(func(cfg *config.Config) {
		v, c := cfg.VNIs[0], cfg.NewVNI(201)
		v.Ports = []config.Port{{Name: "p0"}}
		c.Ports, c.Device = []config.Port{{Name: "veth1"}}, &config.Device{Name: "taken"}
		cfg.VNIs = []config.VNI{v, c}
	})
	if err == nil {
		t.Fatal("accepted")
	}
	if now := b.holdings(); now != before {
		t.Errorf("holds %s\nheld  %s", now, before)
	}
	b.direct()
	sent := b.verdict(dataplane.Flooded)
	port := packetSocket(t, b.container, "veth0", 0)
	b.await("frames of the port flow again", func() bool {
		send(t, port, frame(9, 7, 60))
		return b.verdict(dataplane.Flooded) > sent
	})
}

// Indices that stand for another VNI and port at the next look: what was there has
// gone, what is there has come, each under its own name.
func TestMonitorAcrossReuse(t *testing.T) {
	b := newBed(t)
	_, err := b.host.BridgePort("p0", "box", "172.20.0.2/24", lab.VethOptions{})
	must(t, err)
	w := &watch{g: b.g, seen: map[fdb.Key]sighting{}, most: mostEvents}
	look := func(want ...string) {
		t.Helper()
		events, err := w.look()
		must(t, err)
		var got []string
		for _, e := range events {
			if !strings.HasPrefix(e.MAC, "02:00:00:00:00") && e.MAC != control.ZeroMAC {
				continue // of the kernel's own packets
			}
			got = append(got, e.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	add := func(vni int) {
		t.Helper()
		must(t, b.g.AddVNI([]byte(fmt.Sprintf(`{"vni": %d, "remotes": ["10.0.0.9"], "ports": ["p0"],
			"fdb": [{"mac": "02:00:00:00:00:01", "dst": "10.0.0.9"}, {"mac": "02:00:00:00:00:02", "port": "p0"}]}`, vni))))
	}
	entries := func(vni int) []string {
		return []string{
			fmt.Sprintf("00:00:00:00:00:00 dev gw%d dst 10.0.0.9 via ens18 self permanent", vni),
			fmt.Sprintf("02:00:00:00:00:01 dev gw%d dst 10.0.0.9 self static", vni),
			fmt.Sprintf("02:00:00:00:00:02 dev p0 master gw%d static", vni),
		}
	}
	deleted := func(lines []string) (out []string) {
		for _, l := range lines {
			out = append(out, "Deleted "+l)
		}
		return out
	}
	look()
	add(100)
	look(entries(100)...)
	must(t, b.g.DeleteVNI(100))
	add(101)
	if b.g.domainNumbers.used != 2 || b.g.portNumbers.used != 2 {
		t.Fatal("no index is used again: this tests nothing")
	}
	look(append(deleted(entries(100)), entries(101)...)...)
	look()
	must(t, b.g.DeleteVNI(101))
	look(deleted(entries(101))...)
}

// An order that may name a port is carried out when workers know all ports: an entry for
// an index behind the end of their lists would end them.
func TestOrdersFindPortsPublished(t *testing.T) {
	b := newBed(t)
	for range 20 {
		taken := make(chan error, 1)
		begun := make(chan struct{})
		must(t, b.g.order(func() (bool, error) { return true, nil })) // the next snapshot is not due yet
		go func() {
			taken <- b.g.order(func() (bool, error) {
				close(begun)
				b.g.steward.requeued = true // as after takeIn
				return true, nil
			})
		}()
		<-begun
		must(t, b.g.order(func() (bool, error) {
			if b.g.steward.requeued {
				t.Error("workers do not know the ports yet")
			}
			return false, nil
		}))
		must(t, <-taken)
	}
}

// A group that several VNIs have is left with the last of them, and so is its place
// among the addresses of the steering program.
func TestSharedGroup(t *testing.T) {
	b := newBed(t)
	group := netip.MustParseAddr("224.1.1.7")
	joined := func() bool {
		t.Helper()
		text, err := b.host.Dump()
		must(t, err)
		return strings.Contains(text, "group ens18 ipv4 070101E0 ") // as the kernel writes group
	}
	add := func(vni int) {
		t.Helper()
		must(t, b.g.AddVNI([]byte(fmt.Sprintf(`{"vni": %d, "group": %q, "device": null}`, vni, group))))
	}
	add(100)
	add(101)
	must(t, b.g.DeleteVNI(100))
	if b.g.held[group] != 1 || !joined() {
		t.Errorf("left with a VNI that has it: %v", b.g.held)
	}
	add(100)
	must(t, b.reload(func(cfg *config.Config) {
		v := cfg.NewVNI(101) // has another group now
		v.Group = netip.MustParseAddr("224.1.1.8")
		w := cfg.NewVNI(100)
		w.Group = group
		cfg.VNIs = append(cfg.VNIs[:1:1], v, w)
	}))
	if b.g.held[group] != 1 || !joined() {
		t.Errorf("left with a VNI that has it: %v", b.g.held)
	}
	must(t, b.g.DeleteVNI(100))
	if b.g.held[group] != 0 || joined() {
		t.Errorf("held without a VNI: %v", b.g.held)
	}
	if err := b.g.DeleteVNI(100); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}
