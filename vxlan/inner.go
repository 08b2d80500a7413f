package vxlan

// The inner frame, in the order of its headers:
//
//	ParseInner   Ethernet
//	skipTags     VLAN tags
//	parse4       IPv4; parse6 in inner6.go
//	flowPorts    the ports, where every packet of the flow has them

import "encoding/binary"

// Inner is what the inner frame says. ParseInner fills all of it when it returns OK; after a fault it means nothing.
type Inner struct {
	Dst, Src  uint64
	L3        int    // offset of the IP header in the frame, 0 when there is none that can be read
	L4        int    // offset of the transport header, 0 when there is none, or the packet is a fragment
	finalDst  int    // offset of the 16 bytes that the IPv6 pseudo-header takes as destination, 0 when not known
	End       int    // end of the IP packet in the frame, what is behind is padding; the frame's length without IP
	Hash      uint32 // of the flow, the same for all of its packets
	EtherType uint16 // behind the tags; its payload starts at 14 + 4*VLANs
	VLAN      uint16 // the outermost tag's control information (priority, DEI, VLAN ID), 0 without a tag
	VLANs     uint8  // tags looked through, at most 2
	IPVersion uint8  // 4, 6, or 0 when there is no IP header that can be read
	Proto     uint8  // transport protocol behind all headers that were walked
	TOS       uint8  // TOS or traffic class
	TTL       uint8  // TTL or hop limit
	DF        bool   // IPv4 with DF, or IPv6, which is never fragmented on its way
	Fragment  bool   // a piece of a datagram, the first too
}

const maxTags = 2

// ParseInner reads an Ethernet frame. It returns InnerShort below 14 bytes, else OK: what cannot be read as IP, or contradicts
// its own lengths, is a frame without IP, hashed by its MACs and EtherType. Up to two VLAN tags are looked through.
//
// The hash covers addresses, protocol and ports (the SPI for ESP); for ICMP and other protocols addresses and protocol, and so
// for every fragment, so that the pieces of a datagram stay together.
func ParseInner(frame []byte, in *Inner) Fault {
	if len(frame) < etherLen {
		return InnerShort
	}
	src := binary.BigEndian.Uint64(frame[6:])
	in.Dst = binary.BigEndian.Uint64(frame) >> 16
	in.Src = src >> 16
	in.EtherType = uint16(src)
	in.VLAN, in.VLANs = 0, 0
	at := etherLen
	if in.EtherType == typeVLAN || in.EtherType == typeQinQ {
		at = skipTags(frame, in)
	}
	switch in.EtherType {
	case typeIPv4:
		if parse4(frame, at, in) {
			return OK
		}
	case typeIPv6:
		if parse6(frame, at, in) {
			return OK
		}
	}
	in.L3, in.L4, in.End, in.finalDst = 0, 0, len(frame), 0
	in.IPVersion, in.Proto, in.TOS, in.TTL = 0, 0, 0, 0
	in.DF, in.Fragment = false, false
	in.Hash = hashMAC(in.Dst, in.Src, in.EtherType)
	return OK
}

// skipTags steps over the tags and returns where the last EtherType's payload starts. A tag that was cut off stays
// the EtherType.
func skipTags(frame []byte, in *Inner) int {
	at := etherLen
	for in.VLANs < maxTags && (in.EtherType == typeVLAN || in.EtherType == typeQinQ) && at+4 <= len(frame) {
		tag := binary.BigEndian.Uint32(frame[at:])
		if in.VLANs == 0 {
			in.VLAN = uint16(tag >> 16)
		}
		in.EtherType = uint16(tag)
		in.VLANs++
		at += 4
	}
	return at
}

// parse4 reads the IPv4 header at frame[at:], and reports whether it is one.
func parse4(frame []byte, at int, in *Inner) bool {
	p := frame[at:]
	if len(p) < ip4Len {
		return false
	}
	first := binary.BigEndian.Uint64(p)      // version, header length, TOS, total length, ID, flags and offset
	second := binary.BigEndian.Uint32(p[8:]) // TTL, protocol, checksum
	addrs := binary.BigEndian.Uint64(p[12:])
	ipLen := int(first>>56&0x0f) * 4
	total := int(first >> 32 & 0xffff)
	if first>>60 != 4 || ipLen < ip4Len || total < ipLen || total > len(p) {
		return false
	}
	proto := uint8(second >> 16)
	in.L3, in.End, in.finalDst = at, at+total, 0
	in.IPVersion, in.Proto, in.TOS, in.TTL = 4, proto, uint8(first>>48), uint8(second>>24)
	in.DF = first&0x4000 != 0
	in.Fragment = first&0x3fff != 0
	in.L4 = 0
	ports := uint32(0)
	if !in.Fragment && ipLen < total {
		in.L4 = at + ipLen
		ports = flowPorts(p[ipLen:total], proto)
	}
	in.Hash = hash4(addrs, ports, proto)
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
