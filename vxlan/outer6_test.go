package vxlan

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outerGolden6 is RFC 7348 figure 2, byte by byte: VNI 0x123456, flow label 0xabcde, no checksum, 18 bytes inside.
func outerGolden6() []byte {
	return unhex(`
		020000000b01 020000000a01 86dd
		6b9abcde 0030 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002
		c001 12b5 0030 0000
		08 000000 123456 00
		ffffffffffff 020000000001 0806 00010800
		0000000000000000000000000000`)
}

// slowOuter6 is slowOuter for IPv6.
func slowOuter6(b []byte) (o Outer, ok bool) {
	word := func(at int) int { return int(b[at])<<8 | int(b[at+1]) }
	addr := func(at int) Addr { return AddrOf(netip.AddrFrom16([16]byte(b[at : at+16]))) }
	src := netip.AddrFrom16([16]byte(b[22:38]))
	if src.IsUnspecified() || src.IsLoopback() || src.IsMulticast() || src.Is4In6() {
		return o, false
	}
	n := word(58)
	if b[20] != 17 || 54+word(18) > len(b) || n < 16 || n > word(18) || b[62]&8 == 0 {
		return o, false
	}
	for i, x := range b[:6] {
		o.DstMAC |= uint64(x) << (40 - 8*i)
	}
	o.HeaderLen, o.Len, o.Src, o.Dst = 70, 54+n, addr(22), addr(38)
	o.VNI = uint32(word(66)<<8) | uint32(b[68])
	o.SrcPort, o.DstPort, o.Checksum = uint16(word(54)), uint16(word(56)), uint16(word(60))
	o.TOS = b[14]<<4 | b[15]>>4
	o.Reserved = binary.BigEndian.Uint64(b[62:]) & 0xf7ffffff_000000ff
	return o, true
}

func TestParseOuter6Golden(t *testing.T) {
	golden := Outer{
		DstMAC: 0x020000000b01, HeaderLen: 70, Len: 102, Src: Addr{0x20010db8 << 32, 1}, Dst: Addr{0x20010db8 << 32, 2},
		VNI: 0x123456, SrcPort: 0xc001, DstPort: Port, TOS: 0xb9,
	}
	with := func(change func(*Outer)) Outer { o := golden; change(&o); return o }
	for _, c := range []struct {
		name string
		pkt  []byte
		want Outer
	}{
		{"as it is", outerGolden6(), golden},
		{"padded", join(outerGolden6(), make([]byte, 9)), golden},
		{"shorter UDP length", overwrite(outerGolden6(), 58, "0010"), with(func(o *Outer) { o.Len = 70 })},
		{"with checksum", overwrite(outerGolden6(), 60, "1234"), with(func(o *Outer) { o.Checksum = 0x1234 })},
		{"reserved flag", overwrite(outerGolden6(), 62, "0c"), with(func(o *Outer) { o.Reserved = 0x04 << 56 })},
		{"hop limit 0", overwrite(outerGolden6(), 21, "00"), golden},
		{"link-local", overwrite(outerGolden6(), 22, "fe80"), with(func(o *Outer) { o.Src.Hi = 0xfe800db8 << 32 })},
		{"to a mapped address", overwrite(outerGolden6(), 38, "00000000000000000000ffff0a000001"), with(func(o *Outer) { o.Dst = Addr4(0x0a000001) })},
	} {
		var got Outer
		pkt, check := guarded(t, c.pkt)
		if fault := ParseOuter(pkt, &got); fault != OK {
			t.Errorf("%s: %v", c.name, fault)
			continue
		}
		check()
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestParseOuter6Faults(t *testing.T) {
	for _, c := range []struct {
		name string
		pkt  []byte
		want Fault
	}{
		{"cut in the IPv6 header", outerGolden6()[:40], Short},
		{"cut in the VXLAN header", outerGolden6()[:69], Short},
		{"VLAN tag", overwrite(outerGolden6(), 12, "8100"), NotIP},
		{"version 4", overwrite(outerGolden6(), 14, "45"), NotIP},
		{"payload above the frame", overwrite(outerGolden6(), 18, "0031"), IPLength},
		{"frame cut", outerGolden6()[:101], IPLength},
		{"payload 0", overwrite(outerGolden6(), 18, "0000"), UDPLength},
		{"hop-by-hop options", overwrite(outerGolden6(), 20, "00"), NotUDP},
		{"fragment", overwrite(outerGolden6(), 20, "2c"), Fragment},
		{"TCP", overwrite(outerGolden6(), 20, "06"), NotUDP},
		{"source ::", overwrite(outerGolden6(), 22, "00000000 00000000 00000000 00000000"), Martian},
		{"source ::1", overwrite(outerGolden6(), 22, "00000000 00000000 00000000 00000001"), Martian},
		{"source ::2", overwrite(outerGolden6(), 22, "00000000 00000000 00000000 00000002"), OK},
		{"source ff02::1", overwrite(outerGolden6(), 22, "ff02"), Martian},
		{"source ::ffff:10.0.0.1", overwrite(outerGolden6(), 22, "00000000 00000000 0000ffff 0a000001"), Martian},
		{"UDP length above IP's", overwrite(outerGolden6(), 58, "0031"), UDPLength},
		{"UDP length without VXLAN header", overwrite(outerGolden6(), 58, "000f"), UDPLength},
		{"no I flag", overwrite(outerGolden6(), 62, "f7"), BadFlags},
	} {
		var o Outer
		pkt, check := guarded(t, c.pkt)
		if got := ParseOuter(pkt, &o); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		check()
	}
}

func TestChecksumOK6(t *testing.T) {
	for _, dst := range []string{"20010db8000000000000000000000002", "00000000000000000000ffff0a000001"} {
		whole := overwrite(outerGolden6(), 38, dst)
		pseudo := join(whole[22:54], []byte{0, 17}, whole[58:60])
		right := ^slowSum(pseudo, whole[54:102])
		for _, c := range []struct {
			name  string
			field uint16
			want  bool
		}{
			{"none", 0, true}, {"right", right, true}, {"unfinished", slowSum(pseudo), true},
			{"wrong", right + 1, false}, {"complemented", ^right, false}, {"all ones", 0xffff, false},
		} {
			for _, pkt := range [][]byte{whole, join(whole, []byte("padding"))} {
				binary.BigEndian.PutUint16(pkt[60:], c.field)
				var o Outer
				if fault := ParseOuter(pkt, &o); fault != OK {
					t.Fatal(fault)
				}
				if got := o.ChecksumOK(pkt); got != c.want {
					t.Errorf("to %s: %s (%#x): %v, want %v", dst, c.name, c.field, got, c.want)
				}
			}
		}
	}
}

func TestAddr(t *testing.T) {
	for _, s := range []string{"10.0.0.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1", "fe80::1"} {
		a := netip.MustParseAddr(s)
		k := AddrOf(a)
		if k.Netip() != a || k.Is4() != a.Is4() {
			t.Errorf("%s: %+v is %s, IPv4 %v", s, k, k.Netip(), k.Is4())
		}
	}
	if AddrOf(netip.Addr{}) != (Addr{}) || AddrOf(netip.MustParseAddr("::ffff:10.0.0.1")) != Addr4(0x0a000001) ||
		AddrOf(netip.MustParseAddr("fe80::1%eth0")) != AddrOf(netip.MustParseAddr("fe80::1")) {
		t.Error("addresses differ")
	}
}

// What Headers put over IPv6, ParseOuter reads, and the slow twin finds right.
func FuzzPutParse6(f *testing.F) {
	f.Add(uint64(0x20010db8<<32), uint64(1), uint32(42), uint16(50000), uint8(64), uint8(0xb8), uint8(7), uint32(0xabcde), []byte("inner frame"))
	f.Add(uint64(0xfe80<<48), uint64(2), uint32(0xffffff), uint16(0xffff), uint8(255), uint8(255), uint8(2), uint32(0xfffff), []byte{})
	f.Add(uint64(0), uint64(1), uint32(0), uint16(0), uint8(1), uint8(0), uint8(4), uint32(1<<20), make([]byte, 1501))
	f.Fuzz(func(t *testing.T, hi, lo uint64, vni uint32, srcPort uint16, hopLimit, tos, options uint8, label uint32, inner []byte) {
		src, dst := Addr{hi, lo}, Addr{^hi, lo ^ hi | 2}
		cfg := TemplateConfig{
			SrcMAC: [6]byte{2, 0, 0, 0, 0, 1}, DstMAC: [6]byte{2, 0, 0, 0, 0, 2}, Src: src.Netip(), Dst: dst.Netip(), DstPort: Port,
			TTL: hopLimit, TOS: tos, SrcPorts: [2]uint16{srcPort, srcPort}, Label: label, InheritTOS: options&1 != 0,
		}
		h, err := NewHeaders(cfg)
		if good := !cfg.Src.Is4() && !cfg.Dst.Is4() && !notSource(cfg.Src) && !cfg.Src.IsUnspecified() && hopLimit != 0 && label < 1<<20; (err == nil) != good {
			t.Fatalf("%+v: %v", cfg, err)
		}
		if err != nil || len(inner) > MaxInner {
			return
		}
		vni &= 0xffffff
		pkt, check := guarded(t, join(make([]byte, h.Len()), inner))
		h.Put(pkt, vni, MakeFlow(label, ^tos, false), 1)
		if options&2 != 0 {
			h.PutChecksum(pkt)
		}
		check()
		want := Outer{DstMAC: 0x020000000002, HeaderLen: Overhead6, Len: len(pkt), Src: src, Dst: dst, VNI: vni, SrcPort: srcPort, DstPort: Port, TOS: tos&^3 | ^tos&3}
		if cfg.InheritTOS {
			want.TOS = ^tos
		}
		var got Outer
		if fault := ParseOuter(pkt, &got); fault != OK {
			t.Fatalf("fault %v", fault)
		}
		want.Checksum = got.Checksum
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		twin, ok := slowOuter6(pkt)
		if !ok || twin != got || binary.BigEndian.Uint32(pkt[14:])&labelMask != label || pkt[21] != hopLimit {
			t.Errorf("%v %+v, label and hop limit %x", ok, twin, pkt[14:22])
		}
		if (got.Checksum != 0) != (options&2 != 0) || !got.ChecksumOK(pkt) {
			t.Errorf("UDP checksum %#x", got.Checksum)
		}
	})
}
