package vxlan

import "encoding/binary"

// The quick look: what nearly all packets are stands at fixed offsets and comes back in registers. It only ever accepts.
// Whatever it does not know, or finds wrong, is for ParseOuter, ParseInner and Mend to judge.

// Flow is what the outer headers need to know of an inner frame: the flow's hash in the upper 32 bits, DF in bit 30, TTL in bits 8 to 15,
// and the TOS byte in the lowest 8.
type Flow uint64

const (
	flowDF  = 1 << 30
	flowTTL = 0xff << 8
)

// MakeFlow joins what a Flow says, without a TTL.
func MakeFlow(hash uint32, tos uint8, df bool) Flow {
	f := Flow(hash)<<32 | Flow(tos)
	if df {
		f |= flowDF
	}
	return f
}

// Hash is the same for all packets of a flow.
func (f Flow) Hash() uint32 { return uint32(f >> 32) }

// TOS is the TOS byte or traffic class, 0 without IP.
func (f Flow) TOS() uint8 { return uint8(f) }

// TTL is the TTL or hop limit, 0 without IP.
func (f Flow) TTL() uint8 { return uint8(f >> 8) }

// DF tells an IPv4 packet with DF, or IPv6, which is never fragmented on its way.
func (f Flow) DF() bool { return f&flowDF != 0 }

// Flow is what the outer headers need of the frame that was parsed.
func (in *Inner) Flow() Flow {
	return MakeFlow(in.Hash, in.TOS, in.DF) | Flow(in.TTL)<<8
}

// QuickInner reads an inner frame of TCP or UDP over IPv4 without tag, option or fragment, from a unicast address to one that a
// bridge forwards, which Mend would find nothing to do for. h is where the frame starts, and of its length bytes all that are
// looked at. ok is false for every other frame.
func QuickInner(h *[InnerHead]byte, length int) (dst, src uint64, flow Flow, ok bool) {
	first := binary.BigEndian.Uint64(h[12:])   // EtherType, version, header length, TOS, total length, ID
	control := binary.BigEndian.Uint32(h[20:]) // flags and offset, TTL, protocol
	segment := int(first>>16&0xffff) - ip4Len
	if first>>40 != typeIPv4<<8|plainIPv4 || control&(0x3fff<<16) != 0 || segment < udpLen || etherLen+ip4Len+segment > length {
		return 0, 0, 0, false
	}
	addrs := binary.BigEndian.Uint64(h[26:])
	l4 := binary.BigEndian.Uint64(h[34:]) // ports; for UDP length and checksum
	sum, proto := fold32(addrs), uint8(control)
	switch proto {
	case protoUDP:
		ok = udpSettled(sum, l4)
	case protoTCP:
		ok = tcpSettled(sum, segment, binary.BigEndian.Uint16(h[50:]))
	}
	dst, src = binary.BigEndian.Uint64(h[:])>>16, binary.BigEndian.Uint64(h[6:])>>16
	if !Forwards(dst, src) {
		ok = false
	}
	flow = Flow(mix4(addrs, uint32(l4>>32), proto)&^0xffffffff | uint64(control&(flowDF|flowTTL)) | uint64(uint8(first>>32)))
	return dst, src, flow, ok
}

// InnerHead is how many bytes of a frame QuickInner may look at, however many of them are the frame's.
const InnerHead = 64

const (
	GroupBit  = 1 << 40        // of a MAC address (IEEE 802, I/G bit)
	linkLocal = 0x0180c2000000 // to 0f: addresses that no bridge forwards (IEEE 802.1Q, table 8-1)
)

// UnicastMAC tells an address that a station can have.
func UnicastMAC(mac uint64) bool { return mac&GroupBit == 0 && mac != 0 }

// Forwards reports whether a bridge forwards frames between two addresses.
func Forwards(dst, src uint64) bool { return UnicastMAC(src) && dst&^0xf != linkLocal }

// Pair is where a packet over IPv4 without options has its source address and its VNI. Nothing is checked.
func Pair(h *[Overhead]byte) (src, vni uint32) {
	return binary.BigEndian.Uint32(h[atSrcIP:]), binary.BigEndian.Uint32(h[atVXLAN+4:]) >> 8
}

// QuickOuter reads the headers of a VXLAN packet that has no IPv4 options, no UDP checksum, no reserved bit set and no ECN mark, and
// nothing between its layers. h is where the packet of length bytes starts; the inner frame reaches from byte Overhead to end. ok is false for every
// other packet, and for those that ParseOuter finds a fault in, save Martian: whoever knows the source knows that it is none.
func QuickOuter(h *[Overhead]byte, length int) (dstMAC uint64, src, vni uint32, end int, ok bool) {
	first := binary.BigEndian.Uint64(h[12:])  // EtherType, version, header length, TOS, total length, ID
	second := binary.BigEndian.Uint64(h[20:]) // flags and offset, TTL, protocol, checksum, half the source
	src = binary.BigEndian.Uint32(h[atSrcIP:])
	udp := binary.BigEndian.Uint64(h[atUDP:]) // source, destination, length, checksum
	vx := binary.BigEndian.Uint64(h[atVXLAN:])
	total, datagram := int(first>>16&0xffff), int(udp>>16&0xffff)
	// Version, header length and no ECN in one comparison; no fragment and the protocol in another.
	ok = first>>32&^(0xff&^ecnMask) == (typeIPv4<<8|plainIPv4)<<8 &&
		second>>32&(0x3fff<<16|0xff) == protoUDP && second>>32&0xff00 != 0 &&
		uint64(uint16(udp))|(vx^flagI)&^vniMask == 0 &&
		datagram >= udpLen+vxlanLen && ip4Len+datagram == total && etherLen+total <= length &&
		(first&(1<<48-1)+second>>16+uint64(src)+uint64(binary.BigEndian.Uint32(h[atDstIP:])))%0xffff == 0
	return binary.BigEndian.Uint64(h[:]) >> 16, src, uint32(vx) >> 8, etherLen + ip4Len + datagram, ok
}
