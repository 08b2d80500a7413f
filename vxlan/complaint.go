package vxlan

import (
	"encoding/binary"
	"net/netip"
)

// Complaint is what a router says of a VXLAN packet that was too big for it and must not be fragmented, and what of
// the packet it quotes. Nothing of it can be trusted: whoever knows who speaks with whom can make one up.
type Complaint struct {
	Router   netip.Addr // who says it
	MTU      int        // of the next link, in bytes of IP packet; 0 where the router does not say (RFC 791, before RFC 1191)
	Src, Dst netip.Addr // of the packet
	Len      int        // of it from its IP header on, in bytes
	SrcPort  uint16
	DstPort  uint16
	VNI      uint32
	Quoted   bool // the VXLAN header is there; else VNI means nothing
}

// ParseComplaint reads an IP packet, from its header on, as what a router says of a VXLAN packet that was too big for it: ICMP
// "fragmentation needed" about one over IPv4 with DF (RFC 792, RFC 1191 section 4), ICMPv6 "packet too big" about one over
// IPv6 (RFC 4443 section 3.2). It reports false for all else, and what no router says of such a packet: that it was not
// the first fragment, that its lengths do not fit together, that it would have fitted. IPv6 extension headers are none of ours.
func ParseComplaint(b []byte) (c Complaint, ok bool) {
	var udp []byte
	if len(b) > 0 && b[0]>>4 == 6 {
		udp, ok = c.over6(b)
	} else {
		udp, ok = c.over4(b)
	}
	if !ok {
		return c, false
	}
	c.SrcPort, c.DstPort = binary.BigEndian.Uint16(udp), binary.BigEndian.Uint16(udp[2:])
	if len(udp) >= udpLen+vxlanLen {
		if binary.BigEndian.Uint64(udp[udpLen:])&flagI == 0 {
			return c, false
		}
		c.VNI, c.Quoted = binary.BigEndian.Uint32(udp[udpLen+4:])>>8, true
	}
	return c, true
}

// over4 reads what is said over IPv4, and returns what is quoted from the UDP header on.
func (c *Complaint) over4(b []byte) (udp []byte, ok bool) {
	const unreachable, fragmentationNeeded = 3, 4
	icmp, router, ok := icmp4(b)
	if !ok || icmp[0] != unreachable || icmp[1] != fragmentationNeeded {
		return nil, false
	}
	c.Router, c.MTU = router, int(binary.BigEndian.Uint16(icmp[6:]))
	p := icmp[icmpLen:]
	if len(p) < ip4Len || p[0]>>4 != 4 || p[9] != protoUDP {
		return nil, false
	}
	const flagDF, offset = 0x4000, 0x1fff
	head, frag := int(p[0]&0xf)*4, binary.BigEndian.Uint16(p[6:])
	if head < ip4Len || frag&flagDF == 0 || frag&offset != 0 {
		return nil, false
	}
	c.Len = int(binary.BigEndian.Uint16(p[2:]))
	c.Src, c.Dst = netip.AddrFrom4([4]byte(p[12:])), netip.AddrFrom4([4]byte(p[16:]))
	return c.quoted(p, head)
}

// over6 reads what is said over IPv6.
func (c *Complaint) over6(b []byte) (udp []byte, ok bool) {
	const packetTooBig = 2
	icmp, router, ok := icmp6(b)
	if !ok || icmp[0] != packetTooBig { // whatever its code
		return nil, false
	}
	c.Router, c.MTU = router, int(binary.BigEndian.Uint32(icmp[4:]))
	p := icmp[icmpLen:]
	if len(p) < ip6Len || p[0]>>4 != 6 || p[6] != protoUDP {
		return nil, false
	}
	c.Len = ip6Len + int(binary.BigEndian.Uint16(p[4:]))
	c.Src, c.Dst = netip.AddrFrom16([16]byte(p[8:])), netip.AddrFrom16([16]byte(p[24:]))
	return c.quoted(p, ip6Len)
}

// quoted is what a packet has behind its header, if its lengths fit together, and it is too long.
func (c *Complaint) quoted(p []byte, head int) (udp []byte, ok bool) {
	if len(p) < head+udpLen {
		return nil, false
	}
	udp = p[head:]
	length := int(binary.BigEndian.Uint16(udp[4:]))
	return udp, length >= udpLen && head+length == c.Len && c.Len > c.MTU
}

// icmp4 finds the ICMP message in a whole IPv4 packet, its checksum verified, and who sent it.
func icmp4(b []byte) (icmp []byte, from netip.Addr, ok bool) {
	if len(b) < ip4Len || b[0]>>4 != 4 || b[9] != protoICMP {
		return nil, from, false
	}
	head, end := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if head < ip4Len || end > len(b) || end < head+icmpLen {
		return nil, from, false
	}
	icmp = b[head:end]
	return icmp, netip.AddrFrom4([4]byte(b[12:])), Fold(Sum(icmp, 0)) == 0xffff
}

// icmp6 is icmp4 for IPv6. Extension headers are not looked behind.
func icmp6(b []byte) (icmp []byte, from netip.Addr, ok bool) {
	if len(b) < ip6Len || b[6] != protoICMPv6 {
		return nil, from, false
	}
	end := ip6Len + int(binary.BigEndian.Uint16(b[4:]))
	if end > len(b) || end < ip6Len+icmpLen {
		return nil, from, false
	}
	icmp = b[ip6Len:end]
	return icmp, netip.AddrFrom16([16]byte(b[8:])), Fold(Sum(icmp, Sum(b[8:ip6Len], uint64(len(icmp))+protoICMPv6))) == 0xffff
}
