package vxlan

// A packet from the underlay, in the order of its headers:
//
//	ParseOuter                   Ethernet, IPv4, UDP, VXLAN: a fault, or where the inner frame lies
//	skipOptions, checkOptions    the rare IPv4 options
//	parseOuter6                  IPv6 instead (outer6.go)
//	tooShort                     a packet below the smallest
//	ChecksumOK                   the UDP checksum, once the inner frame is mended

import "encoding/binary"

// Outer is what the outer headers say. ParseOuter fills all of it when it returns OK; after a fault it means nothing.
type Outer struct {
	DstMAC    uint64
	HeaderLen int // offset of the inner frame in the packet, bytes
	Len       int // end of the UDP datagram in the packet; what is behind is Ethernet padding
	Src, Dst  Addr
	VNI       uint32
	Reserved  uint64 // bits of the VXLAN header that are set and should not be, which RFC 7348 section 5 wants ignored
	SrcPort   uint16
	DstPort   uint16
	Checksum  uint16 // UDP checksum field as received, 0 for none
	TOS       uint8  // or traffic class
}

// plainIPv4 is the first byte of an IPv4 header without options: version 4, five words.
const plainIPv4 = 0x45

const (
	flagI   = uint64(0x08) << 56
	vniMask = uint64(0xffffff) << 8
)

// Reserved are the bits of a VXLAN header that RFC 7348 section 5 leaves without a meaning, its first byte the most significant.
const Reserved = ^(flagI | vniMask)

// ParseOuter reads the headers of a VXLAN packet over IPv4 or IPv6. pkt starts at its Ethernet header, which has no VLAN tag. It checks what
// the kernel's stack checks in front of a socket (net/ipv4/ip_input.c, route.c, udp.c), save for what needs settings:
// destination MAC, address and port, and which sources are allowed, are the caller's to compare. Options are allowed
// where the kernel allows them; IPv6 extension headers are not. The inner frame is pkt[o.HeaderLen:o.Len] and may be short or empty.
func ParseOuter(pkt []byte, o *Outer) Fault {
	if len(pkt) < Overhead {
		return tooShort(pkt)
	}
	h := (*[Overhead]byte)(pkt)
	first := binary.BigEndian.Uint64(h[12:])  // EtherType, version, header length, TOS, total length, ID
	second := binary.BigEndian.Uint64(h[20:]) // flags and offset, TTL, protocol, checksum, half the source
	src := binary.BigEndian.Uint32(h[atSrcIP:])
	dst := binary.BigEndian.Uint32(h[atDstIP:])
	switch {
	case first>>40 == typeIPv4<<8|plainIPv4:
	case first>>44 == typeIPv6<<4|6:
		return parseOuter6(pkt, o)
	default:
		return skipOptions(pkt, o)
	}
	total := int(first >> 16 & 0xffff)
	if total < ip4Len || etherLen+total > len(pkt) {
		return IPLength
	}
	// The words of the header, three, three, two and two of them; no carry leaves 64 bits.
	if Fold(first&(1<<48-1)+second>>16+uint64(src)+uint64(dst)) != 0xffff {
		return IPChecksum
	}
	control := uint32(second >> 32)
	if control&(0x3fff<<16) != 0 {
		return Fragment
	}
	if control&0xff00 == 0 {
		return TTL
	}
	if martian(src) {
		return Martian
	}
	if uint8(control) != protoUDP {
		return NotUDP
	}
	udp := binary.BigEndian.Uint64(h[atUDP:]) // source, destination, length, checksum
	vx := binary.BigEndian.Uint64(h[atVXLAN:])
	length := int(udp >> 16 & 0xffff)
	if length < udpLen+vxlanLen || ip4Len+length > total {
		return UDPLength
	}
	if vx&flagI == 0 {
		return BadFlags
	}
	o.DstMAC = binary.BigEndian.Uint64(h[:]) >> 16
	o.HeaderLen, o.Len = Overhead, etherLen+ip4Len+length
	o.Src, o.Dst = Addr4(src), Addr4(dst)
	o.VNI = uint32(vx) >> 8
	o.SrcPort, o.DstPort, o.Checksum = uint16(udp>>48), uint16(udp>>32), uint16(udp)
	o.TOS = uint8(first >> 32)
	o.Reserved = vx & Reserved
	return OK
}

// skipOptions checks a header with options, and reads it as if they were not there. Anything else that ParseOuter does not know is
// not IPv4.
func skipOptions(pkt []byte, o *Outer) Fault {
	options := (int(pkt[etherLen]&0x0f) - ip4Len/4) * 4
	if binary.BigEndian.Uint16(pkt[12:]) != typeIPv4 || pkt[etherLen]>>4 != 4 || options < 0 {
		return NotIP
	}
	if len(pkt) < Overhead+options {
		return Short
	}
	total := int(binary.BigEndian.Uint16(pkt[atTotal:]))
	if total < ip4Len+options || etherLen+total > len(pkt) {
		return IPLength
	}
	if Fold(Sum(pkt[etherLen:atUDP+options], 0)) != 0xffff {
		return IPChecksum
	}
	if !checkOptions(pkt[atUDP : atUDP+options]) {
		return IPOptions
	}
	// Lengths are checked here, against the real header; what ParseOuter sees is as long as its headers.
	length := int(binary.BigEndian.Uint16(pkt[atUDPLength+options:]))
	seen := udpLen + vxlanLen
	if length < seen || ip4Len+options+length > total {
		seen = 0
	}
	var h [Overhead]byte
	copy(h[:atUDP], pkt)
	copy(h[atUDP:], pkt[atUDP+options:])
	h[etherLen] = plainIPv4
	binary.BigEndian.PutUint16(h[atTotal:], Overhead-etherLen)
	binary.BigEndian.PutUint16(h[atIPChecksum:], 0)
	binary.BigEndian.PutUint16(h[atIPChecksum:], ^Fold(Sum(h[etherLen:atUDP], 0)))
	binary.BigEndian.PutUint16(h[atUDPLength:], uint16(seen))
	fault := ParseOuter(h[:], o)
	o.HeaderLen, o.Len = Overhead+options, atUDP+options+length
	return fault
}

// tooShort tells a foreign packet from one of ours that was cut.
func tooShort(pkt []byte) Fault {
	if len(pkt) <= etherLen {
		return Short
	}
	switch typ, version := binary.BigEndian.Uint16(pkt[12:]), pkt[etherLen]>>4; {
	case typ == typeIPv4 && version == 4, typ == typeIPv6 && version == 6:
		return Short
	}
	return NotIP
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

// ChecksumOK verifies the outer UDP checksum of the packet that o was parsed from. No checksum is right, of which IPv6 wants to be
// asked first (RFC 6935); so is one that equals the bare pseudo-header sum, which a kernel sender over veth left unfinished. Where the inner checksum was left unfinished, a kernel peer
// computes the outer one as if it were complete (lco_csum in include/linux/skbuff.h), while a card that only knows the outer headers
// counts what is there: such a packet is right either before Mend has seen the inner frame, or after, when nothing else has changed it.
func (o *Outer) ChecksumOK(pkt []byte) bool {
	if o.Checksum == 0 {
		return true
	}
	udp := pkt[o.HeaderLen-udpLen-vxlanLen : o.Len]
	pseudo := o.Src.sum() + o.Dst.sum() + protoUDP + uint64(len(udp))
	return o.Checksum == Fold(pseudo) || Fold(Sum(udp, pseudo)) == 0xffff
}
