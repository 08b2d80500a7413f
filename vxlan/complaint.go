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

// ParseComplaint reads an IPv4 packet, from its header on, as an ICMP error "fragmentation needed" about a VXLAN packet over IPv4 with
// DF (RFC 792, RFC 1191 section 4). It reports false for all else, and what no router says of such a packet: that it was not
// the first fragment, that its lengths do not fit together, that it would have fitted.
func ParseComplaint(b []byte) (c Complaint, ok bool) {
	const unreachable, fragmentationNeeded = 3, 4
	icmp, router, ok := icmp4(b)
	if !ok || icmp[0] != unreachable || icmp[1] != fragmentationNeeded {
		return c, false
	}
	c.Router, c.MTU = router, int(binary.BigEndian.Uint16(icmp[6:]))
	p := icmp[icmpLen:]
	if len(p) < ip4Len || p[0]>>4 != 4 || p[9] != protoUDP {
		return c, false
	}
	const flagDF, offset = 0x4000, 0x1fff
	head, frag := int(p[0]&0xf)*4, binary.BigEndian.Uint16(p[6:])
	if head < ip4Len || len(p) < head+udpLen || frag&flagDF == 0 || frag&offset != 0 {
		return c, false
	}
	udp := p[head:]
	c.Len = int(binary.BigEndian.Uint16(p[2:]))
	c.Src, c.Dst = netip.AddrFrom4([4]byte(p[12:])), netip.AddrFrom4([4]byte(p[16:]))
	c.SrcPort, c.DstPort = binary.BigEndian.Uint16(udp), binary.BigEndian.Uint16(udp[2:])
	if int(binary.BigEndian.Uint16(udp[4:])) != c.Len-head || c.Len <= c.MTU {
		return c, false
	}
	if len(udp) >= udpLen+vxlanLen {
		if binary.BigEndian.Uint64(udp[udpLen:])&flagI == 0 {
			return c, false
		}
		c.VNI, c.Quoted = binary.BigEndian.Uint32(udp[udpLen+4:])>>8, true
	}
	return c, true
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
