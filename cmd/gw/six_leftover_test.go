package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// What comes by way of the kernel over IPv6, and what is wrong with packets, from a peer that crafts them.

const at6Payload = 14 + 40

// craft6 returns a packet from six2 to six1 that carries inner, with a right UDP checksum and extension headers in front of UDP, each
// of the kind that the one before names.
func craft6(to net.HardwareAddr, inner []byte, edits func(udp []byte), first byte, ext ...[]byte) []byte {
	src, dst := six2.As16(), six1.As16()
	udp := slices.Concat([]byte{0xc0, 0x01, 0x12, 0xb5, 0, 0, 0, 0}, []byte{8, 0, 0, 0, 0, 0, 42, 0}, inner)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	sum := ^sum16(slices.Concat(src[:], dst[:], []byte{0, 17}, udp[4:6], udp))
	binary.BigEndian.PutUint16(udp[6:], sum)
	if edits != nil {
		edits(udp)
	}
	payload := append(slices.Concat(ext...), udp...)
	p := slices.Concat(to, rawMAC, []byte{0x86, 0xdd, 0x60, 0, 0, 0, byte(len(payload) >> 8), byte(len(payload)), first, 64}, src[:], dst[:], payload)
	return p
}

// fragments6 cuts a packet without extension headers at offsets, multiples of eight.
func fragments6(p []byte, id uint32, offsets ...int) (out [][]byte) {
	payload := p[at6Payload:]
	from := 0
	for i, to := range append(offsets, len(payload)) {
		more := uint16(1)
		if i == len(offsets) {
			more = 0
		}
		ext := []byte{p[20], 0}
		ext = binary.BigEndian.AppendUint16(ext, uint16(from)|more)
		ext = binary.BigEndian.AppendUint32(ext, id)
		f := slices.Concat(p[:at6Payload], ext, payload[from:to])
		binary.BigEndian.PutUint16(f[18:], uint16(len(f)-at6Payload))
		f[20] = unix.IPPROTO_FRAGMENT
		out = append(out, f)
		from = to
	}
	return out
}

// newLeftoverBed6 is newLeftoverBed over IPv6.
func newLeftoverBed6(t *testing.T, args ...string) *leftoverBed {
	t.Helper()
	l := newLab(t)
	node1 := newHost(t, l, "node1")
	b := &leftoverBed{node2: newHost(t, l, "node2"), box: newHost(t, l, "box")}
	must(t, l.Veth(node1, "ens18", b.node2, "ens18", lab.VethOptions{}))
	must(t, node1.AddAddress("ens18", six1.String()+"/64"))
	must(t, b.node2.AddAddress("ens18", six2.String()+"/64"))
	must(t, l.Veth(node1, "veth1", b.box, "veth0", lab.VethOptions{}))
	b.vtep = start(t, node1, on(append([]string{"--port", "veth1"}, args...)...)...)
	var err error
	b.under, err = node1.MAC("ens18")
	must(t, err)
	b.tap, err = b.box.Capture("veth0", func(f lab.Frame) bool { return !f.Outgoing })
	must(t, err)
	return b
}

func TestCrafted6(t *testing.T) {
	t.Parallel()
	b := newLeftoverBed6(t)                    // nothing says which family: the host has one
	options := []byte{17, 0, 1, 4, 0, 0, 0, 0} // next header UDP; PadN
	routing := []byte{17, 0, 253, 0, 0, 0, 0, 0}
	id := uint32(0)
	var want [][]byte
	for _, c := range []struct {
		name    string
		edits   func(udp []byte)
		first   byte // 0: UDP right behind the IPv6 header
		ext     []byte
		cuts    []int
		source  string // empty: six2
		verdict string // empty: none, for the kernel or the program lets it not through
		way     bool   // by way of the kernel
	}{
		{name: "as it should be", verdict: "flooded"},
		{name: "destination options", first: unix.IPPROTO_DSTOPTS, ext: options, verdict: "flooded", way: true},
		{name: "routing header without segments left", first: unix.IPPROTO_ROUTING, ext: routing, verdict: "flooded", way: true},
		{name: "in fragments", cuts: []int{64}, verdict: "flooded", way: true},
		{name: "in many fragments", cuts: []int{8, 16, 24, 32, 40}, verdict: "flooded", way: true},
		{name: "another VNI in fragments", cuts: []int{16}, edits: func(udp []byte) { udp[14] = 43 }},
		{name: "wrong checksum in fragments", cuts: []int{16}, edits: func(udp []byte) { udp[6] ^= 0xff }, verdict: "udp_csum", way: true},
		{name: "no checksum in fragments", cuts: []int{16}, edits: func(udp []byte) { udp[6], udp[7] = 0, 0 }, verdict: "zero_csum", way: true},
		{name: "no checksum", edits: func(udp []byte) { udp[6], udp[7] = 0, 0 }, verdict: "zero_csum"},
		{name: "wrong checksum", edits: func(udp []byte) { udp[6] ^= 0xff }, verdict: "udp_csum"},
		{name: "no flags", edits: func(udp []byte) { udp[8] = 0 }, verdict: "bad_flags"},
		{name: "another VNI", edits: func(udp []byte) { udp[14] = 43 }},
		{name: "UDP length", edits: func(udp []byte) { udp[4] = 0xff }, verdict: "udp_length"},
		{name: "our own source", source: six1.String(), verdict: "martian"},
		{name: "mapped source", source: "::ffff:10.0.0.1", verdict: "martian"},
		{name: "loopback source", source: "::1", verdict: "martian"},
		{name: "multicast source", source: "ff02::5", verdict: "martian"},
	} {
		id++
		first, inner := c.first, named(noMAC, farMAC, c.name)
		if first == 0 {
			first = unix.IPPROTO_UDP
		}
		p := craft6(b.under, inner, c.edits, first, c.ext)
		if c.source != "" {
			a := netip.MustParseAddr(c.source).As16()
			copy(p[22:], a[:])
		}
		packets := [][]byte{p}
		if c.cuts != nil {
			packets = fragments6(p, id, c.cuts...)
		}
		before := b.status()
		behind := named(noMAC, farMAC, "behind "+c.name)
		// What comes behind it on the same way has its verdict later.
		last := craft6(b.under, behind, nil, unix.IPPROTO_UDP)
		if c.way || c.cuts != nil {
			packets = append(packets, fragments6(last, id+1000, 64)...)
		} else {
			packets = append(packets, last)
		}
		must(t, b.node2.SendFrame("ens18", packets...))
		was, _, _ := verdicts(before)
		wanted := map[string]uint64{"flooded": was["flooded"] + 1}
		if c.verdict != "" {
			wanted[c.verdict] = max(was[c.verdict], wanted[c.verdict]) + 1
		}
		if c.verdict == "flooded" {
			want = append(want, inner)
		}
		want = append(want, behind)
		eventually(t, func() string {
			now, _, _ := verdicts(b.status())
			for v, n := range wanted {
				if now[v] < n {
					return fmt.Sprintf("%s: %d %s, want %d: %v", c.name, now[v], v, n, now)
				}
			}
			return ""
		})
		now, _, _ := verdicts(b.status())
		for v, n := range now {
			if n != max(was[v], wanted[v]) {
				t.Errorf("%s: %d %s, want %d", c.name, n, v, max(was[v], wanted[v]))
			}
		}
		injected := b.status().Underlay.Injected.Packets - before.Underlay.Injected.Packets
		if n := map[bool]uint64{true: 1, false: 0}; injected != n[c.way]+n[c.way || c.cuts != nil] {
			t.Errorf("%s: %d packets came by way of the kernel", c.name, injected)
		}
	}
	b.arrived(t, want)
	checkVerdicts(t, b.vtep)
	b.stop()
}
