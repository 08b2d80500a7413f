package capture

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
)

// describe says who speaks to whom in a frame, of which the end may be missing.
func describe(f []byte) string {
	if len(f) < 14 {
		return "a frame without its Ethernet header"
	}
	dst, src, etherType, rest := net.HardwareAddr(f[:6]), net.HardwareAddr(f[6:12]), binary.BigEndian.Uint16(f[12:]), f[14:]
	tags := ""
	for (etherType == 0x8100 || etherType == 0x88a8) && len(rest) >= 4 {
		tags += fmt.Sprintf("vlan %d, ", binary.BigEndian.Uint16(rest)&0xfff)
		etherType, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	what := ""
	switch {
	case etherType == 0x0806 && len(rest) >= 28:
		what = arp(rest)
	case etherType == 0x0800 && len(rest) >= 20 && len(rest) >= int(rest[0]&0x0f)*4:
		header := int(rest[0]&0x0f) * 4
		what = ip(rest[12:16], rest[16:20], rest[9], binary.BigEndian.Uint16(rest[6:])&0x1fff, rest[max(header, 20):])
	case etherType == 0x86dd && len(rest) >= 40:
		protocol, fragment, payload := behindExtensions(rest[6], rest[40:])
		what = ip(rest[8:24], rest[24:40], protocol, fragment, payload)
	default:
		what = fmt.Sprintf("%s > %s, ethertype 0x%04x", src, dst, etherType)
	}
	return tags + what
}

// behindExtensions goes past the extension headers of IPv6 that are there whole (RFC 8200 section 4), to the protocol and payload behind
// them. Behind the header of a fragment but the first there is neither.
func behindExtensions(next byte, p []byte) (protocol byte, fragment uint16, payload []byte) {
	const hopByHop, routing, fragmented, destination = 0, 43, 44, 60
	for len(p) >= 8 {
		length := 8
		switch next {
		case hopByHop, routing, destination:
			length += int(p[1]) * 8
		case fragmented:
			fragment = binary.BigEndian.Uint16(p[2:]) >> 3
		default:
			return next, 0, p
		}
		if length > len(p) {
			break
		}
		next, p = p[0], p[length:]
		if fragment != 0 {
			break
		}
	}
	return next, fragment, p
}

func arp(b []byte) string {
	sender, target := addr(b[14:18]), addr(b[24:28])
	switch binary.BigEndian.Uint16(b[6:]) {
	case 1:
		return fmt.Sprintf("ARP, Request who-has %s tell %s", target, sender)
	case 2:
		return fmt.Sprintf("ARP, Reply %s is-at %s", sender, net.HardwareAddr(b[8:14]))
	}
	return fmt.Sprintf("ARP, %s > %s", sender, target)
}

func addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a
}

// ip describes a packet by its addresses, protocol, the offset of a fragment, and payload.
func ip(src, dst []byte, protocol byte, fragment uint16, p []byte) string {
	s, d := addr(src), addr(dst)
	switch {
	case fragment != 0:
		return fmt.Sprintf("%s > %s, a fragment", s, d)
	case (protocol == 6 || protocol == 17 || protocol == 132) && len(p) >= 4:
		sport, dport := binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:])
		ends := fmt.Sprintf("%s > %s, %s", netip.AddrPortFrom(s, sport), netip.AddrPortFrom(d, dport), protocolNames[protocol])
		// The flag says that there is a VNI (RFC 7348); what is behind it is described if it looks like a frame.
		if protocol == 17 && len(p) >= 16+14 && p[8] == 0x08 && binary.BigEndian.Uint32(p[8:])&0xffffff == 0 && p[15] == 0 {
			return fmt.Sprintf("%s > %s, VXLAN, vni %d: %s", s, d, binary.BigEndian.Uint32(p[12:])>>8, describe(p[16:]))
		}
		return ends
	case protocol == 1 && len(p) > 0:
		return fmt.Sprintf("%s > %s, ICMP%s", s, d, icmpName(icmp4, p[0]))
	case protocol == 58 && len(p) > 0:
		return fmt.Sprintf("%s > %s, ICMP6%s", s, d, icmpName(icmp6, p[0]))
	case protocolNames[protocol] != "":
		return fmt.Sprintf("%s > %s, %s", s, d, protocolNames[protocol])
	}
	return fmt.Sprintf("%s > %s, protocol %d", s, d, protocol)
}

var (
	protocolNames = map[byte]string{1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMP6", 103: "PIM", 112: "VRRP", 132: "SCTP"}
	icmp4         = map[byte]string{0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
	icmp6         = map[byte]string{1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem", 128: "echo request", 129: "echo reply",
		130: "multicast listener query", 131: "multicast listener report", 132: "multicast listener done",
		133: "router solicitation", 134: "router advertisement", 135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect", 143: "multicast listener report"}
)

func icmpName(names map[byte]string, t byte) string {
	if n := names[t]; n != "" {
		return " " + n
	}
	return fmt.Sprintf(" type %d", t)
}
