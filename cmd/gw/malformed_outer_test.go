package main

import (
	"bytes"
	"fmt"
	"net"
	"slices"
)

// cutCases end at, before and behind each header's end: first with lengths that
// say otherwise, then with lengths that agree.
func cutCases() (cases []tunnelCase) {
	for _, n := range []int{14, 15, 33, 34, 35, 41, 42, 43, 49, 50, 51, 63, 64, 65, 109} {
		c := tunnelCase{name: fmt.Sprintf("cut to %d bytes", n), edits: []edit{cut(n)}, verdict: "ip_length"}
		switch {
		case n < atVXLAN:
			c.verdict = ""
		case n < atInner:
			c.verdict, c.differs = "short", noVNI
		}
		cases = append(cases, c)
		if n < atUDP {
			continue
		}
		c = tunnelCase{name: fmt.Sprintf("cut to %d bytes with an IP length that agrees", n), edits: []edit{cut(n), ipLength}, verdict: "udp_length"}
		switch {
		case n < atVXLAN:
			c.verdict = ""
		case n < atInner:
			c.verdict, c.differs = "short", noVNI
		}
		cases = append(cases, c)
	}
	for n := range 14 {
		cases = append(cases, tunnelCase{name: fmt.Sprintf("inner frame of %d bytes", n), edits: []edit{cut(atInner + n), lengths}, verdict: "inner_short"},
			tunnelCase{name: fmt.Sprintf("inner frame of %d bytes and padding", n), edits: []edit{cut(atInner + n), lengths, tail(make([]byte, 60)...)}, verdict: "inner_short"})
	}
	return append(cases,
		tunnelCase{name: "inner frame of 14 bytes", inner: frameOf(noMAC, farMAC, 0x88b6, nil), verdict: "flooded", delivered: asIs},
		tunnelCase{name: "inner frame of 15 bytes", inner: frameOf(noMAC, farMAC, 0x88b6, []byte{1}), verdict: "flooded", delivered: asIs},
		tunnelCase{name: "padding", edits: []edit{tail(1, 2, 3, 4, 5, 6, 7)}, verdict: "flooded", delivered: asIs},
		tunnelCase{name: "much padding", edits: []edit{tail(bytes.Repeat([]byte{0xa5}, 1400)...)}, verdict: "flooded", delivered: asIs},
	)
}

func ipCases() []tunnelCase {
	sourceRoute := []byte{7, 4, 10, 0, 0, 1, 0}
	return []tunnelCase{
		{name: "IP version 6", edits: []edit{header(atIP, 0x65)}},
		{name: "IP version 0", edits: []edit{header(atIP, 0x05)}},
		{name: "IP header of 0 bytes", edits: []edit{set(atIP, 0x40)}},
		{name: "IP header of 16 bytes", edits: []edit{header(atIP, 0x44)}},
		{name: "IP header of 60 bytes, not there", edits: []edit{set(atIP, 0x4f)}},
		{name: "IPv6 EtherType", edits: []edit{set16(12, 0x86dd)}},
		{name: "IP length 0", edits: []edit{header(atTotal, 0, 0)}, verdict: "ip_length"},
		{name: "IP length 19", edits: []edit{header(atTotal, 0, 19)}, verdict: "ip_length"},
		{name: "IP length 20", edits: []edit{header(atTotal, 0, 20)}, verdict: "udp_length"},
		{name: "IP length one short of UDP's", edits: []edit{header(atTotal, 0, 95)}, verdict: "udp_length"},
		{name: "IP length one beyond the frame", edits: []edit{header(atTotal, 0, 97)}, verdict: "ip_length"},
		{name: "IP length 65535", edits: []edit{header(atTotal, 0xff, 0xff)}, verdict: "ip_length"},
		{name: "IP checksum wrong", edits: []edit{set16(atIPSum, 0x1234)}, verdict: "ip_csum"},
		{name: "IP checksum 0", edits: []edit{set16(atIPSum, 0)}, verdict: "ip_csum"},
		{name: "TTL 0", edits: []edit{header(atTTL, 0)}, verdict: "ttl", differs: stricter},
		{name: "TTL 1", edits: []edit{header(atTTL, 1)}, verdict: "flooded", delivered: asIs},
		{name: "first fragment", edits: []edit{header(atFrag, 0x20, 0)}},
		{name: "middle fragment", edits: []edit{header(atFrag, 0x20, 9)}},
		{name: "last fragment", edits: []edit{header(atFrag, 0, 9)}},
		{name: "fragment beyond 64 KiB", edits: []edit{header(atFrag, 0x1f, 0xff)}},
		{name: "do not fragment", edits: []edit{header(atFrag, 0x40)}, verdict: "flooded", delivered: asIs},
		{name: "reserved IP flag", edits: []edit{header(atFrag, 0x80)}, verdict: "flooded", delivered: asIs},
		{name: "TCP", edits: []edit{header(atTTL+1, 6)}},
		{name: "options", edits: []edit{options(1, 1, 1, 0)}, leftover: true, verdict: "flooded", delivered: asIs},
		{name: "options, UDP checksum wrong", edits: []edit{set16(atUSum, 0x1234), options(1, 1, 1, 0)}, leftover: true, verdict: "udp_csum"},
		{name: "options, unknown VNI", edits: []edit{set(atVNI, 0, 0, 44), options(1, 1, 1, 0)}},
		{name: "options, source: our own", edits: []edit{header(atSrc, under1.AsSlice()...), options(1, 1, 1, 0)}},
		{name: "options, source: the subnet's broadcast", edits: []edit{header(atSrc, 10, 65, 132, 255), options(1, 1, 1, 0)}, leftover: true, verdict: "martian", differs: "the kernel drops it only with rp_filter"},
		{name: "router alert", edits: []edit{options(0x94, 4, 0, 0)}, leftover: true, verdict: "flooded", delivered: asIs},
		{name: "record route", edits: []edit{options(7, 7, 4, 0, 0, 0, 0, 0)}, leftover: true, verdict: "flooded", delivered: asIs},
		{name: "time stamp", edits: []edit{options(0x44, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0)}, leftover: true, verdict: "flooded", delivered: asIs},
		{name: "option of length 0", edits: []edit{options(7, 0, 4, 0)}},
		{name: "option of length 1", edits: []edit{options(7, 1, 4, 0)}},
		{name: "option beyond the header", edits: []edit{options(7, 40, 4, 0)}},
		{name: "loose source route", edits: []edit{options(append([]byte{0x83}, sourceRoute...)...)}},
		{name: "strict source route", edits: []edit{options(append([]byte{0x89}, sourceRoute...)...)}},
	}
}

func sourceCases() (cases []tunnelCase) {
	for _, c := range []struct {
		name, differs string
		addr          [4]byte
	}{
		{name: "zero", addr: [4]byte{}},
		{name: "this network", addr: [4]byte{0, 1, 2, 3}, differs: stricter},
		{name: "loopback", addr: [4]byte{127, 0, 0, 1}},
		{name: "multicast", addr: [4]byte{224, 0, 0, 9}},
		{name: "administered multicast", addr: [4]byte{239, 1, 1, 1}},
		{name: "reserved", addr: [4]byte{240, 0, 0, 1}, differs: stricter},
		{name: "broadcast", addr: [4]byte{255, 255, 255, 255}},
		{name: "the subnet's broadcast", addr: [4]byte{10, 65, 132, 255}, differs: "the kernel drops it only with rp_filter"},
		{name: "our own", addr: under1.As4()},
		{name: "another one of our own", addr: under3.As4()},
	} {
		cases = append(cases, tunnelCase{name: "source: " + c.name, edits: []edit{header(atSrc, c.addr[:]...)}, verdict: "martian", differs: c.differs})
	}
	return append(cases, tunnelCase{name: "source: unheard of", edits: []edit{header(atSrc, 10, 65, 132, 77)}, verdict: "flooded", delivered: asIs})
}

func destinationCases(under net.HardwareAddr) []tunnelCase {
	next := slices.Clone(under)
	next[5]++
	return []tunnelCase{
		{name: "MAC of another host", edits: []edit{set(0, next...)}, verdict: "outer_mac"},
		{name: "MAC zero", edits: []edit{set(0, make([]byte, 6)...)}, verdict: "outer_mac"},
		{name: "MAC broadcast", edits: []edit{set(0, bytes.Repeat([]byte{0xff}, 6)...)}, verdict: "flooded", delivered: asIs},
		{name: "source MAC broadcast", edits: []edit{set(6, bytes.Repeat([]byte{0xff}, 6)...)}, verdict: "flooded", delivered: asIs, differs: "the tap would not know it"},
		{name: "address of another host", edits: []edit{header(atDst, 10, 65, 132, 99)}},
		{name: "another address of our own", edits: []edit{header(atDst, under3.AsSlice()...)}, differs: notOurs},
		{name: "broadcast address", edits: []edit{header(atDst, 255, 255, 255, 255)}, differs: notOurs},
		{name: "the subnet's broadcast address", edits: []edit{header(atDst, 10, 65, 132, 255)}, differs: notOurs},
		{name: "a group that was not joined", edits: []edit{set(0, 1, 0, 0x5e, 1, 1, 1), header(atDst, 224, 1, 1, 1)}},
		{name: "VLAN tag", edits: []edit{insert(12, 0x81, 0, 0, 10)}},
		{name: "VLAN tag of priority only", edits: []edit{insert(12, 0x81, 0, 0xe0, 0)}, leftover: true, verdict: "flooded", delivered: asIs},
		{name: "two VLAN tags", edits: []edit{insert(12, 0x88, 0xa8, 0, 10, 0x81, 0, 0, 10)}},
	}
}

func udpCases() []tunnelCase {
	shorter := named(noMAC, farMAC, "UDP length shorter by 3")
	return []tunnelCase{
		{name: "UDP length 0", edits: []edit{set16(atULen, 0)}, verdict: "udp_length", differs: noVNI},
		{name: "UDP length 7", edits: []edit{set16(atULen, 7)}, verdict: "udp_length", differs: noVNI},
		{name: "UDP length 8", edits: []edit{set16(atULen, 8)}, verdict: "udp_length", differs: noVNI},
		{name: "UDP length 15", edits: []edit{set16(atULen, 15)}, verdict: "udp_length", differs: noVNI},
		{name: "UDP length 15, another VNI behind it", edits: []edit{set16(atULen, 15), set(atVNI, 0, 0, 43)}, verdict: "udp_length", differs: noVNI},
		{name: "UDP length 16", edits: []edit{set16(atULen, 16)}, verdict: "inner_short"},
		{name: "UDP length 29", edits: []edit{set16(atULen, 29)}, verdict: "inner_short"},
		{name: "UDP length one too long", edits: []edit{udpLength(1)}, verdict: "udp_length"},
		{name: "UDP length one too long, padding there", edits: []edit{udpLength(1), tail(0, 0, 0, 0)}, verdict: "udp_length"},
		{name: "UDP length 65535", edits: []edit{set16(atULen, 0xffff)}, verdict: "udp_length"},
		{name: "UDP length shorter by 3", inner: shorter, edits: []edit{udpLength(-3)}, verdict: "flooded", delivered: shorter[:len(shorter)-3]},
		{name: "UDP checksum right", edits: []edit{sumUDP}, verdict: "flooded", delivered: asIs},
		{name: "UDP checksum right, padding", edits: []edit{sumUDP, tail(1, 2, 3)}, verdict: "flooded", delivered: asIs},
		{name: "UDP checksum wrong", edits: []edit{set16(atUSum, 0x1234)}, verdict: "udp_csum"},
		{name: "UDP checksum over the padding too", edits: []edit{tail(1, 2, 3, 4), sumUDP}, verdict: "udp_csum"},
		{name: "one bit of the inner frame flipped", edits: []edit{sumUDP, set(atInner+20, 0xff)}, verdict: "udp_csum"},
		{name: "UDP checksum left to a NIC", edits: []edit{unfinishedUDP}, verdict: "flooded", delivered: asIs, differs: "a veth says so beside the packet, AF_PACKET does not"},
		{name: "source port 0", edits: []edit{set16(atUDP, 0)}, verdict: "flooded", delivered: asIs},
		{name: "another port", edits: []edit{set16(atDPort, 4790)}},
		{name: "port 0", edits: []edit{set16(atDPort, 0)}},
	}
}

func vxlanCases() []tunnelCase {
	return []tunnelCase{
		{name: "no flags", edits: []edit{set(atVXLAN, 0)}, verdict: "bad_flags"},
		{name: "all flags but I", edits: []edit{set(atVXLAN, 0xf7)}, verdict: "bad_flags"},
		{name: "all flags", edits: []edit{set(atVXLAN, 0xff)}, verdict: "flooded", delivered: asIs, differs: milder},
		{name: "reserved bits behind the flags", edits: []edit{set(atVXLAN+1, 0xff, 0xff, 0xff)}, verdict: "flooded", delivered: asIs, differs: milder},
		{name: "reserved bits behind the VNI", edits: []edit{set(atVNI+3, 0xff)}, verdict: "flooded", delivered: asIs, differs: milder},
		{name: "unknown VNI", edits: []edit{set(atVNI, 0, 0, 44)}},
		{name: "VNI 0", edits: []edit{set(atVNI, 0, 0, 0)}},
		{name: "VNI 16777215", edits: []edit{set(atVNI, 0xff, 0xff, 0xff)}},
		{name: "the kernel's VNI without the I flag", edits: []edit{set(atVXLAN, 0), set(atVNI, 0, 0, 43)}},
	}
}
