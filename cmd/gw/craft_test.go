package main

import (
	"encoding/binary"
	"net"
	"slices"
)

// Packets as a peer that means harm, or knows no better, would make them: a good
// one, byte by byte, and edits that spoil it. Package vxlan has no part in it.

// Offsets in a VXLAN packet over IPv4 without options.
const (
	atIP    = 14
	atTOS   = atIP + 1
	atTotal = atIP + 2
	atFrag  = atIP + 6
	atTTL   = atIP + 8
	atIPSum = atIP + 10
	atSrc   = atIP + 12
	atDst   = atIP + 16
	atUDP   = atIP + 20
	atDPort = atUDP + 2
	atULen  = atUDP + 4
	atUSum  = atUDP + 6
	atVXLAN = atUDP + 8
	atVNI   = atVXLAN + 4
	atInner = atVXLAN + 8
)

// Outer sources of what is crafted for gw and for the kernel's device; no interface
// has them.
var (
	rawMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 0x99}
	twinMAC = net.HardwareAddr{2, 0, 0, 0, 0, 0x98}
)

// craft returns a packet from under2 to under1 that carries inner, edited in turn.
func craft(to net.HardwareAddr, vni uint32, inner []byte, edits ...edit) []byte {
	src, dst := under2.As4(), under1.As4()
	p := slices.Concat(to, rawMAC, []byte{0x08, 0x00},
		[]byte{0x45, 0, 0, 0, 0, 1, 0, 0, 64, 17, 0, 0}, src[:], dst[:],
		[]byte{0xc0, 0x01, 0x12, 0xb5, 0, 0, 0, 0},
		[]byte{8, 0, 0, 0}, binary.BigEndian.AppendUint32(nil, vni<<8), inner)
	p = lengths(p)
	for _, e := range edits {
		p = e(p)
	}
	return p
}

// edit changes a packet that nobody else has.
type edit func(p []byte) []byte

func set(at int, b ...byte) edit {
	return func(p []byte) []byte { copy(p[at:], b); return p }
}

func set16(at int, v uint16) edit { return set(at, byte(v>>8), byte(v)) }

// header is set for the IPv4 header, whose checksum is made right.
func header(at int, b ...byte) edit {
	return func(p []byte) []byte { return sumIP(set(at, b...)(p)) }
}

func cut(n int) edit { return func(p []byte) []byte { return p[:n] } }

func tail(b ...byte) edit { return func(p []byte) []byte { return append(p, b...) } }

// insert puts bytes in front of offset at; no length is touched.
func insert(at int, b ...byte) edit {
	return func(p []byte) []byte { return slices.Insert(p, at, b...) }
}

// options puts IPv4 options in, a multiple of four bytes.
func options(b ...byte) edit {
	return func(p []byte) []byte {
		p = slices.Insert(p, atUDP, b...)
		p[atIP] += byte(len(b) / 4)
		return sumIP(set16(atTotal, uint16(len(p)-atIP))(p))
	}
}

// udpLength lengthens the UDP length by n; the packet stays as it is.
func udpLength(n int) edit {
	return func(p []byte) []byte {
		return set16(atULen, binary.BigEndian.Uint16(p[atULen:])+uint16(n))(p)
	}
}

// lengths makes both lengths, as far as they are there, agree with the packet's.
func lengths(p []byte) []byte {
	if len(p) >= atVXLAN {
		set16(atULen, uint16(len(p)-atUDP))(p)
	}
	return ipLength(p)
}

// ipLength does so for the IPv4 total length.
func ipLength(p []byte) []byte { return sumIP(set16(atTotal, uint16(len(p)-atIP))(p)) }

func sumIP(p []byte) []byte {
	end := atIP + int(p[atIP]&15)*4
	set16(atIPSum, 0)(p)
	return set16(atIPSum, ^sum16(p[atIP:end]))(p)
}

// pseudo is the pseudo-header of a UDP datagram without options (RFC 768).
func pseudo(p []byte) []byte { return slices.Concat(p[atSrc:atUDP], []byte{0, 17}, p[atULen:atUSum]) }

func sumUDP(p []byte) []byte {
	set16(atUSum, 0)(p)
	return set16(atUSum, ^sum16(slices.Concat(pseudo(p), p[atUDP:])))(p)
}

// unfinishedUDP leaves the sum to a NIC, as veth does with what its host sends.
func unfinishedUDP(p []byte) []byte { return set16(atUSum, sum16(pseudo(p)))(p) }

// Inner addresses. The first three octets never stand for a device.
var (
	farMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 0xf1} // behind the remote
	boxMAC  = net.HardwareAddr{2, 0, 0, 0, 0, 0xb1} // behind the port
	hostMAC = net.HardwareAddr{2, 0, 0, 0, 0, 0xd1} // behind the device
	noMAC   = net.HardwareAddr{2, 0, 0, 0, 0, 0x77} // nowhere
)

// local experimental EtherType (IEEE 802): no stack answers it
const experimental = 0x88b5

// named is a frame that no other case has: its text is the payload.
func named(dst, src net.HardwareAddr, text string) []byte {
	f := slices.Concat(dst, src, []byte{experimental >> 8, experimental & 0xff}, []byte(text))
	return append(f, make([]byte, max(0, 60-len(f)))...)
}

// ipv4 is a packet of a protocol that nobody answers (RFC 3692) with TOS tos.
func ipv4(tos byte, payload string) []byte {
	h := slices.Concat([]byte{0x45, tos, 0, byte(20 + len(payload)), 0, 1, 0, 0, 64, 253, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2}, []byte(payload))
	binary.BigEndian.PutUint16(h[10:], ^sum16(h[:20]))
	return h
}

// ipv6 is the same with traffic class tc.
func ipv6(tc byte, payload string) []byte {
	h := make([]byte, 40, 40+len(payload))
	h[0], h[1] = 0x60|tc>>4, tc<<4
	h[5], h[6], h[7] = byte(len(payload)), 253, 64
	copy(h[8:], []byte{0x20, 0x01, 0x0d, 0xb8, 15: 1})
	copy(h[24:], []byte{0x20, 0x01, 0x0d, 0xb8, 15: 2})
	return append(h, payload...)
}

// frameOf is a frame of EtherType kind.
func frameOf(dst, src net.HardwareAddr, kind uint16, payload []byte) []byte {
	return slices.Concat(dst, src, []byte{byte(kind >> 8), byte(kind)}, payload)
}
