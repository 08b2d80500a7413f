package bpf

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
)

var (
	testLocal6 = netip.MustParseAddr("2001:db8::1")
	testGroup6 = netip.MustParseAddr("ff05::1:1")
)

// good6 is good over IPv6.
func good6() []byte {
	p := slices.Insert(good(), 34, make([]byte, 20)...)
	p[12], p[13] = 0x86, 0xdd
	ip := p[14:]
	clear(ip[:40])
	ip[0], ip[6], ip[7] = 0x60, 17, 64
	binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
	copy(ip[8:], netip.MustParseAddr("2001:db8::2").AsSlice())
	copy(ip[24:], testLocal6.AsSlice())
	return p
}

// set6 returns that packet with the bytes from offset on replaced.
func set6(offset int, b ...byte) []byte {
	p := good6()
	copy(p[offset:], b)
	return p
}

// ours6Twin is oursTwin for IPv6.
func ours6Twin(p []byte) bool {
	ip := p[14:]
	if len(ip) < 48 || ip[0]>>4 != 6 || ip[6] != 17 {
		return false
	}
	dst, udp := netip.AddrFrom16([16]byte(ip[24:40])), ip[40:]
	if dst != testLocal6 && dst != testGroup6 || binary.BigEndian.Uint16(udp[2:]) != testPort {
		return false
	}
	if len(udp) < 16 || binary.BigEndian.Uint16(udp[4:]) < 16 {
		return true
	}
	return slices.Contains(testVNIs, binary.BigEndian.Uint32(udp[12:])>>8)
}

func TestUnderlay6Table(t *testing.T) {
	u := newUnderlay(t)
	if err := u.SetSocket(0, socket(t)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		ours   bool
	}{
		{"good", good6(), true},
		{"group address", set6(38, testGroup6.AsSlice()...), true},
		{"largest VNI", set6(66, 0xff, 0xff, 0xff), true},
		{"flags without I", set6(62, 0), true},
		{"wrong UDP checksum", set6(60, 0xde, 0xad), true},
		{"wrong payload length", set6(18, 0xff, 0xff), true},
		{"hop limit 0", set6(21, 0), true},
		{"traffic class and flow label", set6(14, 0x6f, 0xff, 0xff, 0xff), true},
		{"short datagram in padding", set6(58, 0, 15, 0, 0, 8, 0, 0, 0, 9), true},
		{"shortest with another VNI", set6(58, 0, 16, 0, 0, 8, 0, 0, 0, 9), false},
		{"frame ends behind UDP", good6()[:62], true},
		{"frame ends in VXLAN", good6()[:69], true},
		{"frame ends in UDP", good6()[:61], false},
		{"other VNI", set6(66, 0, 0, 43), false},
		{"other port", set6(56, 4789>>8, 4789&0xff), false},
		{"other address", set6(53, 3), false},
		{"other prefix", set6(38, 0x20, 2), false},
		{"other group", set6(38, netip.MustParseAddr("ff02::1:1").AsSlice()...), false},
		{"hop-by-hop options", set6(20, 0), false},
		{"fragment", set6(20, 44), false},
		{"TCP", set6(20, 6), false},
		{"version 4 in IPv6", set6(14, 0x45), false},
		{"VLAN tag", slices.Insert(good6(), 12, 0x81, 0, 0, 0x2a), false},
	} {
		if twin := oursTwin(tt.packet); twin != tt.ours {
			t.Fatalf("%s: the twin says ours %t, want %t", tt.name, twin, tt.ours)
		}
		want := uint32(xdpPass)
		if tt.ours {
			want = xdpRedirect
		}
		if got := u.verdict(t, tt.packet); got != want {
			t.Errorf("%s: verdict %d, want %d", tt.name, got, want)
		}
	}
	if err := u.DeleteAddr(testLocal6.WithZone("eth0")); err != nil {
		t.Fatal(err)
	}
	if got := u.verdict(t, good6()); got != xdpPass {
		t.Errorf("verdict %d without the address", got)
	}
}

// The filter's data starts at the UDP header. Test runs have it start at the IPv6 header, which is made to be a UDP header too: the
// flow label is the port, the payload's length the datagram's, and a VXLAN header in the source follows.
func TestLeftover6(t *testing.T) {
	u := newUnderlay(t)
	packet := func(offset int, b ...byte) []byte {
		p := good6()
		binary.BigEndian.PutUint16(p[16:], testPort)
		copy(p[22:], []byte{8, 0, 0, 0, 0, 0, 42, 0})
		copy(p[offset:], b)
		return p
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		keeps  bool
	}{
		{"good", packet(0), true},
		{"group address", packet(38, testGroup6.AsSlice()...), true},
		{"other address", packet(53, 3), false},
		{"other port", packet(16, 1, 2), false},
		{"other VNI", packet(28, 43), false},
		{"too short for a VNI", packet(18, 0, 15, 17, 64, 8, 0, 0, 0, 0, 0, 43), true},
		{"version 4", packet(14, 0x40), false},
	} {
		n, _, err := u.filter6.Test(tt.packet)
		if err != nil {
			t.Fatal(err)
		}
		want := uint32(0)
		if tt.keeps {
			want = uint32(len(tt.packet) - 14)
		}
		if n != want {
			t.Errorf("%s: %d bytes kept, want %d", tt.name, n, want)
		}
	}
}
