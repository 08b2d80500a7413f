package vxlan

import "encoding/binary"

// IPv6 extension headers that are walked (RFC 8200 section 4.1).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extDestination = 60
)

// maxExt bounds the walk: RFC 8200 recommends at most five different headers, one of them twice.
const maxExt = 8

// parse6 reads the IPv6 header at frame[at:], and reports whether it is one. A chain of extension headers that is longer than maxExt,
// or runs out of the packet, ends the walk without a transport header.
func parse6(frame []byte, at int, in *Inner) bool {
	p := frame[at:]
	if len(p) < ip6Len {
		return false
	}
	first := binary.BigEndian.Uint64(p) // version, traffic class, flow label, payload length, next header, hop limit
	total := ip6Len + int(first>>16&0xffff)
	if first>>60 != 6 || total > len(p) {
		return false
	}
	in.L3, in.L4, in.End = at, 0, at+total
	in.IPVersion, in.Proto, in.TOS, in.TTL = 6, uint8(first>>8), uint8(first>>52), uint8(first)
	in.DF, in.Fragment = true, false
	in.addrs = fold32(Sum(p[8:ip6Len], 0))
	ports, proto := uint32(0), uint8(extFragment)
	if l4 := walk6(p[:total], in); l4 > 0 {
		in.L4 = at + l4
		ports = flowPorts(p[l4:total], in.Proto)
	}
	if !in.Fragment {
		// Only the first fragment's next header says what the datagram is (RFC 8200 section 4.5): fragments hash without.
		proto = in.Proto
	}
	in.Hash = hash6(binary.BigEndian.Uint64(p[8:]), binary.BigEndian.Uint64(p[16:]),
		binary.BigEndian.Uint64(p[24:]), binary.BigEndian.Uint64(p[32:]), ports, proto)
	return true
}

// walk6 follows the extension headers of the IPv6 packet p, and returns the offset of the transport header, or 0. It sets Proto and
// Fragment, and addrs where a routing header says so.
func walk6(p []byte, in *Inner) int {
	at := ip6Len
	for range maxExt {
		switch in.Proto {
		case extHopByHop, extRouting, extDestination, extFragment:
		default:
			if at < len(p) {
				return at
			}
			return 0
		}
		if at+8 > len(p) {
			return 0
		}
		ext := p[at : at+8]
		size := 8
		switch in.Proto {
		case extFragment:
			// A fragment that is the whole datagram is none (RFC 6946).
			if binary.BigEndian.Uint16(ext[2:])&0xfff9 != 0 {
				in.Fragment = true
			}
		case extRouting:
			size += int(ext[1]) * 8
			if ext[3] != 0 {
				in.addrs = routedTo(p, at, size)
			}
		default:
			size += int(ext[1]) * 8
		}
		in.Proto = ext[0]
		at += size
		if in.Fragment {
			return 0
		}
	}
	return 0
}

// routedTo returns the sum of the addresses in the pseudo-header where the routing header p[at:at+size] has segments left: its
// destination is the last address that will be visited (RFC 8200 section 8.1), the first in the list for segment routing (RFC
// 8754 section 2) and Mobile IPv6 (RFC 6275 section 6.4). Other types are not known: 0.
func routedTo(p []byte, at, size int) uint32 {
	const mobile, segment = 2, 4
	if typ := p[at+2]; size < 8+16 || at+size > len(p) || typ != mobile && typ != segment {
		return 0
	}
	return fold32(Sum(p[at+8:at+24], Sum(p[8:24], 0)))
}
