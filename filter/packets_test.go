package filter

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// The packets that filters are asked about: of each protocol that they tell apart, and cut at places where they look.

const (
	macA = "\x02\x00\x00\x00\x00\x01"
	macB = "\x02\x00\x00\x00\x00\x02"
	all  = "\xff\xff\xff\xff\xff\xff"
	some = "\x01\x00\x5e\x01\x01\x01"
)

func ether(dst, src string, etherType uint16, payload []byte) []byte {
	return slices.Concat([]byte(dst+src), binary.BigEndian.AppendUint16(nil, etherType), payload)
}

func ip4(src, dst string, proto byte, fragment uint16, options int, payload []byte) []byte {
	h := make([]byte, 20+options)
	h[0], h[8], h[9] = byte(0x45+options/4), 64, proto
	binary.BigEndian.PutUint16(h[2:], uint16(len(h)+len(payload)))
	binary.BigEndian.PutUint16(h[6:], fragment)
	copy(h[12:], netip.MustParseAddr(src).AsSlice())
	copy(h[16:], netip.MustParseAddr(dst).AsSlice())
	return append(h, payload...)
}

func ip6(src, dst string, next byte, payload []byte) []byte {
	h := make([]byte, 40)
	h[0], h[6], h[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(h[4:], uint16(len(payload)))
	copy(h[8:], netip.MustParseAddr(src).AsSlice())
	copy(h[24:], netip.MustParseAddr(dst).AsSlice())
	return append(h, payload...)
}

// ports is a header of TCP, UDP or SCTP as far as filters know it.
func ports(src, dst uint16, payload ...byte) []byte {
	h := make([]byte, 20)
	binary.BigEndian.PutUint16(h, src)
	binary.BigEndian.PutUint16(h[2:], dst)
	binary.BigEndian.PutUint16(h[4:], 20)
	return append(h, payload...)
}

func arp(sender, target string) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, 1}
	b = append(append(b, macA...), netip.MustParseAddr(sender).AsSlice()...)
	return append(append(b, make([]byte, 6)...), netip.MustParseAddr(target).AsSlice()...)
}

func tag(id uint16, frame []byte) []byte {
	return slices.Concat(frame[:12], []byte{0x81, 0, byte(id >> 8), byte(id)}, frame[12:])
}

func vxlan(vni uint32, inner []byte) []byte {
	udp := make([]byte, 16)
	binary.BigEndian.PutUint16(udp, 50000)
	binary.BigEndian.PutUint16(udp[2:], 4789)
	binary.BigEndian.PutUint16(udp[4:], uint16(16+len(inner)))
	udp[8] = 8
	binary.BigEndian.PutUint32(udp[12:], vni<<8)
	return append(udp, inner...)
}

var (
	ping    = ether(macB, macA, 0x0800, ip4("172.17.1.2", "172.17.1.3", 1, 0, 0, make([]byte, 64)))
	tunnel4 = ether(macB, macA, 0x0800, ip4("10.65.132.187", "10.65.132.188", 17, 0, 0, vxlan(42, ping)))
	tunnel6 = ether(macB, macA, 0x86dd, ip6("2001:db8::1", "2001:db8::2", 17, vxlan(43, tag(7, ping))))
)

// packets returns them, all different.
func packets() [][]byte {
	out := [][]byte{
		ping, tunnel4, tunnel6, tag(100, tunnel4),
		ether(all, macA, 0x0806, arp("172.17.1.2", "172.17.1.3")),
		ether(all, macB, 0x0806, arp("10.0.0.1", "192.168.7.9")),
		ether(macB, macA, 0x8035, arp("10.0.0.1", "172.17.1.3")),
		ether(macB, macA, 0x0800, ip4("10.0.0.1", "192.168.7.9", 6, 0, 0, ports(40000, 80))),
		ether(macB, macA, 0x0800, ip4("10.0.0.1", "192.168.7.9", 6, 0, 8, ports(443, 40001))),
		ether(macA, macB, 0x0800, ip4("192.168.7.9", "10.0.0.1", 17, 0, 0, ports(53, 5353))),
		ether(macA, macB, 0x0800, ip4("192.168.7.9", "10.0.0.1", 17, 0x2000, 0, ports(53, 5353))),
		ether(macA, macB, 0x0800, ip4("192.168.7.9", "10.0.0.1", 17, 100, 0, ports(53, 5353))),
		ether(macA, macB, 0x0800, ip4("192.168.7.9", "10.0.0.1", 132, 0, 0, ports(80, 81))),
		ether(macA, macB, 0x0800, ip4("192.168.7.9", "10.0.0.1", 47, 0, 0, ports(80, 81))),
		ether(some, macB, 0x0800, ip4("192.168.7.9", "224.1.1.1", 2, 0, 4, nil)),
		ether(macA, macB, 0x86dd, ip6("2001:db8::1", "2001:db8:0:1::2", 6, ports(80, 40002))),
		ether(macA, macB, 0x86dd, ip6("2001:db8:0:1::2", "2001:db8::1", 17, ports(5353, 53))),
		ether(macA, macB, 0x86dd, ip6("fe80::1", "ff02::1", 58, make([]byte, 32))),
		ether(macA, macB, 0x86dd, ip6("fe80::1", "fe80::2", 44, append([]byte{17, 0, 0, 0, 0, 0, 0, 9}, ports(53, 53)...))),
		ether(macA, macB, 0x88b5, make([]byte, 46)),
		tag(100, ping), tag(0, ping), tag(5, tag(100, ping)),
		tag(200, ether(all, macA, 0x0806, arp("172.17.1.2", "172.17.1.3"))),
		tag(100, ether(macA, macB, 0x86dd, ip6("2001:db8::1", "2001:db8:0:1::2", 6, ports(80, 40002)))),
		ether(macB, macA, 0x0800, ip4("10.0.0.1", "192.168.7.9", 17, 0, 0, make([]byte, 1400))),
	}
	for _, n := range []int{14, 20, 23, 24, 26, 28, 34, 35, 36, 38} {
		for _, p := range [][]byte{out[0], out[7], out[15], out[4], out[20]} {
			if n < len(p) {
				out = append(out, p[:n:n])
			}
		}
	}
	return out
}
