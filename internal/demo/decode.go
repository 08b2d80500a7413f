package demo

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// The flow: decode takes the outer Ethernet, IPv4, UDP and VXLAN headers off a frame of the underlay, describe says in
// one line what is inside. Both print what tcpdump -n does.

// vxlanPort is the IANA port (RFC 7348 section 8), which tcpdump prints as a word.
const vxlanPort = 4789

// packet is one packet of the underlay, as far as the demo looks into it.
type packet struct {
	src, dst netip.Addr // outer
	ttl      uint8      // outer
	length   int        // bytes of the outer IP packet
	inner    kind
	from, to netip.Addr // who speaks to whom in the tunnel: of ARP, sender and target
	vxlan    bool
	outer    string // the line of the outer packet
	content  string // the line of the frame in the tunnel; empty without a tunnel
}

// kind is what the demo tells apart.
type kind uint8

const (
	other kind = iota
	arpRequest
	arpReply
	echoRequest
	echoReply
	igmpReport
)

// decode reads a frame of the underlay from its destination MAC on. It reports false for what is neither VXLAN nor IGMP
// over IPv4, and for what is cut short.
func decode(frame []byte) (packet, bool) {
	etherType, b, ok := cutEthernet(frame)
	if !ok || etherType != 0x0800 {
		return packet{}, false
	}
	ip, ok := cutIPv4(b)
	if !ok || ip.fragment {
		return packet{}, false
	}
	p := packet{src: ip.src, dst: ip.dst, ttl: ip.ttl, length: ip.length}
	switch ip.protocol {
	case 2:
		p.inner, p.outer, ok = decodeIGMP(ip)
	case 17:
		ok = p.decodeVXLAN(ip)
	default:
		ok = false
	}
	return p, ok
}

// decodeIGMP knows the version 3 report (RFC 3376 section 4.2).
func decodeIGMP(ip ipv4) (kind, string, bool) {
	b := ip.payload
	if len(b) < 8 || b[0] != 0x22 {
		return other, "", false
	}
	return igmpReport, fmt.Sprintf("IP %s > %s: igmp v3 report, %d group record(s)", ip.src, ip.dst, binary.BigEndian.Uint16(b[6:])), true
}

// decodeVXLAN reads UDP to the VXLAN port, the VXLAN header (RFC 7348 section 5) and what follows.
func (p *packet) decodeVXLAN(ip ipv4) bool {
	b := ip.payload
	if len(b) < 16 || binary.BigEndian.Uint16(b[2:]) != vxlanPort {
		return false
	}
	flags, vni := b[8], binary.BigEndian.Uint32(b[12:])>>8
	mark := "."
	if flags&0x08 != 0 {
		mark = "I"
	}
	p.vxlan = true
	p.outer = fmt.Sprintf("IP %s.%d > %s.vxlan: VXLAN, flags [%s] (0x%02x), vni %d", p.src, binary.BigEndian.Uint16(b), p.dst, mark, flags, vni)
	p.inner, p.content = p.describe(b[16:])
	return true
}

// describe prints an Ethernet frame without its addresses.
func (p *packet) describe(frame []byte) (kind, string) {
	etherType, b, ok := cutEthernet(frame)
	if !ok {
		return other, "[|ether]"
	}
	switch etherType {
	case 0x0800:
		return p.describeIPv4(b)
	case 0x0806:
		return p.describeARP(b)
	}
	return other, fmt.Sprintf("ethertype 0x%04x, length %d", etherType, len(b))
}

// describeARP knows requests and replies for IPv4 over Ethernet (RFC 826).
func (p *packet) describeARP(b []byte) (kind, string) {
	if len(b) < 28 || string(b[:6]) != "\x00\x01\x08\x00\x06\x04" {
		return other, fmt.Sprintf("ARP, length %d", len(b))
	}
	sender, target := netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
	p.from, p.to = sender, target
	switch op := binary.BigEndian.Uint16(b[6:]); op {
	case 1:
		return arpRequest, fmt.Sprintf("ARP, Request who-has %s tell %s, length %d", target, sender, len(b))
	case 2:
		return arpReply, fmt.Sprintf("ARP, Reply %s is-at %s, length %d", sender, net.HardwareAddr(b[8:14]), len(b))
	default:
		return other, fmt.Sprintf("ARP, operation %d, length %d", op, len(b))
	}
}

// describeIPv4 knows ICMP echo (RFC 792).
func (p *packet) describeIPv4(b []byte) (kind, string) {
	ip, ok := cutIPv4(b)
	if !ok {
		return other, "[|ip]"
	}
	p.from, p.to = ip.src, ip.dst
	var line strings.Builder
	fmt.Fprintf(&line, "IP %s > %s: ", ip.src, ip.dst)
	icmp := ip.payload
	if ip.protocol != 1 || ip.fragment || len(icmp) < 8 || icmp[1] != 0 || icmp[0] != 8 && icmp[0] != 0 {
		fmt.Fprintf(&line, "ip-proto-%d, length %d", ip.protocol, len(icmp))
		return other, line.String()
	}
	k, word := echoReply, "reply"
	if icmp[0] == 8 {
		k, word = echoRequest, "request"
	}
	fmt.Fprintf(&line, "ICMP echo %s, id %d, seq %d, length %d", word, binary.BigEndian.Uint16(icmp[4:]), binary.BigEndian.Uint16(icmp[6:]), len(icmp))
	return k, line.String()
}

// ipv4 is an IPv4 header with what it carries (RFC 791).
type ipv4 struct {
	src, dst      netip.Addr
	ttl, protocol uint8
	length        int  // total
	fragment      bool // not the whole packet
	payload       []byte
}

// cutEthernet takes an Ethernet header off.
func cutEthernet(frame []byte) (etherType uint16, payload []byte, ok bool) {
	if len(frame) < 14 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint16(frame[12:]), frame[14:], true
}

// cutIPv4 takes an IPv4 header off, and padding behind the packet.
func cutIPv4(b []byte) (ipv4, bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return ipv4{}, false
	}
	header, total := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < 20 || total < header || total > len(b) {
		return ipv4{}, false
	}
	return ipv4{
		src: netip.AddrFrom4([4]byte(b[12:16])), dst: netip.AddrFrom4([4]byte(b[16:20])),
		ttl: b[8], protocol: b[9], length: total,
		fragment: binary.BigEndian.Uint16(b[6:])&0x3fff != 0,
		payload:  b[header:total],
	}, true
}
