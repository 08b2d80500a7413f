package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// trunkBed is gw with a trunk, eth1, whose other end the test plays as a switch would, and an
// access port; the far end has one of the kernel's vxlan devices for each VNI.
type trunkBed struct {
	t          *testing.T
	gw         *vtep
	lab        *lab.Lab
	node1, far *lab.Host
	trunk      *lab.Host // eth0 is the other end of eth1
	file       string
	onTrunk    *lab.Capture
	behind     map[uint32]*lab.Capture // the device of a VNI, by VNI
	onWire     *lab.Capture
	onAccess   *lab.Capture // veth0, the other end of veth1
	access     *lab.Host
	frames     int
	tpid       uint16
}

var trunkVNIs = []uint32{42, 43, 44}

func newTrunkBed(t *testing.T, tpid uint16, vnis string, more ...string) *trunkBed {
	t.Helper()
	b := &trunkBed{t: t, lab: newLab(t), behind: map[uint32]*lab.Capture{}, tpid: tpid}
	b.node1, b.far, b.trunk, b.access = newHost(t, b.lab, "node1"), newHost(t, b.lab, "node2"), newHost(t, b.lab, "switch"), newHost(t, b.lab, "box")
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
