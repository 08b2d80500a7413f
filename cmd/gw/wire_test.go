package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// outer is a VXLAN packet as a capture shows it, field by field: a parser of its
// own, so that package vxlan is not its own witness.
type outer struct {
	src, dst         netip.Addr
	tos, ttl         uint8
	id               uint16
	df               bool
	length           int    // of the IP packet
	label            uint32 // of IPv6
	checksum         bool
	srcPort, dstPort uint16
	udpLength        int
	udpSum           uint16
	vni              uint32
	inner            inner
	pending          bool             // the kernel left a checksum to a NIC
	packet           []byte           // from the IPv4 header on
	link             net.HardwareAddr // destination
}

// inner is the frame in it.
type inner struct {
	dst, src net.HardwareAddr
	kind     uint16 // EtherType
	tos      uint8
	df       bool
	proto    uint8  // of IPv4
	flow     string // addresses, protocol and ports; empty but for whole IP packets
	datagram string // addresses, protocol and IP ID of a fragment
}

// parseOuter returns the VXLAN packet in a frame, if there is one.
func parseOuter(f lab.Frame) (o outer, ok bool) {
	b := f.Data
	if len(b) >= 70+14 && binary.BigEndian.Uint16(b[12:]) == 0x86dd {
		return parseOuter6(f)
	}
	if len(b) < 50+14 || binary.BigEndian.Uint16(b[12:]) != 0x0800 || b[14] != 0x45 || b[23] != 17 {
		return o, false
	}
	ip, udp, vx := b[14:34], b[34:42], b[42:50]
	o = outer{
		src: netip.AddrFrom4([4]byte(ip[12:16])), dst: netip.AddrFrom4([4]byte(ip[16:20])),
		tos: ip[1], ttl: ip[8], id: binary.BigEndian.Uint16(ip[4:]), df: ip[6]&0x40 != 0,
		length: int(binary.BigEndian.Uint16(ip[2:])), checksum: sum16(ip) == 0xffff,
		srcPort: binary.BigEndian.Uint16(udp), dstPort: binary.BigEndian.Uint16(udp[2:]),
		udpLength: int(binary.BigEndian.Uint16(udp[4:])), udpSum: binary.BigEndian.Uint16(udp[6:]),
		vni:     binary.BigEndian.Uint32(vx[4:]) >> 8,
		pending: f.ChecksumPending, packet: b[14:], link: b[:6],
	}
	if o.dstPort != 4789 || vx[0] != 8 {
		return o, false
	}
	o.inner = parseInner(b[50:])
	return o, true
}

func parseInner(b []byte) inner {
	in := inner{dst: b[:6], src: b[6:12], kind: binary.BigEndian.Uint16(b[12:])}
	if in.kind == 0x86dd && len(b) >= 14+40+8 {
		in.parse6(b[14:])
		return in
	}
	if in.kind != 0x0800 || len(b) < 14+20+4 || b[14] != 0x45 {
		return in
	}
	ip := b[14:]
	in.tos, in.df, in.proto = ip[1], ip[6]&0x40 != 0, ip[9]
	addrs := fmt.Sprintf("%v>%v/%d", net.IP(ip[12:16]), net.IP(ip[16:20]), in.proto)
	switch fragment := binary.BigEndian.Uint16(ip[6:]) & 0x3fff; {
	case fragment != 0:
		in.datagram = fmt.Sprintf("%s id %d", addrs, binary.BigEndian.Uint16(ip[4:]))
	case in.proto == 6 || in.proto == 17:
		in.flow = fmt.Sprintf("%s %d>%d", addrs, binary.BigEndian.Uint16(ip[20:]), binary.BigEndian.Uint16(ip[22:]))
	default:
		in.flow = addrs
	}
	return in
}

// parse6 reads what tells flows apart from an IPv6 packet (RFC 8200).
func (in *inner) parse6(ip []byte) {
	addrs := fmt.Sprintf("%v>%v", net.IP(ip[8:24]), net.IP(ip[24:40]))
	switch next := ip[6]; next {
	case 44: // fragment
		in.datagram = fmt.Sprintf("%s/%d id %d", addrs, ip[40], binary.BigEndian.Uint32(ip[44:]))
	case 6, 17:
		in.flow = fmt.Sprintf("%s/%d %d>%d", addrs, next, binary.BigEndian.Uint16(ip[40:]), binary.BigEndian.Uint16(ip[42:]))
	default:
		in.flow = fmt.Sprintf("%s/%d", addrs, next)
	}
}

// sum16 is the internet checksum of b without the final complement: 0xffff when b
// holds a right one.
func sum16(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

// udpSumRight checks the UDP checksum over the whole packet (RFC 768).
func (o outer) udpSumRight() bool {
	if o.src.Is6() {
		return sum16(slices.Concat(o.packet[8:40], []byte{0, 17}, o.packet[44:46], o.packet[40:o.length])) == 0xffff
	}
	pseudo := slices.Concat(o.packet[12:20], []byte{0, 17}, o.packet[24:26], o.packet[20:o.length])
	return sum16(pseudo) == 0xffff
}

// outers returns the VXLAN packets from one VTEP in a capture that frames are
// still coming into.
func outers(t *testing.T, c *lab.Capture, from netip.Addr) []outer {
	t.Helper()
	if lost, err := c.Dropped(); lost > 0 || err != nil {
		t.Errorf("the capture lost %d frames: %v", lost, err)
	}
	var out []outer
	for _, f := range c.Frames() {
		if o, ok := parseOuter(f); ok && o.src == from {
			out = append(out, o)
		}
	}
	return out
}

// checkPorts looks at the outer source ports: one per flow, all datagram's
// fragments on one, different ones for different flows, in the dynamic range.
func checkPorts(t *testing.T, packets []outer) {
	t.Helper()
	if len(packets) == 0 {
		t.Fatal("the capture has no VXLAN packets")
	}
	of := map[string]uint16{}
	used := map[uint16]bool{}
	for _, p := range packets {
		if p.srcPort < 49152 {
			t.Fatalf("source port %d is below 49152", p.srcPort)
		}
		for _, flow := range []string{p.inner.flow, p.inner.datagram} {
			if flow == "" {
				continue
			}
			if port, ok := of[flow]; ok && port != p.srcPort {
				t.Fatalf("flow %s has source ports %d and %d", flow, port, p.srcPort)
			}
			of[flow] = p.srcPort
			used[p.srcPort] = true
		}
	}
	// ICMP, TCP and UDP, of which some may share a port by chance, in 16384.
	if len(used) < 3 {
		t.Errorf("%d flows use %d source ports: %v", len(of), len(used), of)
	}
}
