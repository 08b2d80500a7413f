package main

import (
	"bytes"
	"fmt"
	"net"
	"testing"

	"vxgw/internal/lab"
)

// portSide is where frames enter the overlay.
type portSide struct {
	name   string
	host   *lab.Host
	link   string
	src    net.HardwareAddr
	kernel string // where the kernel sees what is left to it
	others []string
}

// runPorts sends frames from the container and from the host.
func (b *malformedBed) runPorts(t *testing.T) {
	must(t, b.host.SetMTU("gw42", jumbo)) // its other end stays as it is: the sender may err
	for _, side := range []portSide{
		{"container", b.box, "veth0", boxMAC, atKernelPort, []string{atDevice, atWire}},
		{"device", b.host, "gw42", hostMAC, atKernelDevice, []string{atPort, atWire}},
	} {
		t.Run(side.name, func(t *testing.T) {
			for _, c := range portCases(side.src) {
				t.Run(c.name, func(t *testing.T) { b.runPort(t, side, c) })
			}
			if side.link == "gw42" {
				b.runTooBig(t, side)
			}
		})
	}
}

// portCase is a frame from a port and what becomes of it: nothing, all others get
// it, or the kernel does.
type portCase struct {
	name    string
	frame   []byte
	verdict string // empty: up to the kernel
}

func (b *malformedBed) runPort(t *testing.T, side portSide, c portCase) {
	n := times
	if c.verdict == "flooded" || c.verdict == "" || c.verdict == "to_remote" {
		n = fewTimes
	}
	b.send(t, side.host, side.link, c.frame, n, c.verdict, side.kernel)
	for _, where := range side.others {
		if c.verdict == "flooded" || c.verdict == "to_remote" && where == atWire {
			b.expect(where, c.frame, n, t.Name())
		}
	}
}

func portCases(src net.HardwareAddr) (cases []portCase) {
	for _, n := range []int{14, 15, 17, 18, 33, 34, 41, 42, 53, 54, 59} { // a veth takes none below 14
		cases = append(cases, portCase{fmt.Sprintf("%d bytes", n), frameOf(noMAC, src, 0x88b6, bytes.Repeat([]byte{5}, n-14)), "flooded"})
	}
	for _, c := range []struct {
		name string
		src  net.HardwareAddr
	}{
		{"source zero", make([]byte, 6)},
		{"source multicast", net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}},
		{"source broadcast", bytes.Repeat([]byte{0xff}, 6)},
	} {
		cases = append(cases, portCase{c.name, named(noMAC, c.src, c.name), "bad_source_mac"},
			portCase{c.name + ", 14 bytes", named(noMAC, c.src, "")[:14], "bad_source_mac"})
	}
	group := func(last byte) net.HardwareAddr { return net.HardwareAddr{1, 0x80, 0xc2, 0, 0, last} }
	for last := range byte(16) {
		cases = append(cases, portCase{fmt.Sprintf("link-local %x", last), named(group(last), src, ""), "link_local"})
	}
	lldp, lacp := make([]byte, 46), make([]byte, 110)
	cases = append(cases,
		portCase{"beyond link-local", named(group(16), src, ""), "flooded"},
		portCase{"LLDP", frameOf(group(14), src, 0x88cc, lldp), ""},
		portCase{"LLDP of 14 bytes", frameOf(group(14), src, 0x88cc, nil), ""},
		portCase{"LLDP to the nearest bridge of another kind", frameOf(group(0), src, 0x88cc, lldp), "link_local"},
		portCase{"LLDP to everyone", frameOf(bytes.Repeat([]byte{0xff}, 6), src, 0x88cc, lldp), "flooded"},
		portCase{"LACP", frameOf(group(2), src, 0x8809, lacp), ""},
		portCase{"LACP elsewhere", frameOf(group(3), src, 0x8809, lacp), "link_local"},
		portCase{"to the far end", named(farMAC, src, "to the far end"), "to_remote"},
	)
	for _, o := range oddFrames(noMAC, src) {
		cases = append(cases, portCase{o.name, o.frame, "flooded"})
	}
	return append(cases, portCase{"nothing wrong", named(noMAC, src, "nothing wrong"), "flooded"})
}

// runTooBig sends what the tunnel can just carry, and one byte more.
func (b *malformedBed) runTooBig(t *testing.T, side portSide) {
	large := func(n int) []byte {
		f := named(farMAC, side.src, fmt.Sprint(n, " bytes"))
		return append(f, make([]byte, n-len(f))...)
	}
	const most = jumbo - 36 // IPv4, UDP and VXLAN
	for _, c := range []portCase{
		{"the largest", large(most), "to_remote"},
		{"one too large", large(most + 1), "too_big"},
		{"the largest that the device carries", large(most + 4), "too_big"},
	} {
		t.Run(c.name, func(t *testing.T) { b.runPort(t, side, c) })
	}
}
