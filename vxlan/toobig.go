package vxlan

// The answer to an IP packet that does not fit its way, so that its sender makes smaller ones:
//
//	PutTooBig  turn the frame into the answer, in place
//	answer4    may the packet be answered? IPv4
//	answer6    the same for IPv6; transport6 finds what it carries
//	putICMP4   ICMP fragmentation needed (RFC 792, RFC 1191 section 4)
//	putICMP6   ICMPv6 packet too big (RFC 4443 section 3.2)

import "encoding/binary"

// TooBigRoom is how many bytes in front of a frame PutTooBig needs.
const TooBigRoom = ip6Len + icmpLen

const (
	icmpLen = 8
	extAuth = 51 // RFC 4302, of a length in words

	// What an answer has at most, from its IP header on (RFC 1812 section 4.3.2.3, RFC 4443 section 3.2).
	maxAnswer4 = 576
	maxAnswer6 = 1280

	// What every link carries (RFC 791 section 3.2, RFC 8200 section 5). No answer names less: IPv6 senders ignore it (RFC 8201
	// section 4).
	minMTU4 = 68
	minMTU6 = 1280
)

// PutTooBig answers the IP packet in a frame that is too big for its way: the frame goes back where it came from, with the packet
// quoted behind the headers of an error message that names mtu, the largest IP packet that fits, in bytes. The source is the
// packet's destination, as if that had the narrow way; a bridge has no address of its own there. VLAN tags stay.
//
// b is TooBigRoom bytes and behind them the frame that in was parsed from; b[start:end] is the answer. end is 0 when there must be
// none, and b is as it was: for what is not IP, or fits, and as RFC 1812 section 4.3.2.7 and RFC 4443 section 2.4 (e) ask for errors,
// later fragments, groups and broadcast on either layer, and addresses that no host has. The exception that RFC 4443 makes
// for packets to groups is not used: the answer would need another source.
//
// IPv4 packets without DF are answered too, although a router would fragment them: to a bridge that does not, they are as lost as
// those with DF, and a sender that heard of the MTU fragments them itself.
func PutTooBig(b []byte, in *Inner, mtu int) (start, end int) {
	l3 := TooBigRoom + in.L3
	if in.Dst&GroupBit != 0 || in.IPVersion == 0 || in.End-in.L3 <= mtu {
		return 0, 0
	}
	packet := b[l3 : TooBigRoom+in.End]
	head, most := ip4Len+icmpLen, maxAnswer4
	switch {
	case in.IPVersion == 4 && mtu >= minMTU4 && answer4(packet):
	case in.IPVersion == 6 && mtu >= minMTU6 && answer6(packet):
		head, most = ip6Len+icmpLen, maxAnswer6
	default:
		return 0, 0
	}
	quote := min(len(packet), most-head)
	start, end = TooBigRoom-head, l3+quote
	copy(b[start:], b[TooBigRoom:l3]) // with the tags
	binary.BigEndian.PutUint32(b[start:], uint32(in.Src>>16))
	binary.BigEndian.PutUint64(b[start+4:], in.Src<<48|in.Dst)
	if answer := b[start+in.L3 : end]; in.IPVersion == 4 {
		putICMP4(answer, mtu)
	} else {
		putICMP6(answer, mtu)
	}
	return start, end
}

// answer4 reports whether an error message may answer an IPv4 packet, which is longer than any header, its lengths checked.
func answer4(p []byte) bool {
	const unreachable, quench, redirect, exceeded, parameter = 3, 4, 5, 11, 12
	header := int(p[0]&0x0f) * 4
	src, dst := binary.BigEndian.Uint32(p[12:]), binary.BigEndian.Uint32(p[16:])
	if Fold(Sum(p[:header], 0)) != 0xffff || binary.BigEndian.Uint16(p[6:])&0x1fff != 0 || martian(src) || martian(dst) {
		return false
	}
	if p[9] != protoICMP {
		return true
	}
	switch p[header] {
	case unreachable, quench, redirect, exceeded, parameter:
		return false
	}
	return true
}

// answer6 is answer4 for IPv6.
func answer6(p []byte) bool {
	const firstQuery, redirect = 128, 137
	proto, at := transport6(p)
	if at == 0 || !station6(p[8:24]) || !station6(p[24:40]) {
		return false
	}
	return proto != protoICMPv6 || p[at] >= firstQuery && p[at] != redirect
}

// transport6 returns what an IPv6 packet carries, and the offset of its first byte: 0 in a later fragment, and where the extension
// headers do not end in the packet.
func transport6(p []byte) (proto uint8, at int) {
	proto, at = p[6], ip6Len
	for range maxExt {
		if at+8 > len(p) {
			return 0, 0
		}
		size := 8
		switch proto {
		case extHopByHop, extRouting, extDestination:
			size += int(p[at+1]) * 8
		case extAuth:
			size = (int(p[at+1]) + 2) * 4
		case extFragment:
			if binary.BigEndian.Uint16(p[at+2:])&0xfff8 != 0 {
				return 0, 0
			}
		default:
			return proto, at
		}
		proto, at = p[at], at+size
	}
	return 0, 0
}

// station6 tells an address that one host can have: not a group's, unspecified or loopback (RFC 4291 section 2.5).
func station6(addr []byte) bool {
	high, low := binary.BigEndian.Uint64(addr), binary.BigEndian.Uint64(addr[8:])
	return high>>56 != 0xff && (high != 0 || low > 1)
}

// putICMP4 writes the headers in front of the packet that a[28:] quotes.
func putICMP4(a []byte, mtu int) {
	const unreachable, fragmentationNeeded = 3, 4
	const internetControl = 6 << 5 // precedence (RFC 1812 section 4.3.2.5)
	icmp, quoted := a[ip4Len:], a[ip4Len+icmpLen:]
	binary.BigEndian.PutUint64(icmp, unreachable<<56|fragmentationNeeded<<48|uint64(mtu))
	binary.BigEndian.PutUint16(icmp[2:], ^Fold(Sum(icmp, 0)))
	binary.BigEndian.PutUint64(a, plainIPv4<<56|internetControl<<48|uint64(len(a))<<32|flagDF)
	binary.BigEndian.PutUint32(a[8:], answerTTL<<24|protoICMP<<16)
	copy(a[12:16], quoted[16:20])
	copy(a[16:20], quoted[12:16])
	binary.BigEndian.PutUint16(a[10:], ^Fold(Sum(a[:ip4Len], 0)))
}

// putICMP6 writes the headers in front of the packet that a[48:] quotes.
func putICMP6(a []byte, mtu int) {
	const packetTooBig = 2
	icmp, quoted := a[ip6Len:], a[ip6Len+icmpLen:]
	binary.BigEndian.PutUint64(icmp, packetTooBig<<56|uint64(mtu))
	binary.BigEndian.PutUint64(a, 6<<60|uint64(len(icmp))<<16|protoICMPv6<<8|answerTTL)
	copy(a[8:24], quoted[24:40])
	copy(a[24:40], quoted[8:24])
	pseudo := Sum(a[8:ip6Len], uint64(len(icmp))+protoICMPv6)
	binary.BigEndian.PutUint16(icmp[2:], ^Fold(Sum(icmp, pseudo)))
}

// answerTTL is what hosts start with (RFC 1700, IP TIME TO LIVE PARAMETER).
const answerTTL = 64
