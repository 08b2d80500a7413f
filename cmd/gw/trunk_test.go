package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

const twoVLANs = `
- {vni: 42, ports: [veth1, {name: eth1, vlan: 100%[1]s}]}
- {vni: 43, ports: [{name: eth1, vlan: 200%[1]s}]}
- {vni: 44, ports: [{name: eth1, vlan: untagged%[1]s}]}
`

// Each VLAN of a trunk is a port of its VNI: tags go and come in both directions, whichever
// kind they are of, and whether they travel in frames or beside them; what else has a tag is
// carried or dropped as it says.
func TestTrunk(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		tpid uint16
		keys string
	}{{"802.1Q", 0x8100, ""}, {"802.1ad", 0x88a8, ", tpid: 802.1ad"}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newTrunkBed(t, c.tpid, fmt.Sprintf(twoVLANs, c.keys))
			b.crosses(100, 42)
			b.crosses(200, 43)
			b.crosses(0, 44)
			b.crosses(100, 42, lab.Tag{Type: 0x8100, TCI: 7})
			b.crosses(200, 43, lab.Tag{Type: 0x8100, TCI: 3<<13 | 8}, lab.Tag{Type: 0x8100, TCI: 9})
			push, err := b.trunk.PushTag("eth0", lab.Tag{Type: c.tpid, TCI: 5<<13 | 200}) // beside the frame, with a priority
			must(t, err)
			beside := b.next(everyone, noMAC)
			must(t, b.trunk.SendFrame("eth0", beside))
			b.sees("vxlan43", b.behind[43], beside)
			must(t, push.Close())
			priority := b.next(everyone, noMAC)
			must(t, b.trunk.SendFrame("eth0", withTags(priority, lab.Tag{Type: c.tpid, TCI: 6 << 13})))
			b.sees("vxlan44", b.behind[44], priority)

			other := uint16(0x8100 + 0x88a8 - int(c.tpid))
			b.dropped(withTags(b.next(everyone, noMAC), lab.Tag{Type: c.tpid, TCI: 101}))
			b.dropped(withTags(b.next(everyone, noMAC), lab.Tag{Type: c.tpid, TCI: 4095}))
			b.dropped(withTags(b.next(everyone, noMAC), lab.Tag{Type: other, TCI: 100}))
			b.dropped(withTags(b.next(everyone, noMAC), lab.Tag{Type: c.tpid}, lab.Tag{Type: c.tpid, TCI: 200}))
			b.gw.drops("flooded", 2, func() { // its only copy has nowhere to go
				for _, tpid := range []uint16{c.tpid, other} {
					must(t, b.far.SendFrame("vxlan44", withTags(b.next(everyone, noMAC), lab.Tag{Type: tpid, TCI: 200})))
				}
			})
			eventually(t, func() string { // they are counted after their verdicts
				if copies := b.gw.status().Workers[0].Copies["inner_vlan"]; copies != 2 {
					return fmt.Sprintf("%d copies dropped for a tag in the native VLAN, want 2", copies)
				}
				return ""
			})

			// Between an access port and a VLAN of the same VNI.
			local := b.next(everyone, boxMAC)
			must(t, b.access.SendFrame("veth0", local))
			b.sees("the trunk", b.onTrunk, b.vlan(local, 100))
			station := net.HardwareAddr{2, 0, 0, 1, 0, 100}
			known := b.next(boxMAC, station)
			must(t, b.trunk.SendFrame("eth0", b.vlan(known, 100)))
			b.sees("the access port", b.onAccess, known)
			b.gw.awaitFDB(station.String()+" dev eth1 vlan 100 master gw42", boxMAC.String()+" dev veth1 master gw42")
			checkVerdicts(t, b.gw)
			for _, f := range b.onTrunk.Frames() {
				frame := whole(f)
				if id := binary.BigEndian.Uint16(frame[14:]); binary.BigEndian.Uint16(frame[12:]) == c.tpid && id != 100 && id != 200 {
					t.Errorf("the trunk sent VLAN %d", id)
				}
			}
			p := b.gw.status().Ports[1]
			want := []control.PortVLAN{{VLAN: "100", VNI: 42}, {VLAN: "200", VNI: 43}, {VLAN: "untagged", VNI: 44}}
			if p.Name != "eth1" || p.VNI != 0 || p.TPID != c.name || !slices.Equal(p.VLANs, want) || p.Drops["inner_vlan"] != 4 || p.TxDrops["inner_vlan"] != 2 {
				t.Errorf("status of the trunk: %+v", p)
			}
			text := output(t, b.node1, "explain", "--port", "eth1", "--flow", "02:00:00:00:00:01,02:00:00:00:00:02,300")
			if want := "verdict      inner_vlan"; c.tpid == 0x8100 && (!strings.Contains(text, want) || !strings.Contains(text, "gw port add eth1 --vlan VLAN --vni VNI")) {
				t.Error(text)
			}
			b.gw.stop()
		})
	}
}

// Hosts in a VLAN of a trunk talk to hosts behind the kernel's device of its VNI, TCP with
// segments that are too big for the tunnel too: who is told so is told with the tag.
func TestTrunkHosts(t *testing.T) {
	t.Parallel()
	b := newTrunkBed(t, 0x8100, "- {vni: 43, device: {addresses: [172.17.1.2/24]}, ports: [{name: eth1, vlan: 200}]}\n- {vni: 42, ports: [{name: eth1, vlan: 100}]}\n")
	c, err := b.trunk.JoinVLAN("eth0", lab.Tag{Type: 0x8100, TCI: 200})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	must(t, b.trunk.AddAddress("eth0", "172.17.1.11/24"))
	must(t, b.far.AddAddress("vxlan43", "172.17.1.13/24"))
	near := end{host: b.trunk, dev: "eth0", addr: netip.MustParseAddr("172.17.1.11")}
	far := end{host: b.far, dev: "vxlan43", addr: netip.MustParseAddr("172.17.1.13")}
	converse(t, near, far)
	host := end{host: b.node1, dev: "gw43", addr: netip.MustParseAddr("172.17.1.2")}
	resolve(t, near, host)
	resolve(t, host, far)
	for _, h := range []*lab.Host{b.node1, b.far} {
		must(t, h.SetMTU("ens18", 1400))
	}
	eventually(t, func() string {
		if mtu := b.gw.status().Underlay.MTU; mtu != 1400 {
			return fmt.Sprintf("gw takes the underlay's MTU to be %d", mtu)
		}
		return ""
	})
	transfer(t, near, far, 1<<20)
	if s := b.gw.status(); s.Workers[0].Answers == 0 {
		t.Error("nobody was told that a frame was too big")
	}
	checkVerdicts(t, b.gw)
	b.gw.stop()
}

// VLANs of a trunk come, go and move to other VNIs by verbs and by a reload, and no frame of
// another VLAN is lost.
func TestTrunkChanges(t *testing.T) {
	t.Parallel()
	b := newTrunkBed(t, 0x8100, `
- {vni: 42, ports: [veth1, {name: eth1, vlan: 100}]}
- {vni: 43, device: null}
`)
	gw := func(args ...string) string { t.Helper(); return output(t, b.node1, args...) }
	refused := func(want string, args ...string) {
		t.Helper()
		if _, said, status := runGW(t, b.node1, args...); status == 0 || !strings.Contains(said, want) {
			t.Errorf("gw %s: exit status %d, %q, want %q", strings.Join(args, " "), status, said, want)
		}
	}
	c, err := b.trunk.JoinVLAN("eth0", lab.Tag{Type: 0x8100, TCI: 100})
	must(t, err)
	must(t, b.trunk.AddAddress("eth0", "172.17.1.11/24"))
	must(t, b.far.AddAddress("vxlan42", "172.17.1.13/24"))
	ping(t, end{host: b.trunk, dev: "eth0", addr: netip.MustParseAddr("172.17.1.11")}, end{host: b.far, dev: "vxlan42", addr: netip.MustParseAddr("172.17.1.13")}, lab.PingOptions{})
	stopStream := countedStream(t, b.trunk, b.far, "172.17.1.13")
	refused("eth1 vlan 100 is a port of vni 42 already", "port", "add", "eth1", "--vni", "43", "--vlan", "100")
	refused("eth1 vlan 100 is a port of vni 42 already", "port", "add", "eth1", "--vni", "43")
	refused("has tpid 802.1ad here and 802.1Q elsewhere", "port", "add", "eth1", "--vni", "43", "--vlan", "200", "--tpid", "802.1ad")
	for range 3 {
		gw("port", "add", "eth1", "--vni", "43", "--vlan", "200")
		refused("is a trunk, a port of vni 42, 43", "port", "del", "eth1")
		refused("eth1 is a trunk: say vlan NUMBER", "fdb", "add", noMAC.String(), "dev", "eth1", "master", "static")
		refused("eth1 has no vlan 300 (it has 100, 200)", "fdb", "add", noMAC.String(), "dev", "eth1", "vlan", "300", "master", "static")
		gw("fdb", "add", noMAC.String(), "dev", "eth1", "vlan", "200", "master", "static")
		if out := gw("fdb", "show", "vlan", "200"); out != noMAC.String()+" dev eth1 vlan 200 master gw43 static\n" {
			t.Errorf("gw fdb show vlan 200: %s", out)
		}
		gw("fdb", "flush", "dev", "eth1", "vlan", "200")
		if out := gw("port", "show"); !strings.Contains(out, "eth1   43   200") || !strings.Contains(out, "eth1   42   100") || !strings.Contains(out, "veth1  42   keep") {
			t.Errorf("gw port show:\n%s", out)
		}
		gw("port", "del", "eth1", "--vlan", "200")
	}
	gw("vni", "add", "10300-10301", "--port", "eth1:300-301")
	if out := gw("port", "show"); !strings.Contains(out, "eth1   10300  300") || !strings.Contains(out, "eth1   10301  301") {
		t.Errorf("gw port show:\n%s", out)
	}
	gw("vni", "del", "10300")
	gw("vni", "del", "10301")
	gw("vni", "add", "45", "--port", "eth1:300")
	if out := gw("vni", "show", "45", "-j"); !strings.Contains(out, `"vlan": "300"`) {
		t.Errorf("gw vni show 45 -j: %s", out)
	}
	gw("vni", "del", "45")
	b.becomes(`
- {vni: 42, ports: [veth1, {name: eth1, vlan: 100}]}
- {vni: 43, ports: [{name: eth1, vlan: 200}]}
- {vni: 44, ports: [{name: eth1, vlan: 201, isolated: true}]}
`, "added vni 44; changed vni 43 (ports)")
	b.becomes(`
- {vni: 42, ports: [veth1, {name: eth1, vlan: 100}]}
- {vni: 43, ports: [{name: eth1, vlan: 201}]}
- {vni: 44, ports: [{name: eth1, vlan: 200}]}
`, "changed vni 43 (ports); changed vni 44 (ports)")
	if sent, received := stopStream(); sent == 0 || received != sent {
		t.Errorf("%d of %d datagrams of VLAN 100 arrived", received, sent)
	}
	must(t, c.Close())
	b.crosses(200, 44)
	b.crosses(201, 43)
	// The trunk's only VLAN may change, and the kind of its tags; then it is an access port.
	b.tpid = 0x88a8
	b.becomes("- {vni: 42, ports: [veth1, {name: eth1, vlan: 300, tpid: 802.1ad}]}\n", "removed vni 43, 44; changed vni 42 (ports)")
	b.crosses(300, 42)
	b.becomes("- {vni: 42, ports: [veth1, eth1]}\n", "changed vni 42 (ports)")
	kept := withTags(b.next(everyone, noMAC), lab.Tag{Type: 0x8100, TCI: 7})
	must(t, b.trunk.SendFrame("eth0", kept))
	b.sees("vxlan42", b.behind[42], kept)
	b.gw.stop()
}

// A trunk that is removed is missed in all of its VNIs, and taken again with all VLANs.
func TestTrunkComesBack(t *testing.T) {
	t.Parallel()
	b := newTrunkBed(t, 0x8100, fmt.Sprintf(twoVLANs, ""))
	b.crosses(200, 43)
	for range 2 {
		must(t, b.node1.DeleteLink("eth1"))
		b.gw.awaitProblem("port eth1 of 3 VNIs is gone")
		if out := output(t, b.node1, "port", "show"); strings.Count(out, "\neth1 ") != 3 || strings.Count(out, "  gone  ") != 3 {
			t.Errorf("gw port show:\n%s", out)
		}
		b.plug()
		b.gw.awaitHealth()
		b.crosses(100, 42)
		b.crosses(200, 43)
		b.crosses(0, 44)
	}
	b.gw.stop()
}

// Tags are taken off, or what has one is dropped, at a port without VLANs of its own; the
// rule changes by a reload while the port is open.
func TestTagRules(t *testing.T) {
	t.Parallel()
	b := newTrunkBed(t, 0x8100, "- {vni: 42, ports: [veth1, {name: eth1, vlan: strip}]}\n")
	tag := lab.Tag{Type: 0x88a8, TCI: 77}
	for range 2 {
		for _, tags := range [][]lab.Tag{nil, {tag}, {tag, tag}} {
			f := b.next(everyone, noMAC)
			must(t, b.trunk.SendFrame("eth0", withTags(f, tags...)))
			b.sees("vxlan42", b.behind[42], withTags(f, tags[min(1, len(tags)):]...))
		}
		out := func() { // with a tag, to everyone and to a station there
			station := net.HardwareAddr{2, 0, 0, 1, 0, 5}
			must(t, b.trunk.SendFrame("eth0", b.next(boxMAC, station)))
			b.gw.awaitFDB(station.String() + " dev eth1 master gw42")
			b.gw.drops("inner_vlan", 1, func() { must(t, b.far.SendFrame("vxlan42", withTags(b.next(station, farMAC), tag))) })
			all := withTags(b.next(everyone, farMAC), tag)
			must(t, b.far.SendFrame("vxlan42", all))
			b.sees("the access port", b.onAccess, all)
			plain := b.next(station, farMAC)
			must(t, b.far.SendFrame("vxlan42", plain))
			b.sees("the port", b.onTrunk, plain)
		}
		out()
		b.becomes("- {vni: 42, ports: [veth1, {name: eth1, vlan: drop}]}\n", "changed vni 42 (ports)")
		if out := output(t, b.node1, "port", "show"); !strings.Contains(out, "eth1   42   drop") {
			t.Errorf("gw port show:\n%s", out)
		}
		b.dropped(withTags(b.next(everyone, noMAC), tag))
		b.dropped(withTags(b.next(everyone, noMAC), lab.Tag{Type: 0x8100}))
		f := b.next(everyone, noMAC)
		must(t, b.trunk.SendFrame("eth0", f))
		b.sees("vxlan42", b.behind[42], f)
		out()
		b.becomes("- {vni: 42, ports: [veth1, {name: eth1, vlan: strip}]}\n", "changed vni 42 (ports)")
	}
	for _, f := range b.onTrunk.Frames() {
		if f.Tagged || f.Data[12] == 0x81 || f.Data[12] == 0x88 && f.Data[13] == 0xa8 {
			t.Errorf("a frame with a tag left by the port: % x", f.Data[:20])
		}
	}
	checkVerdicts(t, b.gw)
	b.gw.stop()
}

// Where the tags cannot be had there are no rules for them: neither at the start nor later.
func TestTagsNotThere(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer, box := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "box")
	cable(t, l, h, peer)
	must(t, l.Veth(h, "veth1", box, "veth0", lab.VethOptions{MTU: 1450}))
	for _, vlan := range []string{"100", "untagged", "strip", "drop"} {
		_, said, status := runGW(t, h, on("--port", "veth1:"+vlan, "--mode", "generic")...)
		for _, want := range []string{"vni 42: port veth1", "VLAN tags of its frames do not arrive", "another network namespace", "ethtool -K PEER txvlan off"} {
			if status == 0 || !strings.Contains(said, want) {
				t.Errorf("vlan %s: exit status %d, %q, want %q", vlan, status, said, want)
			}
		}
	}
	file := writeFile(t, "underlay: {iface: ens18, mode: generic}\nmetrics: {listen: ''}\nvnis: [{vni: 42, ports: [veth1]}]\n")
	g := start(t, h, "--config", file)
	must(t, os.WriteFile(file, []byte("underlay: {iface: ens18, mode: generic}\nmetrics: {listen: ''}\nvnis: [{vni: 42, ports: [{name: veth1, vlan: drop}]}]\n"), 0o600))
	g.reload("do not arrive")
	g.end(unix.SIGTERM) // it has logged an error
}
