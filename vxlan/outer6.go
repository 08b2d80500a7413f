package vxlan

import "encoding/binary"

// parseOuter6 is ParseOuter for IPv6 without extension headers. pkt is no shorter than Overhead, and starts like Ethernet with IPv6
// in it. Like the kernel's stack in front of a socket (net/ipv6/ip6_input.c, udp.c) it minds no hop limit, not even 0: that is for
// those who forward (RFC 8200 section 3).
func parseOuter6(pkt []byte, o *Outer) Fault {
	if len(pkt) < Overhead6 {
		return Short
	}
	h := (*[Overhead6]byte)(pkt)
	first := binary.BigEndian.Uint64(h[etherLen:]) // version, traffic class, flow label, payload length, next header, hop limit
	src := Addr{binary.BigEndian.Uint64(h[at6Src:]), binary.BigEndian.Uint64(h[at6Src+8:])}
	payload := int(first >> 16 & 0xffff)
	if etherLen+ip6Len+payload > len(pkt) {
		return IPLength
	}
	if martian6(src.Hi, src.Lo) {
		return Martian
	}
	switch uint8(first >> 8) {
	case protoUDP:
	case extFragment:
		return Fragment
	default:
		return NotUDP
	}
	udp := binary.BigEndian.Uint64(h[at6UDP:]) // source, destination, length, checksum
	vx := binary.BigEndian.Uint64(h[at6VXLAN:])
	length := int(udp >> 16 & 0xffff)
	if length < udpLen+vxlanLen || length > payload {
		return UDPLength
	}
	if vx&flagI == 0 {
		return BadFlags
	}
	o.DstMAC = binary.BigEndian.Uint64(h[:]) >> 16
	o.HeaderLen, o.Len = Overhead6, etherLen+ip6Len+length
	o.Src = src
	o.Dst = Addr{binary.BigEndian.Uint64(h[at6Dst:]), binary.BigEndian.Uint64(h[at6Dst+8:])}
	o.VNI = uint32(vx) >> 8
	o.SrcPort, o.DstPort, o.Checksum = uint16(udp>>48), uint16(udp>>32), uint16(udp)
	o.TOS = uint8(first >> 52)
	o.Reserved = vx & Reserved
	return OK
}
