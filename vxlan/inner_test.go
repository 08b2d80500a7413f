package vxlan

import (
	"math/bits"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseInner(t *testing.T) {
	hop := func(next byte) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} }
	frag := func(next byte, off int) []byte { return join([]byte{next, 0}, be16(off), unhex("00000009")) }
	base4 := Inner{EtherType: 0x0800, L3: 14, L4: 34, IPVersion: 4, Proto: 6, TTL: 64}
	base6 := Inner{EtherType: 0x86dd, L3: 14, L4: 54, IPVersion: 6, Proto: 6, TTL: 64, DF: true}
	with := func(in Inner, change func(*Inner)) Inner { change(&in); return in }
	none := func(typ uint16) Inner { return Inner{EtherType: typ} }
	arp := make([]byte, 28)

	for _, c := range []struct {
		name  string
		frame []byte
		want  Inner // MACs, Hash and, without IP, End are filled in below
	}{
		{"nothing but a header", ether("0800", nil), none(0x0800)},
		{"ARP", ether("0806", arp), none(0x0806)},
		{"ARP, tagged", ether("8100 e064 0806", arp), Inner{EtherType: 0x0806, VLAN: 0xe064, VLANs: 1}},
		{"ARP, two tags", ether("88a8 0064 8100 0065 0806", arp), Inner{EtherType: 0x0806, VLAN: 0x64, VLANs: 2}},
		{"three tags", ether("88a8 0064 8100 0065 8100 0066 0806", arp), Inner{EtherType: 0x8100, VLAN: 0x64, VLANs: 2}},
		{"cut tag", ether("8100 00", nil), none(0x8100)},
		{"nothing but a tag", ether("8100 0064 0806", nil), Inner{EtherType: 0x0806, VLAN: 0x64, VLANs: 1}},
		{"802.3 length", ether("0026", make([]byte, 38)), none(0x26)},

		{"TCP", ether("0800", ip4(6, 0, nil, tcp(nil))), with(base4, func(in *Inner) { in.End = 54 })},
		{"TCP, padded", ether("0800", join(ip4(6, 0, nil, tcp(nil)), arp)), with(base4, func(in *Inner) { in.End = 54 })},
		{"TCP, two tags", ether("88a8 0064 8100 0065 0800", ip4(6, 0, nil, tcp(nil))), with(base4, func(in *Inner) {
			in.VLAN, in.VLANs, in.L3, in.L4, in.End = 0x64, 2, 22, 42, 62
		})},
		{"TCP behind options", ether("0800", ip4(6, 0, make([]byte, 40), tcp(nil))), with(base4, func(in *Inner) {
			in.L4, in.End = 74, 94
		})},
		{"UDP with DF", ether("0800", ip4(17, 0x4000, nil, udp(9, nil))), with(base4, func(in *Inner) {
			in.Proto, in.End, in.DF = 17, 42, true
		})},
		{"first fragment", ether("0800", ip4(17, 0x2000, nil, udp(9, nil))), with(base4, func(in *Inner) {
			in.Proto, in.L4, in.End, in.Fragment = 17, 0, 42, true
		})},
		{"last fragment", ether("0800", ip4(17, 0x0001, nil, udp(9, nil))), with(base4, func(in *Inner) {
			in.Proto, in.L4, in.End, in.Fragment = 17, 0, 42, true
		})},
		{"no payload", ether("0800", ip4(17, 0, nil, nil)), with(base4, func(in *Inner) { in.Proto, in.L4, in.End = 17, 0, 34 })},
		{"IPv4 beyond the frame", ether("0800", ip4(6, 0, nil, tcp(nil))[:39]), none(0x0800)},
		{"IPv4, header cut", ether("0800", ip4(6, 0, nil, tcp(nil))[:19]), none(0x0800)},
		{"IPv4, header length 16", ether("0800", join([]byte{0x44}, ip4(6, 0, nil, tcp(nil))[1:])), none(0x0800)},
		{"IPv4, total length within the header", ether("0800", overwrite(ip4(6, 0, nil, tcp(nil)), 2, "0013")), none(0x0800)},
		{"ports cut, padded", ether("0800", join(ip4(17, 0, nil, be16(1000)), arp)), with(base4, func(in *Inner) { in.Proto, in.End = 17, 36 })},
		{"IPv4 by type, IPv6 by version", ether("0800", ip6(6, tcp(nil))), none(0x0800)},

		{"TCP over IPv6", ether("86dd", ip6(6, tcp(nil))), with(base6, func(in *Inner) { in.End = 74 })},
		{"class and flow label", ether("86dd", join(unhex("6b8f ffff"), ip6(6, tcp(nil))[4:])), with(base6, func(in *Inner) {
			in.End, in.TOS = 74, 0xb8
		})},
		{"hop-by-hop, destination", ether("86dd", ip6(0, join(hop(60), hop(6), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End = 70, 90
		})},
		{"fragment", ether("86dd", ip6(44, join(frag(6, 8), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End, in.Fragment = 0, 82, true
		})},
		{"first fragment", ether("86dd", ip6(44, join(frag(6, 1), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End, in.Fragment = 0, 82, true
		})},
		{"fragment that is all", ether("86dd", ip6(44, join(frag(6, 0), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End = 62, 82
		})},
		{"segment routing", ether("86dd", ip6(43, join(unhex("06020401 00000000"), make([]byte, 16), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End = 78, 98
		})},
		{"segment routing, at its end", ether("86dd", ip6(43, join(unhex("06020400 00000000"), make([]byte, 16), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End = 78, 98
		})},
		{"unknown routing", ether("86dd", ip6(43, join(unhex("06020901 00000000"), make([]byte, 16), tcp(nil)))), with(base6, func(in *Inner) {
			in.L4, in.End = 78, 98
		})},
		{"extension cut", ether("86dd", ip6(0, unhex("0600"))), with(base6, func(in *Inner) { in.Proto, in.L4, in.End = 0, 0, 56 })},
		{"extension beyond the packet", ether("86dd", ip6(0, unhex("06ff 0000 0000 0000"))), with(base6, func(in *Inner) { in.L4, in.End = 0, 62 })},
		{"endless extensions", ether("86dd", ip6(0, make([]byte, 80))), with(base6, func(in *Inner) { in.Proto, in.L4, in.End = 0, 0, 134 })},
		{"no next header", ether("86dd", ip6(59, nil)), with(base6, func(in *Inner) { in.Proto, in.L4, in.End = 59, 0, 54 })},
		{"IPv6 beyond the frame", ether("86dd", ip6(6, tcp(nil))[:50]), none(0x86dd)},
	} {
		t.Run(c.name, func(t *testing.T) {
			frame, check := guarded(t, c.frame)
			got := Inner{VLAN: 9, VLANs: 9, L3: 9, L4: 9, End: 9, addrs: 9, IPVersion: 9, Proto: 9, TOS: 9, TTL: 9, DF: true, Fragment: true}
			if fault := ParseInner(frame, &got); fault != OK {
				t.Fatalf("fault %v", fault)
			}
			check()
			c.want.Dst, c.want.Src = 0x020000000001, 0x020000000002
			if c.want.IPVersion == 0 {
				c.want.End = len(frame)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(Inner{}), cmpopts.IgnoreFields(Inner{}, "Hash", "addrs")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestParseInnerShort(t *testing.T) {
	var in Inner
	for n := range 14 {
		if got := ParseInner(make([]byte, n), &in); got != InnerShort {
			t.Errorf("%d bytes: %v", n, got)
		}
	}
}

func hashOf(frame []byte) uint32 {
	var in Inner
	ParseInner(frame, &in)
	return in.Hash
}

// Which bytes of a frame the hash depends on: the flow's, each bit of them, and no others.
func TestHashCoversTheFlow(t *testing.T) {
	for _, c := range []struct {
		name  string
		frame []byte
		flow  [][2]int // from, to
	}{
		{"TCP", ether("0800", ip4(6, 0, nil, tcp([]byte("x")))), [][2]int{{23, 24}, {26, 38}}},
		{"ESP", ether("0800", ip4(50, 0, nil, tcp(nil))), [][2]int{{23, 24}, {26, 38}}},
		{"SCTP", ether("0800", ip4(132, 0, nil, sctp(nil))), [][2]int{{23, 24}, {26, 38}}},
		{"ICMP", ether("0800", ip4(1, 0, nil, make([]byte, 8))), [][2]int{{23, 24}, {26, 34}}},
		{"first fragment", ether("0800", ip4(17, 0x2000, nil, udp(9, nil))), [][2]int{{23, 24}, {26, 34}}},
		{"other fragment", ether("0800", ip4(17, 0x2001, nil, udp(9, nil))), [][2]int{{23, 24}, {26, 34}}},
		{"TCP over IPv6", ether("86dd", ip6(6, tcp([]byte("x")))), [][2]int{{20, 21}, {22, 58}}},
		{"fragment over IPv6", ether("86dd", ip6(44, join(unhex("11000009 00000009"), udp(9, nil)))), [][2]int{{20, 21}, {22, 54}}},
		{"ARP", ether("0806", make([]byte, 28)), [][2]int{{0, 14}}},
	} {
		// These bytes decide how the rest is read: version, lengths, fragment, header length, EtherType.
		skip := map[int]bool{12: true, 13: true, 14: true, 16: true, 17: true, 18: true, 19: true, 20: true, 21: true}
		want := hashOf(c.frame)
		for i := range c.frame {
			in := false
			for _, r := range c.flow {
				in = in || i >= r[0] && i < r[1]
			}
			for bit := range 8 {
				c.frame[i] ^= 1 << bit
				got := hashOf(c.frame)
				c.frame[i] ^= 1 << bit
				if !skip[i] && (got != want) != in {
					t.Errorf("%s: bit %d of byte %d changes the hash: %v, want %v", c.name, bit, i, got != want, in)
				}
			}
		}
	}
}

// Padding behind a cut transport header is no port.
func TestHashIgnoresPadding(t *testing.T) {
	short := ether("0800", ip4(17, 0, nil, be16(1000)))
	if hashOf(join(short, make([]byte, 30))) != hashOf(join(short, []byte("any padding that makes it longer"))) {
		t.Error("padding changes the hash")
	}
}

// A fragment's hash is that of all others of its datagram: the ports must not count, nor IPv6's next header behind the first.
func TestHashKeepsFragmentsTogether(t *testing.T) {
	first := hashOf(ether("0800", ip4(17, 0x2000, nil, udp(9, nil))))
	if last := hashOf(ether("0800", ip4(17, 0x0010, nil, []byte("any other bytes")))); first != last {
		t.Error("IPv4 fragments differ")
	}
	first = hashOf(ether("86dd", ip6(44, join(unhex("11000001 00000009"), udp(9, nil)))))
	if last := hashOf(ether("86dd", ip6(44, unhex("3c000080 00000009 0102030405060708")))); first != last {
		t.Error("IPv6 fragments differ")
	}
}

// Each input bit flips each output bit about half of the time.
func TestHashAvalanche(t *testing.T) {
	for name, c := range map[string]struct {
		frame    []byte
		from, to int
	}{
		"IPv4": {ether("0800", ip4(6, 0, nil, tcp(nil))), 26, 38},
		"IPv6": {ether("86dd", ip6(6, tcp(nil))), 22, 58},
		"MAC":  {ether("0806", make([]byte, 28)), 0, 12},
	} {
		const rounds = 2000
		var flips [32]int
		for round := range rounds {
			for i := c.from; i < c.to; i++ {
				c.frame[i] = byte(round*31 + i*round*round>>3)
			}
			i, bit := c.from+round%(c.to-c.from), round/7%8
			before := hashOf(c.frame)
			c.frame[i] ^= 1 << bit
			diff := before ^ hashOf(c.frame)
			if n := bits.OnesCount32(diff); n < 3 || n > 29 {
				t.Errorf("%s: byte %d bit %d flips %d bits", name, i, bit, n)
			}
			for b := range flips {
				flips[b] += int(diff >> b & 1)
			}
		}
		for b, n := range flips {
			if n < rounds*44/100 || n > rounds*56/100 {
				t.Errorf("%s: output bit %d flips %d times of %d", name, b, n, rounds)
			}
		}
	}
}
