package vxlan

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const (
	askerMAC  = 0x020000000002 // the source that ether puts in
	otherMAC  = 0x020000000077
	groupMAC  = "0300 0000 0001"
	askerHex  = "020000000002"
	asker6    = "fe80000000000000 0000000000000002"
	wanted6   = "fe80000000000000 0000000000000009"
	solicited = "ff02000000000000 00000001ff000009"
)

// arp is an ARP packet.
func arp(op int, sha, spa, tha, tpa string) []byte {
	return join(unhex("0001 0800 0604"), be16(op), unhex(sha), addr(spa), unhex(tha), addr(tpa))
}

func addr(s string) []byte { return netip.MustParseAddr(s).AsSlice() }

// nd is a message about neighbours, its checksum right: flags is the word in front of the target.
func nd(src, dst string, typ byte, flags, target, options string) []byte {
	icmp := join([]byte{typ, 0, 0, 0}, unhex(flags), unhex(target), unhex(options))
	p := join([]byte{0x60, 0, 0, 0}, be16(len(icmp)), []byte{58, 255}, unhex(src), unhex(dst), icmp)
	return sumND(p)
}

// sumND makes the checksum of the message in an IPv6 packet right.
func sumND(p []byte) []byte {
	p[42], p[43] = 0, 0
	binary.BigEndian.PutUint16(p[42:], ^slowSum(p[8:40], []byte{0, 0}, be16(len(p)-40), []byte{0, 0, 0, 58}, p[40:]))
	return p
}

func ipOf(s string) IP { return MakeIP(netip.MustParseAddr(s)) }

func TestParseNeigh(t *testing.T) {
	ask4 := arp(1, askerHex, "172.17.1.2", "000000000000", "172.17.1.9")
	ask6 := nd(asker6, solicited, 135, "00000000", wanted6, "0101"+askerHex)
	claim4 := Neigh{Claim: NeighMoves, IP: ipOf("172.17.1.2"), MAC: askerMAC}
	claim6 := Neigh{Claim: NeighMoves, IP: ipOf("fe80::2"), MAC: askerMAC}
	as := func(n Neigh, kind NeighKind, target string) *Neigh {
		if n.Kind = kind; target != "" {
			n.Target = ipOf(target)
		}
		return &n
	}
	tells := func(claim NeighClaim, mac uint64, r NeighRouter, kind NeighKind) *Neigh {
		return &Neigh{Kind: kind, Claim: claim, IP: ipOf("fe80::9"), MAC: mac, Router: r}
	}
	tagged := func(n *Neigh, vlan uint16) *Neigh { m := *n; m.VLAN = vlan; return &m }
	advert := func(dst, flags, options string) []byte {
		return ether("86dd", nd(wanted6, dst, 136, flags, wanted6, options))
	}
	at := func(p []byte, i int, b byte) []byte { c := bytes.Clone(p); c[i] = b; return c }
	for _, c := range []struct {
		name  string
		frame []byte
		want  *Neigh // nil for no message
	}{
		{"ARP request", ether("0806", ask4), as(claim4, NeighAsk, "172.17.1.9")},
		{"padded", ether("0806", join(ask4, make([]byte, 18))), as(claim4, NeighAsk, "172.17.1.9")},
		{"tagged", ether("8100 6064 0806", ask4), tagged(as(claim4, NeighAsk, "172.17.1.9"), 100)},
		{"with a priority only", ether("8100 6000 0806", ask4), as(claim4, NeighAsk, "172.17.1.9")},
		{"802.1ad", ether("88a8 0064 0806", ask4), tagged(as(claim4, NeighAsk, "172.17.1.9"), 100)},
		{"two tags", ether("88a8 0064 8100 0065 0806", ask4), nil},
		{"cut off", ether("0806", ask4[:27]), nil},
		{"ARP reply", ether("0806", arp(2, askerHex, "172.17.1.2", askerHex, "172.17.1.9")), as(claim4, NeighOther, "")},
		{"ARP probe", ether("0806", arp(1, askerHex, "0.0.0.0", askerHex, "172.17.1.9")), as(Neigh{}, NeighAnnounce, "")},
		{"probe from 0.0.0.9", ether("0806", arp(1, askerHex, "0.0.0.9", askerHex, "172.17.1.9")), as(Neigh{}, NeighAnnounce, "")},
		{"gratuitous request", ether("0806", arp(1, askerHex, "172.17.1.2", askerHex, "172.17.1.2")), as(claim4, NeighAnnounce, "")},
		{"gratuitous reply", ether("0806", arp(2, askerHex, "172.17.1.2", askerHex, "172.17.1.2")), as(claim4, NeighAnnounce, "")},
		{"for a group", ether("0806", arp(1, askerHex, "172.17.1.2", askerHex, "224.0.0.1")), as(claim4, NeighOther, "")},
		{"for loopback", ether("0806", arp(1, askerHex, "172.17.1.2", askerHex, "127.0.0.1")), as(claim4, NeighOther, "")},
		{"from loopback", ether("0806", arp(1, askerHex, "127.0.0.1", askerHex, "172.17.1.9")), as(Neigh{}, NeighAsk, "172.17.1.9")},
		{"from everyone", ether("0806", arp(1, askerHex, "255.255.255.255", askerHex, "172.17.1.9")), as(Neigh{}, NeighAsk, "172.17.1.9")},
		{"from a group's MAC", ether("0806", arp(1, groupMAC, "172.17.1.2", askerHex, "172.17.1.9")), as(Neigh{}, NeighOther, "")},
		{"from another MAC", ether("0806", arp(1, "020000000077", "172.17.1.2", askerHex, "172.17.1.9")),
			as(Neigh{Claim: NeighMoves, IP: ipOf("172.17.1.2"), MAC: otherMAC}, NeighAsk, "172.17.1.9")},
		{"RARP", ether("0806", arp(3, askerHex, "172.17.1.2", askerHex, "172.17.1.9")), nil},
		{"RARP's type", ether("8035", ask4), nil},
		{"not Ethernet", ether("0806", at(ask4, 1, 6)), nil},
		{"not IPv4", ether("0806", at(ask4, 3, 1)), nil},
		{"long hardware addresses", ether("0806", at(ask4, 4, 8)), nil},
		{"long protocol addresses", ether("0806", at(ask4, 5, 16)), nil},

		{"solicitation", ether("86dd", ask6), as(claim6, NeighAsk, "fe80::9")},
		{"tagged", ether("8100 0fff 86dd", ask6), tagged(as(claim6, NeighAsk, "fe80::9"), 4095)},
		{"padded", ether("86dd", join(ask6, make([]byte, 4))), as(claim6, NeighAsk, "fe80::9")},
		{"solicitation without a link-layer address", ether("86dd", nd(asker6, wanted6, 135, "00000000", wanted6, "")), as(Neigh{}, NeighAsk, "fe80::9")},
		{"behind another option", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0e01 010203040506 0101"+askerHex)), as(claim6, NeighAsk, "fe80::9")},
		{"link-layer address of a group", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0101"+groupMAC)), as(Neigh{}, NeighOther, "")},
		{"detection of duplicates", ether("86dd", nd("0000000000000000 0000000000000000", solicited, 135, "00000000", wanted6, "")), as(Neigh{}, NeighAnnounce, "")},
		{"with a nonce", ether("86dd", nd("0000000000000000 0000000000000000", solicited, 135, "00000000", wanted6, "0e01 010203040506")), as(Neigh{}, NeighAnnounce, "")},
		{"with a link-layer address", ether("86dd", nd("0000000000000000 0000000000000000", solicited, 135, "00000000", wanted6, "0101"+askerHex)), nil},
		{"to one station", ether("86dd", nd("0000000000000000 0000000000000000", wanted6, 135, "00000000", wanted6, "")), nil},
		{"from and to the same", ether("86dd", nd(asker6, asker6, 135, "00000000", wanted6, "0101"+askerHex)), as(claim6, NeighAnnounce, "")},
		{"for a group", ether("86dd", nd(asker6, solicited, 135, "00000000", solicited, "0101"+askerHex)), nil},
		{"for loopback", ether("86dd", nd(asker6, solicited, 135, "00000000", "0000000000000000 0000000000000001", "0101"+askerHex)), as(claim6, NeighOther, "")},
		{"for an IPv4 address", ether("86dd", nd(asker6, solicited, 135, "00000000", "0000000000000000 0000ffffac110109", "0101"+askerHex)), as(claim6, NeighOther, "")},
		{"254 hops", ether("86dd", at(ask6, 7, 254)), nil},
		{"wrong checksum", ether("86dd", at(ask6, 43, ask6[43]^1)), nil},
		{"a code", ether("86dd", sumND(at(ask6, 41, 1))), nil},
		{"an option of no length", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0100"+askerHex)), nil},
		{"an option that is cut off", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0102"+askerHex)), nil},
		{"half an option", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0101 0203")), nil},
		{"no target", ether("86dd", sumND(func() []byte { p := bytes.Clone(ask6[:63]); p[5] = 23; return p }())), nil},
		{"router solicitation", ether("86dd", nd(asker6, solicited, 133, "00000000", wanted6, "")), nil},
		{"behind an extension header", ether("86dd", func() []byte {
			p := join(ask6[:40], unhex("3a00 0104 0000 0000"), ask6[40:])
			p[5] += 8
			p[6] = 0
			return p
		}()), nil},

		{"advertisement", advert(asker6, "60000000", "0201"+askerHex), tells(NeighMoves, askerMAC, NotRouter, NeighOther)},
		{"of a router", advert(asker6, "e0000000", "0201"+askerHex), tells(NeighMoves, askerMAC, IsRouter, NeighOther)},
		{"that does not override", advert(asker6, "40000000", "0201"+askerHex), tells(NeighEnters, askerMAC, NotRouter, NeighOther)},
		{"without a link-layer address", advert(asker6, "c0000000", ""), tells(NeighConfirms, askerMAC, IsRouter, NeighOther)},
		{"of a group's MAC", advert(asker6, "60000000", "0201"+groupMAC), as(Neigh{}, NeighOther, "")},
		{"unsolicited", advert("ff02000000000000 0000000000000001", "20000000", "0201"+askerHex), tells(NeighMoves, askerMAC, NotRouter, NeighAnnounce)},
		{"solicited, and to a group", advert("ff02000000000000 0000000000000001", "60000000", "0201"+askerHex), nil},
		{"for an IPv4 address", ether("86dd", nd(wanted6, asker6, 136, "60000000", "0000000000000000 0000ffffac110109", "0201"+askerHex)), as(Neigh{}, NeighOther, "")},
		{"UDP", ether("86dd", ip6(17, udp(9, nil))), nil},
		{"IPv4", ether("0800", ip4(1, 0, nil, make([]byte, 64))), nil},
	} {
		frame, check := guarded(t, c.frame)
		var in Inner
		if f := ParseInner(frame, &in); f != OK {
			t.Fatalf("%s: %v", c.name, f)
		}
		var got Neigh
		ok := ParseNeigh(frame, &in, &got)
		check()
		if c.want == nil || !ok {
			if ok != (c.want != nil) {
				t.Errorf("%s: a message: %v, %+v", c.name, ok, got)
			}
			continue
		}
		if d := cmp.Diff(*c.want, got, cmpopts.IgnoreUnexported(Neigh{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// answer is PutNeighAnswer on a copy of frame, nil if that is no question.
func neighAnswer(t *testing.T, frame []byte, mac uint64, router bool) []byte {
	t.Helper()
	var in Inner
	var m Neigh
	if ParseInner(frame, &in) != OK || !ParseNeigh(frame, &in, &m) || m.Kind != NeighAsk {
		return nil
	}
	b, check := guarded(t, join(frame, make([]byte, max(0, NeighAnswerRoom-len(frame)))))
	n := PutNeighAnswer(b, &m, mac, router)
	check()
	return b[:n]
}

func TestPutNeighAnswer(t *testing.T) {
	const from = "020000000002 020000000077"
	class := ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0101"+askerHex))
	class[14], class[15], class[16] = 0x6b, 0x8f, 0xff // traffic class 0xb8, flow label 0xfffff
	for _, c := range []struct {
		name   string
		frame  []byte
		router bool
		want   []byte
	}{
		{"ARP", ether("0806", join(arp(1, askerHex, "172.17.1.2", "ffffffffffff", "172.17.1.9"), make([]byte, 18))), true,
			join(unhex(from+"0806"), arp(2, "020000000077", "172.17.1.9", askerHex, "172.17.1.2"))},
		{"to the sender that it names", ether("0806", arp(1, "020000000033", "172.17.1.2", "000000000000", "172.17.1.9")), false,
			join(unhex("020000000033 020000000077 0806"), arp(2, "020000000077", "172.17.1.9", "020000000033", "172.17.1.2"))},
		{"tagged", ether("8100 6064 0806", arp(1, askerHex, "172.17.1.2", "000000000000", "172.17.1.9")), false,
			join(unhex(from+"8100 6064 0806"), arp(2, "020000000077", "172.17.1.9", askerHex, "172.17.1.2"))},
		{"ND", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0101"+askerHex)), false,
			join(unhex(from+"86dd"), nd(wanted6, asker6, 136, "60000000", wanted6, "0201 020000000077"))},
		{"ND for a router", ether("8100 0064 86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0e01 010203040506 0101"+askerHex)), true,
			join(unhex(from+"8100 0064 86dd"), nd(wanted6, asker6, 136, "e0000000", wanted6, "0201 020000000077"))},
		{"ND without a link-layer address", ether("86dd", nd(asker6, solicited, 135, "00000000", wanted6, "")), false,
			join(unhex(from+"86dd"), nd(wanted6, asker6, 136, "60000000", wanted6, "0201 020000000077"))},
		{"ND with a traffic class", class, false, func() []byte {
			f := join(unhex(from+"86dd"), nd(wanted6, asker6, 136, "60000000", wanted6, "0201 020000000077"))
			f[14] = 0x6b
			return f
		}()},
		{"detection of duplicates", ether("86dd", nd("0000000000000000 0000000000000000", solicited, 135, "00000000", wanted6, "")), false, nil},
		{"gratuitous ARP", ether("0806", arp(1, askerHex, "172.17.1.2", askerHex, "172.17.1.2")), false, nil},
	} {
		if got := neighAnswer(t, c.frame, otherMAC, c.router); !bytes.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %x\nwant %x", c.name, got, c.want)
		}
	}
}

// No message makes ParseNeigh or PutNeighAnswer look or write beside it, whatever it says of its lengths; and an answer is what a
// host takes for one, which puts whom it asked for at the MAC address.
func FuzzNeigh(f *testing.F) {
	addFrames(f, func(frame []byte) { f.Add(frame, true) })
	f.Add(ether("0806", arp(1, askerHex, "172.17.1.2", "000000000000", "172.17.1.9")), false)
	f.Add(ether("8100 0064 86dd", nd(asker6, solicited, 135, "00000000", wanted6, "0e01 010203040506 0101"+askerHex)), true)
	f.Add(ether("86dd", nd(wanted6, asker6, 136, "e0000000", wanted6, "0201"+askerHex)), true)
	f.Fuzz(func(t *testing.T, b []byte, right bool) {
		var in Inner
		if ParseInner(b, &in) != OK {
			return
		}
		if right && in.IPVersion == 6 && in.L4 == in.L3+40 && in.End >= in.L4+4 { // random bytes never have a right checksum
			sumND(b[in.L3:in.End])
		}
		frame, check := guarded(t, b)
		var m Neigh
		ok := ParseNeigh(frame, &in, &m)
		check()
		if !bytes.Equal(frame, b) {
			t.Fatal("the frame changed")
		}
		if m.Claim != NeighNoClaim && (!ok || !UnicastMAC(m.MAC) || !m.IP.Addr().IsValid() || m.IP.Addr().IsMulticast() || m.IP.Addr().IsUnspecified() || m.IP.Addr().IsLoopback()) {
			t.Errorf("a claim that nobody can make: %+v", m)
		}
		if !ok || m.Kind != NeighAsk {
			return
		}
		if m.Target.Is4() != (in.EtherType == 0x0806) || m.Claim != NeighNoClaim && m.IP.Is4() != m.Target.Is4() {
			t.Fatalf("families are mixed up: %+v", m)
		}
		answer := neighAnswer(t, b, otherMAC, right)
		var back Neigh
		if ParseInner(answer, &in) != OK || !ParseNeigh(answer, &in, &back) {
			t.Fatalf("the answer is no message: %x", answer)
		}
		want := Neigh{Kind: NeighOther, Claim: NeighMoves, IP: m.Target, MAC: otherMAC, VLAN: m.VLAN}
		if !m.Target.Is4() {
			if want.Router = NotRouter; right {
				want.Router = IsRouter
			}
		}
		if d := cmp.Diff(want, back, cmpopts.IgnoreUnexported(Neigh{})); d != "" {
			t.Errorf("question %x\nanswer %x (-want +got):\n%s", b, answer, d)
		}
		if in.Src != otherMAC || in.End != len(answer) {
			t.Errorf("the answer comes from %012x and has %d bytes behind its packet", in.Src, len(answer)-in.End)
		}
	})
}
