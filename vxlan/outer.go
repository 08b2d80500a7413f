package vxlan

// A packet from the underlay, in the order of its headers:
//
//	ParseOuter      Ethernet, IPv4, UDP, VXLAN: a fault, or where the inner frame lies
//	tooShort        names what is missing of a packet below the smallest
//	checkOptions    the rare IPv4 options
//	ChecksumOK      the UDP checksum, once the inner frame is mended

import (
	"encoding/binary"
	"math/bits"
)

// Outer is what the outer headers say. ParseOuter fills all of it when it returns OK; after a fault it means nothing.
type Outer struct {
	DstMAC    uint64
	HeaderLen int // offset of the inner frame in the packet, bytes
	Len       int // end of the UDP datagram in the packet; what is behind is Ethernet padding
	Src, Dst  uint32
	VNI       uint32
	SrcPort   uint16
	DstPort   uint16
	Checksum  uint16 // UDP checksum field as received, 0 for none
	TOS       uint8
	Reserved  bool // a reserved bit of the VXLAN header is set, which RFC 7348 section 5 wants ignored
}

const (
	flagI   = uint64(0x08) << 56
	vniMask = uint64(0xffffff) << 8
)

// ParseOuter reads the headers of a VXLAN packet over IPv4. pkt starts at its Ethernet header, which has no VLAN tag. It checks what
// the kernel's stack checks in front of a socket (net/ipv4/ip_input.c, route.c, udp.c), save for what needs settings:
// destination MAC, address and port, and which sources are allowed, are the caller's to compare. Options are allowed
// where the kernel allows them. The inner frame is pkt[o.HeaderLen:o.Len] and may be short or empty.
func ParseOuter(pkt []byte, o *Outer) Fault {
	if len(pkt) < Overhead {
		return tooShort(pkt)
	}
	h := pkt[:Overhead:Overhead]
	first := binary.BigEndian.Uint64(h[12:]) // EtherType, version, header length, TOS, total length, ID
	if first>>44 != typeIPv4<<4|4 {
		return NotIP
	}
	o.DstMAC = binary.BigEndian.Uint64(h) >> 16
	o.TOS = uint8(first >> 32)

	// The IPv4 header, without its options, sums up in three loads.
	sum, c := bits.Add64(binary.BigEndian.Uint64(h[14:]), binary.BigEndian.Uint64(h[22:]), 0)
	dst := binary.BigEndian.Uint32(h[30:])
	sum, c = bits.Add64(sum, uint64(dst), c)
	sum += c
	ipLen := int(first>>40&0x0f) * 4
	udp := h[etherLen+ip4Len:]
	if ipLen != ip4Len {
		if ipLen < ip4Len {
			return NotIP
		}
		if len(pkt) < ipLen+Overhead-ip4Len {
			return Short
		}
		sum = Sum(pkt[etherLen+ip4Len:etherLen+ipLen], sum)
		udp = pkt[etherLen+ipLen : ipLen+Overhead-ip4Len]
	}
	total := int(first >> 16 & 0xffff)
	if total < ipLen || etherLen+total > len(pkt) {
		return IPLength
	}
	if Fold(sum) != 0xffff {
		return IPChecksum
	}
	if ipLen != ip4Len && !checkOptions(pkt[etherLen+ip4Len:etherLen+ipLen]) {
		return IPOptions
	}

	second := binary.BigEndian.Uint64(h[20:]) // flags and offset, TTL, protocol, checksum, half the source
	if second>>48&0x3fff != 0 {
		return Fragment
	}
	if second>>40&0xff == 0 {
		return TTL
	}
	src := binary.BigEndian.Uint32(h[26:])
	if martian(src) {
		return Martian
	}
	if second>>32&0xff != protoUDP {
		return NotUDP
	}
	o.Src, o.Dst = src, dst

	ports := binary.BigEndian.Uint64(udp) // source, destination, length, checksum
	length := int(ports >> 16 & 0xffff)
	if length < udpLen+vxlanLen || ipLen+length > total {
		return UDPLength
	}
	o.SrcPort, o.DstPort, o.Checksum = uint16(ports>>48), uint16(ports>>32), uint16(ports)
	o.HeaderLen = ipLen + Overhead - ip4Len
	o.Len = etherLen + ipLen + length

	vx := binary.BigEndian.Uint64(udp[udpLen:])
	if vx&flagI == 0 {
		return BadFlags
	}
	o.VNI = uint32(vx & vniMask >> 8)
	o.Reserved = vx&^(flagI|vniMask) != 0
	return OK
}

// tooShort tells a foreign packet from one of ours that was cut.
func tooShort(pkt []byte) Fault {
	if len(pkt) > etherLen && (binary.BigEndian.Uint16(pkt[12:]) != typeIPv4 || pkt[etherLen]>>4 != 4) {
		return NotIP
	}
	return Short
}

// martian reports a source address no host may send from: 0/8, 127/8, and multicast, reserved and broadcast from 224/4 up
// (RFC 1122 section 3.2.1.3).
func martian(src uint32) bool {
	first := src >> 24
	return first == 0 || first == 127 || first >= 224
}

// checkOptions walks IPv4 options (RFC 791 section 3.1) and refuses malformed ones and source routes, as a host does
// (net/ipv4/ip_options.c, accept_source_route).
func checkOptions(opt []byte) bool {
	const end, nop, looseRoute, strictRoute = 0, 1, 131, 137
	for len(opt) > 0 {
		switch opt[0] {
		case end:
			return true
		case nop:
			opt = opt[1:]
			continue
		case looseRoute, strictRoute:
			return false
		}
		if len(opt) < 2 || opt[1] < 2 || int(opt[1]) > len(opt) {
			return false
		}
		opt = opt[opt[1]:]
	}
	return true
}

// ChecksumOK verifies the outer UDP checksum of the packet that o was parsed from. No checksum is right; so is one that equals the
// bare pseudo-header sum, which a kernel sender over veth left unfinished. A kernel peer computes the others as if
// the inner checksum were complete (lco_csum in include/linux/skbuff.h), so Mend must have seen the inner frame, and nothing
// else may have changed it.
func (o *Outer) ChecksumOK(pkt []byte) bool {
	if o.Checksum == 0 {
		return true
	}
	udp := pkt[o.HeaderLen-udpLen-vxlanLen : o.Len]
	pseudo := uint64(o.Src) + uint64(o.Dst) + protoUDP + uint64(len(udp))
	return o.Checksum == Fold(pseudo) || Fold(Sum(udp, pseudo)) == 0xffff
}
