package main

import (
	"bytes"
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

// trunkBed is gw with a trunk, eth1, whose other end the test plays as a switch would, and an
// access port; the far end has one of the kernel's vxlan devices for each VNI.
type trunkBed struct {
	t           *testing.T
	gw          *vtep
	lab         *lab.Lab
	node1, far  *lab.Host
	trunk       *lab.Host // eth0 is the other end of eth1
	file        string
	onTrunk     *lab.Capture
	behind      map[uint32]*lab.Capture // the device of a VNI, by VNI
	onWire      *lab.Capture
	onAccess    *lab.Capture // veth0, the other end of veth1
	access      *lab.Host
	frames      int
	tpid        uint16
	trunkFrames func(f lab.Frame) bool
}

var trunkVNIs = []uint32{42, 43, 44}

func newTrunkBed(t *testing.T, tpid uint16, vnis string, more ...string) *trunkBed {
	t.Helper()
	b := &trunkBed{t: t, lab: newLab(t), behind: map[uint32]*lab.Capture{}, tpid: tpid}
	b.node1, b.far, b.trunk, b.access = newHost(t, b.lab, "node1"), newHost(t, b.lab, "node2"), newHost(t, b.lab, "switch"), newHost(t, b.lab, "box")
	for _, h := range []*lab.Host{b.node1, b.far, b.trunk, b.access} {
		must(t, h.SetSysctl("net.ipv6.conf.default.disable_ipv6", "1"))
	}
	must(t, b.lab.Veth(b.node1, "ens18", b.far, "ens18", lab.VethOptions{MTU: 1600}))
	must(t, b.node1.AddAddress("ens18", "10.65.132.187/24"))
	must(t, b.far.AddAddress("ens18", "10.65.132.188/24"))
	b.plug()
	must(t, b.lab.Veth(b.node1, "veth1", b.access, "veth0", lab.VethOptions{}))
	for _, vni := range trunkVNIs {
		name := fmt.Sprintf("vxlan%d", vni)
		must(t, b.far.KernelVXLAN(lab.VXLANConfig{Name: name, VNI: vni, Dev: "ens18", Remote: under1, MTU: 1500}))
		b.behind[vni] = b.capture(b.far, name)
	}
	b.onWire = b.capture(b.far, "ens18")
	b.onAccess = b.capture(b.access, "veth0")
	b.file = writeFile(t, trunkFile(vnis))
	b.gw = start(t, b.node1, append([]string{"--config", b.file}, more...)...)
	return b
}

// plug makes the trunk's cable.
func (b *trunkBed) plug() {
	b.t.Helper()
	must(b.t, b.lab.Veth(b.node1, "eth1", b.trunk, "eth0", lab.VethOptions{}))
	keepTagsWithin(b.t, b.trunk, "eth0")
	b.onTrunk = b.capture(b.trunk, "eth0")
}

func (b *trunkBed) capture(h *lab.Host, link string) *lab.Capture {
	b.t.Helper()
	c, err := h.Capture(link, func(f lab.Frame) bool { return !f.Outgoing })
	must(b.t, err)
	return c
}

func trunkFile(vnis string) string {
	return "underlay: {iface: ens18}\nmetrics: {listen: ''}\nremotes: [10.65.132.188]\nvnis:\n" + vnis
}

// becomes has gw read other VNIs from its file.
func (b *trunkBed) becomes(vnis, says string) {
	b.t.Helper()
	must(b.t, os.WriteFile(b.file, []byte(trunkFile(vnis)), 0o600))
	b.gw.reload(says)
}

// next is a frame that there was not before.
func (b *trunkBed) next(dst, src net.HardwareAddr) []byte {
	b.frames++
	return named(dst, src, fmt.Sprintf("frame %d of the trunk.", b.frames))
}

// withTags puts tags into a frame, the outermost first.
func withTags(frame []byte, tags ...lab.Tag) []byte {
	var text []byte
	for _, tag := range tags {
		text = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(text, tag.Type), tag.TCI)
	}
	return slices.Insert(slices.Clone(frame), 12, text...)
}

// vlan is a frame with the tag of the trunk's VLAN id, or without one.
func (b *trunkBed) vlan(frame []byte, id uint16) []byte {
	if id == 0 {
		return frame
	}
	return withTags(frame, lab.Tag{Type: b.tpid, TCI: id})
}

// sees waits for a frame, which has to arrive just so.
func (b *trunkBed) sees(where string, c *lab.Capture, want []byte) {
	b.t.Helper()
	name := want[bytes.Index(want, []byte("frame ")):][:24]
	got, err := c.Wait(testContext(b.t), 1, func(f lab.Frame) bool { return bytes.Contains(f.Data, name) })
	if err != nil {
		by, _, _ := verdicts(b.gw.status())
		b.t.Fatalf("%s does not get %q: %v; verdicts %v", where, name, err, by)
	}
	if frame := whole(got[0]); !bytes.Equal(frame, want) {
		b.t.Errorf("%s gets\n% x, want\n% x", where, frame[:min(len(frame), 40)], want[:40])
	}
}

// crosses sends frames of a VLAN of the trunk to everyone, and back: they come as they are
// in the VNI, without that tag.
func (b *trunkBed) crosses(id uint16, vni uint32, inner ...lab.Tag) {
	b.t.Helper()
	device := fmt.Sprintf("vxlan%d", vni)
	station := net.HardwareAddr{2, 0, 0, 1, byte(id >> 8), byte(id)}
	out := withTags(b.next(everyone, station), inner...)
	must(b.t, b.trunk.SendFrame("eth0", b.vlan(out, id)))
	b.sees(device, b.behind[vni], out)
	onWire, err := b.onWire.Wait(testContext(b.t), 1, func(f lab.Frame) bool { return bytes.HasSuffix(f.Data, out[12:]) })
	must(b.t, err)
	if got := binary.BigEndian.Uint32(onWire[0].Data[46:]) >> 8; got != vni {
		b.t.Errorf("VLAN %d comes with VNI %d, want %d", id, got, vni)
	}
	for _, dst := range []net.HardwareAddr{everyone, station} {
		in := withTags(b.next(dst, net.HardwareAddr{2, 0, 0, 2, byte(id >> 8), byte(id)}), inner...)
		must(b.t, b.far.SendFrame(device, in))
		b.sees("the trunk", b.onTrunk, b.vlan(in, id))
	}
}

// dropped sends a frame on the trunk that has to be dropped for its tag.
func (b *trunkBed) dropped(frame []byte) {
	b.t.Helper()
	b.gw.drops("inner_vlan", 1, func() { must(b.t, b.trunk.SendFrame("eth0", frame)) })
}

// drops wants frames to be dropped.
func (g *vtep) drops(verdict string, n uint64, send func()) {
	g.t.Helper()
	before, _, _ := verdicts(g.status())
	send()
	eventually(g.t, func() string {
		now, _, _ := verdicts(g.status())
		if got := now[verdict] - before[verdict]; got != n {
			return fmt.Sprintf("%d frames %s, want %d: verdicts %v, were %v", got, verdict, n, now, before)
		}
		return ""
	})
}

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
			if copies := b.gw.status().Workers[0].Copies["inner_vlan"]; copies != 2 {
				t.Errorf("%d copies dropped for a tag in the native VLAN, want 2", copies)
			}

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
