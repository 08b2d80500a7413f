package vxlan

// The inner frame, in the order of its headers:
//
//	ParseInner   the most common kind in one go
//	parseAny     Ethernet
//	skipTags     VLAN tags
//	parse4       IPv4; parse6 in inner6.go
//	flowPorts    the ports, where every packet of the flow has them

import "encoding/binary"

// Inner is what the inner frame says. ParseInner fills all of it when it returns OK; after a fault it means nothing.
type Inner struct {
	Dst, Src  uint64
	L3        int    // offset of the IP header in the frame, 0 when there is none that can be read
	L4        int    // offset of the transport header, 0 when there is none, or the packet is a fragment
	End       int    // end of the IP packet in the frame, what is behind is padding; the frame's length without IP
	addrs     uint32 // sum of the addresses in the pseudo-header, folded to 32 bits; 0 when they are not known
	Hash      uint32 // of the flow, the same for all of its packets
	TTL       uint8  // TTL or hop limit
	Proto     uint8  // transport protocol behind all headers that were walked
	TOS       uint8  // TOS or traffic class
	DF        bool   // IPv4 with DF, or IPv6, which is never fragmented on its way
	EtherType uint16 // behind the tags; its payload starts at 14 + 4*VLANs
	VLAN      uint16 // the outermost tag's control information (priority, DEI, VLAN ID), 0 without a tag
	VLANs     uint8  // tags looked through, at most 2
	IPVersion uint8  // 4, 6, or 0 when there is no IP header that can be read
	Fragment  bool   // a piece of a datagram, the first too
}

const maxTags = 2

// ParseInner reads an Ethernet frame. It returns InnerShort below 14 bytes, else OK: what cannot be read as IP, or contradicts
// its own lengths, is a frame without IP, hashed by its MACs and EtherType. Up to two VLAN tags are looked through.
//
// The hash covers addresses, protocol and ports (the SPI for ESP); for ICMP and other protocols addresses and protocol, and so
// for every fragment, so that the pieces of a datagram stay together.
func ParseInner(frame []byte, in *Inner) Fault {
	// What nearly all frames are stands at fixed offsets: TCP or UDP over IPv4 without tag, option or fragment.
	const plain = etherLen + ip4Len + 4 // up to the ports
	if len(frame) < plain {
		return parseAny(frame, in)
	}
	h := (*[plain]byte)(frame)
	first := binary.BigEndian.Uint64(h[12:])   // EtherType, version, header length, TOS, total length, ID
	control := binary.BigEndian.Uint32(h[20:]) // flags and offset, TTL, protocol
	end := etherLen + int(first>>16&0xffff)
	if first>>40 != typeIPv4<<8|plainIPv4 || control&(0x3fff<<16) != 0 || end < plain || end > len(frame) {
		return parseAny(frame, in)
	}
	addrs := binary.BigEndian.Uint64(h[26:])
	proto, sum := uint8(control), fold32(addrs)
	if proto != protoTCP && proto != protoUDP {
		return parseAny(frame, in)
	}
	in.Dst = binary.BigEndian.Uint64(h[:]) >> 16
	in.Src = binary.BigEndian.Uint64(h[6:]) >> 16
	in.L3, in.L4, in.End = etherLen, etherLen+ip4Len, end
	in.addrs = sum
	in.Hash = hash4(addrs, binary.BigEndian.Uint32(h[34:]), proto)
	in.TTL, in.Proto, in.TOS = uint8(control>>8), proto, uint8(first>>32)
	in.DF = control&(flagDF<<16) != 0
	in.EtherType, in.VLAN, in.VLANs, in.IPVersion, in.Fragment = typeIPv4, 0, 0, 4, false
	return OK
}

// parseAny reads any frame, layer by layer.
func parseAny(frame []byte, in *Inner) Fault {
	if len(frame) < etherLen {
		return InnerShort
	}
	src := binary.BigEndian.Uint64(frame[6:])
	in.Dst = binary.BigEndian.Uint64(frame) >> 16
	in.Src = src >> 16
	typ, at := uint16(src), etherLen
	in.VLAN, in.VLANs = 0, 0
	if typ == typeVLAN || typ == typeQinQ {
		typ, at = skipTags(frame, in)
	}
	in.EtherType = typ
	if typ == typeIPv4 && parse4(frame, at, in) || typ == typeIPv6 && parse6(frame, at, in) {
		return OK
	}
	in.L3, in.L4, in.End, in.addrs = 0, 0, len(frame), 0
	in.IPVersion, in.Proto, in.TOS, in.TTL = 0, 0, 0, 0
	in.DF, in.Fragment = false, false
	in.Hash = hashMAC(in.Dst, in.Src, typ)
	return OK
}

// skipTags steps over the tags and returns the last EtherType and where its payload starts. A tag that was cut off stays the
// EtherType.
func skipTags(frame []byte, in *Inner) (typ uint16, at int) {
	typ, at = binary.BigEndian.Uint16(frame[12:]), etherLen
	for in.VLANs < maxTags && (typ == typeVLAN || typ == typeQinQ) && at+4 <= len(frame) {
		tag := binary.BigEndian.Uint32(frame[at:])
		if in.VLANs == 0 {
			in.VLAN = uint16(tag >> 16)
		}
		typ = uint16(tag)
		in.VLANs++
		at += 4
	}
	return typ, at
}

// parse4 reads the IPv4 header at frame[at:], and reports whether it is one.
func parse4(frame []byte, at int, in *Inner) bool {
	if len(frame) < at+ip4Len {
		return false
	}
	h := (*[ip4Len]byte)(frame[at:])
	first := binary.BigEndian.Uint64(h[:])   // version, header length, TOS, total length, ID, flags and offset
	second := binary.BigEndian.Uint32(h[8:]) // TTL, protocol, checksum
	l4 := at + int(first>>56&0x0f)*4
	total := int(first >> 32 & 0xffff)
	end := at + total
	if first>>60 != 4 || l4 < at+ip4Len || end < l4 || end > len(frame) {
		return false
	}
	addrs := binary.BigEndian.Uint64(h[12:])
	in.TTL, in.Proto, in.TOS = uint8(second>>24), uint8(second>>16), uint8(first>>48)
	in.L3, in.L4, in.End, in.addrs = at, 0, end, fold32(addrs)
	in.IPVersion = 4
	in.DF = first&flagDF != 0
	in.Fragment = first&0x3fff != 0
	ports := uint32(0)
	if !in.Fragment && l4 < end {
		in.L4 = l4
		ports = flowPorts(frame[l4:end], in.Proto)
	}
	in.Hash = hash4(addrs, ports, in.Proto)
	return true
}

// flowPorts returns the first four bytes behind the IP header where they are the same in every packet of a flow: the ports, or
// ESP's SPI.
func flowPorts(l4 []byte, proto uint8) uint32 {
	switch proto {
	case protoTCP, protoUDP, protoDCCP, protoESP, protoSCTP, protoUDPLite:
		if len(l4) >= 4 {
			return binary.BigEndian.Uint32(l4)
		}
	}
	return 0
}
