package vxlan

import (
	"encoding/binary"
	"testing"
)

func TestDecapECN(t *testing.T) {
	// RFC 6040 figure 4: rows are the inner field, columns the outer one: Not-ECT, ECT(0), ECT(1), CE.
	const drop = 0xff
	order := [4]uint8{notECT, ect0, ect1, ce}
	table := [4][4]uint8{
		{notECT, notECT, notECT, drop},
		{ect0, ect0, ect1, ce},
		{ect1, ect1, ect1, ce},
		{ce, ce, ce, ce},
	}
	for i, inner := range order {
		for j, outer := range order {
			for _, dscp := range []uint8{0, 0x2e << 2, 0xfc} {
				tos, ok := DecapECN(^dscp&^3|outer, dscp|inner)
				want := table[i][j]
				if ok != (want != drop) || ok && tos != dscp|want {
					t.Errorf("outer %02b, inner %02b: %#x %v, want %02b", outer, inner, tos, ok, want)
				}
			}
		}
	}
}

func TestEncapTOS(t *testing.T) {
	// RFC 6040 section 4.1, normal mode: the outer field is the inner one, whatever stood there.
	var h [Overhead]byte
	for outer := range uint8(4) {
		for inner := range uint8(4) {
			cfg := goodConfig()
			cfg.TOS = 0xb8 | outer
			for inherit, want := range map[bool]uint8{false: 0xb8 | inner, true: 0x20 | inner} {
				cfg.InheritTOS = inherit
				mustTemplate(t, cfg).Put(&h, 0, 1, MakeFlow(0, 0x20|inner, false), 0)
				if got := h[15]; got != want {
					t.Errorf("outer %02b, inner %02b, inherited %v: %#x, want %#x", outer, inner, inherit, got, want)
				}
			}
		}
	}
}

func TestSetTOS(t *testing.T) {
	for name, build := range map[string][]byte{
		"IPv4":         ether("0800", ip4(6, 0, nil, tcp(nil))),
		"IPv4 options": ether("0800", ip4(6, 0, unhex("01010101"), tcp(nil))),
		"IPv6":         ether("86dd", overwrite(ip6(6, tcp(nil)), 1, "0f5a3c")),
		"IPv6 tagged":  ether("8100 0064 86dd", overwrite(ip6(6, tcp(nil)), 1, "0f5a3c")),
		"ARP":          ether("0806", make([]byte, 28)),
		"cut IPv4":     ether("0800", ip4(6, 0, nil, tcp(nil))[:30]),
	} {
		for tos := range 256 {
			frame, check := guarded(t, build)
			var in, again Inner
			ParseInner(frame, &in)
			SetTOS(frame, &in, uint8(tos))
			check()
			ParseInner(frame, &again)
			if in.IPVersion == 0 {
				if string(frame) != string(build) {
					t.Fatalf("%s: changed", name)
				}
				continue
			}
			want := in
			want.TOS = uint8(tos)
			if again != want {
				t.Fatalf("%s, TOS %#x: parsed %+v, want %+v", name, tos, again, want)
			}
			if in.IPVersion == 4 && slowSum(frame[in.L3:in.L4]) != 0xffff {
				t.Fatalf("%s, TOS %#x: header checksum wrong", name, tos)
			}
			if in.IPVersion == 6 && binary.BigEndian.Uint32(frame[in.L3:])&0xf00fffff != 0x600f5a3c {
				t.Fatalf("%s, TOS %#x: version or flow label changed", name, tos)
			}
		}
	}
}
