package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// Stations that only the test speaks for.
var (
	askerMAC   = net.HardwareAddr{2, 0, 0, 0, 7, 1}
	secondMAC  = net.HardwareAddr{2, 0, 0, 0, 7, 2}
	farNeigh   = net.HardwareAddr{2, 0, 0, 0, 7, 0x99} // behind the tunnel
	nearNeigh  = net.HardwareAddr{2, 0, 0, 0, 7, 0x98} // behind the second port
	silentMAC  = net.HardwareAddr{2, 0, 0, 0, 7, 0x96} // nowhere
	askerIP    = "172.17.1.50"
	askerIP6   = "fe80::50"
	solicited6 = net.HardwareAddr{0x33, 0x33, 0xff, 0, 0, 9}
)

// neighbours is what both sides know, as gw's file has it.
const neighFile = `neigh:
- {ip: 172.17.1.99, mac: "02:00:00:00:07:99"}
- {ip: 172.17.1.98, mac: "02:00:00:00:07:98"}
- {ip: 172.17.1.96, mac: "02:00:00:00:07:96"}
- {ip: 172.17.1.97, mac: "02:00:00:00:07:99", vlan: 10}
- {ip: "fe80::99", mac: "02:00:00:00:07:99"}
- {ip: "fe80::9a", mac: "02:00:00:00:07:99", router: true}
- {ip: "fe80::98", mac: "02:00:00:00:07:98"}`

// arpOf is an ARP packet in a frame.
func arpOf(dst, src net.HardwareAddr, op byte, sha net.HardwareAddr, spa, tpa string) []byte {
	return frameOf(dst, src, 0x0806, slices.Concat([]byte{0, 1, 8, 0, 6, 4, 0, op}, sha, netip.MustParseAddr(spa).AsSlice(),
		make([]byte, 6), netip.MustParseAddr(tpa).AsSlice()))
}

// ndOf is a message about neighbours in a frame: typ 135 asks, 136 tells. options come behind the target.
func ndOf(dst, src net.HardwareAddr, from, to string, typ, flags byte, target string, options []byte, edits ...edit) []byte {
	a, b, c := netip.MustParseAddr(from).As16(), netip.MustParseAddr(to).As16(), netip.MustParseAddr(target).As16()
	icmp := slices.Concat([]byte{typ, 0, 0, 0, flags, 0, 0, 0}, c[:], options)
	f := frameOf(dst, src, 0x86dd, slices.Concat([]byte{0x60, 0, 0, 0, 0, byte(len(icmp)), 58, 255}, a[:], b[:], icmp))
	binary.BigEndian.PutUint16(f[56:], ^sum16(slices.Concat(f[22:54], []byte{0, 0, 0, byte(len(icmp)), 0, 0, 0, 58}, f[54:])))
	for _, e := range edits {
		f = e(f)
	}
	return f
}

// solicitation is the asker's question for a target.
func solicitation(target string, edits ...edit) []byte {
	return ndOf(solicited6, askerMAC, askerIP6, "ff02::1:ff00:9", 135, 0, target, linkLayer(1, askerMAC), edits...)
}

func linkLayer(kind byte, mac net.HardwareAddr) []byte { return append([]byte{kind, 1}, mac...) }

// neighBed is the mirror, with captures of what is about neighbours.
type neighBed struct {
	*mirror
	seen [6]*lab.Capture
}

func newNeighBed(t *testing.T) *neighBed {
	t.Helper()
	b := &neighBed{mirror: newMirror(t)}
	for i, end := range b.ends {
		var err error
		b.seen[i], err = end.Capture("veth0", func(f lab.Frame) bool {
			typ := binary.BigEndian.Uint16(f.Data[12:])
			return !f.Outgoing && (typ == experimental || (typ == 0x0806 || typ == 0x8035 || typ == 0x86dd) && ours(f.Data))
		})
		must(t, err)
	}
	must(t, b.far.SetBridgeFlag("vxlan0", lab.NeighSuppress, true))
	for ip, mac := range map[string]net.HardwareAddr{
		"172.17.1.99": farNeigh, "172.17.1.98": nearNeigh, "172.17.1.96": silentMAC, "172.17.1.97": farNeigh, "fe80::99": farNeigh, "fe80::98": nearNeigh,
	} {
		must(t, b.far.SetNeighbour("br0", netip.MustParseAddr(ip), mac))
	}
	must(t, b.far.SetRouter("br0", netip.MustParseAddr("fe80::9a"), farNeigh))
	return b
}

// ours says whether one of the test's stations sent a frame, or gets it.
func ours(f []byte) bool {
	return bytes.Equal(f[:5], askerMAC[:5]) || bytes.Equal(f[6:11], askerMAC[:5])
}

// announce has the stations speak, so that one side's tables have them where they belong: near behind its second port, far
// behind the tunnel. first is the side's first end.
func (b *neighBed) announce(first int) {
	b.t.Helper()
	for mac, end := range map[*net.HardwareAddr]int{&nearNeigh: first + 1, &farNeigh: (first + 5) % 6} {
		b.sent++
		must(b.t, b.ends[end].SendFrame("veth0", named(everyone, *mac, frameText(b.sent))))
		for i := range b.ends {
			if i != end {
				b.passed(i, b.sent)
			}
		}
	}
}

// passed waits until an end has had a numbered frame, and so all before it.
func (b *neighBed) passed(end, n int) {
	b.t.Helper()
	_, err := b.seen[end].Wait(testContext(b.t), 1, func(f lab.Frame) bool { return isFrame(f, n) })
	must(b.t, err)
}

// sentFrom says what comes of a frame from a side's first end: what each end gets, that one first, then the side's others, then the
// far side's first.
func (b *neighBed) sentFrom(first int, frame []byte) (out [4]string) {
	b.t.Helper()
	var before [6]int
	for i, c := range b.seen {
		before[i] = len(c.Frames())
	}
	must(b.t, b.ends[first].SendFrame("veth0", frame))
	behind := b.send(first, everyone)
	for i := range b.ends {
		if i != first {
			b.passed(i, behind)
		}
	}
	behind = b.send(first+1, b.macs[first])
	b.passed(first, behind)
	for i, end := range []int{first, first + 1, first + 2, (first + 3) % 6} {
		for _, f := range b.seen[end].Frames()[before[end]:] {
			if binary.BigEndian.Uint16(f.Data[12:]) == experimental {
				continue
			}
			tag := ""
			if f.Tagged {
				tag = fmt.Sprintf("tag %d ", f.VLAN)
			}
			out[i] += fmt.Sprintf("%s%x ", tag, f.Data)
		}
	}
	return out
}
