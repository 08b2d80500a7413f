package bpf

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
)

const testPort = 4790

var (
	testLocal = netip.MustParseAddr("10.0.0.1")
	testGroup = netip.MustParseAddr("224.1.1.1")
	testVNIs  = []uint32{0, 42, maxVNI}
)

// good returns a packet that is ours: VXLAN with VNI 42 around 60 bytes.
func good() []byte {
	const inner = 60
	p := make([]byte, 50+inner)
	copy(p, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00})
	ip := p[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{10, 0, 0, 2})
	copy(ip[16:], testLocal.AsSlice())
	udp := p[34:]
	binary.BigEndian.PutUint16(udp[0:], 50000)
	binary.BigEndian.PutUint16(udp[2:], testPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	udp[8] = 0x08
	binary.BigEndian.PutUint32(udp[12:], 42<<8)
	return p
}

// set returns the good packet with the bytes from offset on replaced.
func set(offset int, b ...byte) []byte {
	p := good()
	copy(p[offset:], b)
	return p
}

// insert returns the good packet with bytes put in at offset.
func insert(offset int, b ...byte) []byte {
	return slices.Insert(good(), offset, b...)
}

// oursTwin is the underlay's decision again, slow and from the rules.
func oursTwin(p []byte) bool {
	if len(p) >= 14 && bytes.Equal(p[12:14], []byte{0x86, 0xdd}) {
		return ours6Twin(p)
	}
	if len(p) < 14 || !bytes.Equal(p[12:14], []byte{0x08, 0x00}) {
		return false
	}
	ip := p[14:]
	if len(ip) < 20 || ip[0]>>4 != 4 || ip[0]&0xf != 5 || ip[9] != 17 {
		return false
	}
	more, offset := ip[6]&0x20 != 0, binary.BigEndian.Uint16(ip[6:])%0x2000
	dst := netip.AddrFrom4([4]byte(ip[16:20]))
	udp := ip[20:]
	if more || offset != 0 || dst != testLocal && dst != testGroup || len(udp) < 8 {
		return false
	}
	if binary.BigEndian.Uint16(udp[2:]) != testPort {
		return false
	}
	if len(udp) < 16 || binary.BigEndian.Uint16(udp[4:]) < 16 {
		return true
	}
	vni := uint32(udp[12])<<16 | uint32(udp[13])<<8 | uint32(udp[14])
	return slices.Contains(testVNIs, vni)
}

// takenTwin is the port's decision again.
func takenTwin(p []byte) bool {
	lldp := bytes.Equal(p[:6], []byte{1, 0x80, 0xc2, 0, 0, 0x0e}) && bytes.Equal(p[12:14], []byte{0x88, 0xcc})
	slow := bytes.Equal(p[:6], []byte{1, 0x80, 0xc2, 0, 0, 0x02}) && bytes.Equal(p[12:14], []byte{0x88, 0x09})
	return !lldp && !slow
}
