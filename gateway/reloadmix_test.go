package gateway

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/internal/lab"
)

// looks is all that workers and users see of VNI 42, in words.
func (b *bed) looks() string {
	b.t.Helper()
	s := b.g.plane.Snapshot()
	index := s.VNIs.Domain(42)
	d := *s.Domains[index]
	tunnel := *d.Tunnel
	tunnel.Source, tunnel.Set = nil, 0
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	say("learning %v announce %v suppresses %v off %v limits %v", d.Learning, d.Announce, d.Neighbours != nil, d.Flooding.Off, d.Flooding.Limit)
	used := 0
	for _, t := range b.g.tunnels {
		used += t.users
	}
	say("tunnel %+v; all have %d users", tunnel, used)
	if d.Allow != nil {
		say("allow %+v", *d.Allow)
	}
	for _, n := range d.FloodRemotes {
		say("floods to %+v", b.g.plane.Remotes.Endpoint(n))
	}
	say("%d ports, %d of them open", len(d.FloodPorts), len(d.OpenPorts))
	for _, n := range d.FloodPorts {
		p := s.Ports[n]
		rule := dataplane.TagRule(99)
		if p.Tagging != nil {
			rule = p.Tagging.Rule
		}
		say("port %s isolated %v rule %d exit %v", p.Name, p.Isolated, rule, p.Exit)
	}
	for _, e := range b.g.FDB() {
		if e.Domain() == 42 && e.State != "" { // containers say something of their own, too
			say("%s", e)
		}
	}
	all, err := b.g.Neighbours(control.NeighFilter{})
	must(b.t, err)
	for _, n := range all {
		say("%s", n)
	}
	for _, v := range b.g.VNIs() {
		say("%s", v)
	}
	for _, v := range b.g.Status().VNIs {
		say("vni %d: allow %v neigh %v remotes %v group %s", v.VNI, v.Allow, v.Neigh != nil, v.Remotes, v.Group)
	}
	return strings.Join(out, "\n")
}

// A reload that changes settings of every subject and fails at its very last step leaves all of them as they were; the
// same one without the fault has all of them, and another one takes them back.
func TestReloadOfEverything(t *testing.T) {
	b := newBed(t)
	for _, p := range []string{"p0", "p1"} {
		_, err := b.host.BridgePort(p, "box"+p, "172.20.0.2/24", lab.VethOptions{})
		must(t, err)
	}
	var device config.MAC // of the device of another VNI: its address as an entry is what fails last
	reload := func(change func(v *config.VNI), entries ...config.Static) error {
		return b.reload(func(cfg *config.Config) {
			v, c := cfg.VNIs[0], cfg.NewVNI(201)
			v.Ports = []config.Port{{Name: "veth1"}, {Name: "p0", VLAN: 100}}
			change(&v)
			c.Device, c.FDB = &config.Device{Name: "gw201"}, entries
			cfg.VNIs = []config.VNI{v, c}
		})
	}
	must(t, b.host.Do(func() error { return reload(func(*config.VNI) {}) }))
	for _, p := range b.g.ports {
		if p != nil && p.pair != nil {
			binary.BigEndian.PutUint16(device[:], uint16(p.mac.Load()>>32))
			binary.BigEndian.PutUint32(device[2:], uint32(p.mac.Load()))
		}
	}
	const mac = "02:00:00:00:00:77"
	must(t, b.change("add", mac, "10.0.0.9"))
	must(t, b.g.AddRemote(control.RemoteChange{VNI: 42, Address: netip.MustParseAddr("10.0.0.8"), Port: 8472}))

	everything := func(v *config.VNI) {
		dst := netip.MustParseAddr("10.0.0.7")
		v.Remotes = []config.Remote{{Dst: dst, Port: 8472, VNI: 100}, {Dst: netip.MustParseAddr("2001:db8::7")}}
		v.FDB = []config.Static{{MAC: config.MAC{2, 0, 0, 0, 0, 0x77}, Dst: dst, UDPPort: 8473}}
		v.Ports = []config.Port{{Name: "veth1", Isolated: true, VLAN: config.VLANStrip}, {Name: "p0", VLAN: 101, Isolated: true}, {Name: "p1"}}
		v.Allow = config.Allow{{}}
		v.Tunnel.TTL, v.Tunnel.UDPCsum, v.Tunnel.ReservedBits = config.TTLInherit, true, config.ReservedBits(1)
		v.BcastFlood, v.Flood, v.Storm = false, false, config.Storm{Multicast: 7}
		v.Moves = config.Moves{Limit: 3, Within: config.Duration(time.Minute), Freeze: config.Duration(time.Minute)}
		v.NeighSuppress, v.NeighForwardGrat = true, false
		v.Neigh = []config.Neighbour{{IP: netip.MustParseAddr("172.17.0.9"), MAC: config.MAC{2, 0, 0, 0, 0, 0x77}}}
		v.Learning, v.MaxAddress = false, 10
	}
	groupOf := func(v *config.VNI) {
		everything(v)
		v.Group = netip.MustParseAddr("ff05::100")
	}
	settled := func() string { // remotes that nothing names any more have gone
		b.await("remotes have settled", func() bool {
			return !slices.ContainsFunc(b.g.plane.Remotes.Endpoints(), func(e dataplane.Endpoint) bool { return e.Addr == netip.MustParseAddr("10.0.0.7") })
		})
		return b.holdings() + "\n" + b.looks()
	}
	before := settled()
	for what, change := range map[string]func(*config.VNI){"remotes": everything, "a group": groupOf} {
		for range 2 {
			err := b.host.Do(func() error { return reload(change, config.Static{MAC: device, Dst: remoteAddr}) })
			if err == nil || !strings.Contains(err.Error(), "the device's own address") {
				t.Fatalf("%s: %v", what, err)
			}
			if now := settled(); now != before {
				t.Fatalf("with %s, after a refused reload:\n%s\nbefore it:\n%s", what, now, before)
			}
		}
	}
	must(t, b.host.Do(func() error { return reload(everything) }))
	now := b.looks()
	for _, want := range []string{
		"learning false announce false suppresses true off [true true false] limits [0 0 7]",
		"InheritTTL:true", "UDPChecksum:true", "Reserved:1",
		"floods to {Addr:10.0.0.7 Port:8472 VNI:100}", "floods to {Addr:2001:db8::7 Port:0 VNI:0}",
		"3 ports, 1 of them open", mac + " dev gw42 dst 10.0.0.7 port 8473", "172.17.0.9 dev gw42 lladdr " + mac, "allow [remotes]",
	} {
		if !strings.Contains(now, want) {
			t.Errorf("%q is not in\n%s", want, now)
		}
	}
}
