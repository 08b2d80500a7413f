package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
)

func innerCases() (cases []tunnelCase) {
	for _, c := range []struct {
		name, verdict, differs string
		dst, src               net.HardwareAddr
	}{
		{"source zero", "bad_source_mac", "", noMAC, make([]byte, 6)},
		{"source multicast", "bad_source_mac", "", noMAC, net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}},
		{"source broadcast", "bad_source_mac", "", noMAC, bytes.Repeat([]byte{0xff}, 6)},
		{"destination spanning tree", "link_local", stricter, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 0}, farMAC},
		{"destination pause", "link_local", stricter, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 1}, farMAC},
		{"destination LLDP", "link_local", stricter, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 14}, farMAC},
		{"destination last of the link's own", "link_local", stricter, net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 15}, farMAC},
		{"destination behind a tunnel", "split_horizon", "the kernel's device has no bridge", farMAC, net.HardwareAddr{2, 0, 0, 0, 0, 0xf2}},
	} {
		cases = append(cases, tunnelCase{name: "inner " + c.name, inner: named(c.dst, c.src, c.name), verdict: c.verdict, differs: c.differs})
	}
	itself := net.HardwareAddr{2, 0, 0, 0, 0, 0xf3}
	cases = append(cases,
		tunnelCase{name: "inner destination of a bridge beside", inner: named(net.HardwareAddr{1, 0x80, 0xc2, 0, 0, 16}, farMAC, "16"), verdict: "flooded", delivered: asIs},
		tunnelCase{name: "inner destination zero", inner: named(make([]byte, 6), farMAC, "to zero"), verdict: "flooded", delivered: asIs},
		tunnelCase{name: "inner destination is its source", inner: named(itself, itself, "to itself"), verdict: "flooded", delivered: asIs, once: true},
		tunnelCase{name: "inner destination known", inner: named(boxMAC, farMAC, "to the container"), verdict: "to_port", delivered: asIs, onlyTo: atPort},
	)
	for _, o := range oddFrames(noMAC, farMAC) {
		c := tunnelCase{name: "inner " + o.name, inner: o.frame, verdict: "flooded", delivered: asIs}
		if o.cut {
			c.differs = milder
		}
		cases = append(cases, c)
	}
	return cases
}

// oddFrames are good frames with something in them that is none of a bridge's
// business.
func oddFrames(dst, src net.HardwareAddr) (odd []struct {
	name  string
	frame []byte
	cut   bool // in its IP header, where the kernel's device already looks
}) {
	spoil := func(p []byte, edits ...edit) []byte {
		for _, e := range edits {
			p = e(p)
		}
		return p
	}
	nested := craft(noMAC, 42, []byte("too short"))[atIP:]
	udp6 := ipv6(0, "an odd datagram that says it is UDP, with a length of its own")
	udp6[6] = 17
	for _, f := range []struct {
		name    string
		kind    uint16
		payload []byte
	}{
		{"802.3 length", 46, make([]byte, 46)},
		{"802.3 length beyond the frame", 1500, make([]byte, 50)},
		{"IPv4 without a header", 0x0800, nil},
		{"IPv4 cut in the header", 0x0800, ipv4(0, "")[:19]},
		{"IPv4 of version 15", 0x0800, spoil(ipv4(0, "version"), set(0, 0xf5))},
		{"IPv4 header of 16 bytes", 0x0800, spoil(ipv4(0, "header"), set(0, 0x44))},
		{"IPv4 header of 60 bytes, not there", 0x0800, spoil(ipv4(0, "header"), set(0, 0x4f))},
		{"IPv4 length 0", 0x0800, spoil(ipv4(0, "length 0"), set16(2, 0))},
		{"IPv4 length beyond the frame", 0x0800, spoil(ipv4(0, "length"), set16(2, 0xffff))},
		{"IPv4 checksum wrong", 0x0800, spoil(ipv4(0, "checksum"), set16(10, 0x1234))},
		{"IPv4 fragment", 0x0800, spoil(ipv4(0, "fragment"), set16(6, 0x2009))},
		{"UDP cut in its header", 0x0800, spoil(ipv4(0, "udp"), set(9, 17))},
		{"UDP length 0", 0x0800, spoil(ipv4(0, "udp of length 0"), set(9, 17), set16(24, 0))},
		{"UDP length beyond the packet", 0x0800, spoil(ipv4(0, "udp of a great length"), set(9, 17), set16(24, 0xffff))},
		{"TCP cut in its header", 0x0800, spoil(ipv4(0, "tcp, but no header"), set(9, 6))},
		{"VXLAN in VXLAN, cut", 0x0800, nested},
		{"IPv6 cut in the header", 0x86dd, ipv6(0, "")[:39]},
		{"IPv6 length beyond the frame", 0x86dd, spoil(ipv6(0, "length"), set16(4, 0xffff))},
		{"IPv6 extension header beyond the packet", 0x86dd, spoil(ipv6(0, "\x00\xff hop by hop"), set(6, 0))},
		{"IPv6 UDP length beyond the packet", 0x86dd, udp6},
		{"VLAN tag", 0x8100, slices.Concat([]byte{0, 10, 0x08, 0}, ipv4(0, "tagged"))},
		{"VLAN tags without end", 0x8100, bytes.Repeat([]byte{0, 10, 0x81, 0}, 12)},
	} {
		odd = append(odd, struct {
			name  string
			frame []byte
			cut   bool
		}{f.name, frameOf(dst, src, f.kind, f.payload), f.kind == 0x0800 && len(f.payload) < 20 || f.kind == 0x86dd && len(f.payload) < 40})
	}
	return odd
}

// ecnCases are RFC 6040 figure 4, all of it.
func ecnCases() (cases []tunnelCase) {
	const notECT, ect1, ect0, ce, drop = 0, 1, 2, 3, 4
	names := []string{"Not-ECT", "ECT(1)", "ECT(0)", "CE"}
	for inner, row := range map[byte]map[byte]byte{
		notECT: {notECT: notECT, ect0: notECT, ect1: notECT, ce: drop},
		ect0:   {notECT: ect0, ect0: ect0, ect1: ect1, ce: ce},
		ect1:   {notECT: ect1, ect0: ect1, ect1: ect1, ce: ce},
		ce:     {notECT: ce, ect0: ce, ect1: ce, ce: ce},
	} {
		for outer, result := range row {
			for version, packet := range map[string]func(tos byte, payload string) []byte{"IPv4": ipv4, "IPv6": ipv6} {
				const dscp = 46 << 2 // of the inner packet, which stays
				name := fmt.Sprintf("%s: %s in %s", version, names[inner], names[outer])
				kind := uint16(0x0800)
				if version == "IPv6" {
					kind = 0x86dd
				}
				c := tunnelCase{name: name, inner: frameOf(noMAC, farMAC, kind, packet(dscp|inner, name)), edits: []edit{header(atTOS, 10<<2|outer)}, verdict: "ecn"}
				if result != drop {
					c.verdict, c.delivered = "flooded", frameOf(noMAC, farMAC, kind, packet(dscp|result, name))
				}
				cases = append(cases, c)
			}
		}
	}
	return append(cases, tunnelCase{name: "no IP in CE", edits: []edit{header(atTOS, ce)}, verdict: "flooded", delivered: asIs})
}

// largeCases go up to what the underlay carries. The port's MTU is 1500: what is
// larger goes to the device alone.
func largeCases() (cases []tunnelCase) {
	for _, c := range []struct {
		size   int
		onlyTo string
	}{{1514, ""}, {1518, ""}, {1519, atDevice}, {2048, atDevice}, {jumbo - 36, atDevice}} {
		inner := named(noMAC, farMAC, fmt.Sprint(c.size, " bytes"))
		cases = append(cases, tunnelCase{name: fmt.Sprintf("inner frame of %d bytes", c.size), inner: append(inner, make([]byte, c.size-len(inner))...),
			edits: []edit{sumUDP}, verdict: "flooded", delivered: asIs, onlyTo: c.onlyTo})
	}
	known := named(boxMAC, farMAC, "too big for the container")
	known = binary.BigEndian.AppendUint32(append(known, make([]byte, 1455)...), 0)
	return append(cases, tunnelCase{name: "inner frame above the port's MTU", inner: known, verdict: "too_big", differs: "the kernel's device has no port"})
}
