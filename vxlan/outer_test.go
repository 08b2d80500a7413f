package vxlan

import (
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outerGolden is RFC 7348 figure 1, byte by byte: VNI 0x123456, no checksum, 18 bytes inside.
func outerGolden() []byte {
	return unhex(`
		020000000b01 020000000a01 0800
		45 b9 0044 beef 0000 40 11 36fd c0000201 c0000202
		c001 12b5 0030 0000
		08 000000 123456 00
		ffffffffffff 020000000001 0806 00010800
		0000000000000000000000000000`)
}

// edit changes bytes of a packet, and mends the IPv4 header checksum if asked to.
func edit(pkt []byte, at int, hex string, mend bool) []byte {
	overwrite(pkt, at, hex)
	if mend {
		mendIP(pkt)
	}
	return pkt
}

func mendIP(pkt []byte) {
	head := pkt[14 : 14+int(pkt[14]&15)*4]
	binary.BigEndian.PutUint16(head[10:], 0)
	binary.BigEndian.PutUint16(head[10:], ^slowSum(head))
}

// withOptions puts IPv4 options into the golden packet.
func withOptions(options string) []byte {
	opt := unhex(options)
	g := outerGolden()
	pkt := join(g[:34], opt, g[34:])
	pkt[14] += byte(len(opt) / 4)
	binary.BigEndian.PutUint16(pkt[16:], 0x44+uint16(len(opt)))
	mendIP(pkt)
	return pkt
}

func TestParseOuterGolden(t *testing.T) {
	golden := Outer{
		DstMAC: 0x020000000b01, HeaderLen: 50, Len: 82, Src: Addr4(0xc0000201), Dst: Addr4(0xc0000202),
		VNI: 0x123456, SrcPort: 0xc001, DstPort: Port, TOS: 0xb9,
	}
	with := func(change func(*Outer)) Outer { o := golden; change(&o); return o }
	for _, c := range []struct {
		name string
		pkt  []byte
		want Outer
	}{
		{"as it is", outerGolden(), golden},
		{"padded", join(outerGolden(), make([]byte, 9)), golden},
		{"shorter UDP length", edit(outerGolden(), 38, "0010", false), with(func(o *Outer) { o.Len = 50 })},
		{"with checksum", edit(outerGolden(), 40, "1234", false), with(func(o *Outer) { o.Checksum = 0x1234 })},
		{"reserved flag", edit(outerGolden(), 42, "0c", false), with(func(o *Outer) { o.Reserved = 0x04 << 56 })},
		{"reserved middle", edit(outerGolden(), 45, "01", false), with(func(o *Outer) { o.Reserved = 1 << 32 })},
		{"reserved end", edit(outerGolden(), 49, "80", false), with(func(o *Outer) { o.Reserved = 0x80 })},
		{"DF", edit(outerGolden(), 20, "4000", true), golden},
		{"another port", edit(outerGolden(), 36, "2118", false), with(func(o *Outer) { o.DstPort = 8472 })},
		{"options", withOptions("94040000 01010100"), with(func(o *Outer) { o.HeaderLen, o.Len = 58, 90 })},
		{"most options", withOptions("00" + "000000 000000000000000000000000 000000000000000000000000 000000000000000000000000"),
			with(func(o *Outer) { o.HeaderLen, o.Len = 90, 122 })},
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

func TestParseOuterFaults(t *testing.T) {
	for _, c := range []struct {
		name string
		pkt  []byte
		want Fault
	}{
		{"nothing", nil, Short},
		{"Ethernet header only", outerGolden()[:14], Short},
		{"cut in the VXLAN header", outerGolden()[:49], Short},
		{"cut behind options", withOptions("01010100")[:53], Short},
		{"short ARP", ether("0806", make([]byte, 28)), NotIP},
		{"short IPv6 of version 0", ether("86dd", make([]byte, 28)), NotIP},
		{"long ARP", ether("0806", make([]byte, 46)), NotIP},
		{"VLAN tag", edit(outerGolden(), 12, "8100", false), NotIP},
		{"version 6", edit(outerGolden(), 14, "65", true), NotIP},
		{"header length 16", edit(outerGolden(), 14, "44", false), NotIP},
		{"total length above the frame", edit(outerGolden(), 16, "0045", true), IPLength},
		{"frame cut", outerGolden()[:81], IPLength},
		{"total length within the header", edit(outerGolden(), 16, "0013", true), IPLength},
		{"header checksum", edit(outerGolden(), 24, "36fe", false), IPChecksum},
		{"header checksum behind options", edit(withOptions("94040000"), 37, "01", false), IPChecksum},
		{"loose source route", withOptions("8303 0400"), IPOptions},
		{"strict source route", withOptions("01 8903 04"), IPOptions},
		{"option beyond the header", withOptions("94050000"), IPOptions},
		{"option without length", withOptions("01010194"), IPOptions},
		{"option of length 1", withOptions("94010000"), IPOptions},
		{"first fragment", edit(outerGolden(), 20, "2000", true), Fragment},
		{"last fragment", edit(outerGolden(), 20, "0001", true), Fragment},
		{"TTL 0", edit(outerGolden(), 22, "00", true), TTL},
		{"source 0.0.0.0", edit(outerGolden(), 26, "00000000", true), Martian},
		{"source 0.1.2.3", edit(outerGolden(), 26, "00010203", true), Martian},
		{"source 127.0.0.1", edit(outerGolden(), 26, "7f000001", true), Martian},
		{"source 224.0.0.1", edit(outerGolden(), 26, "e0000001", true), Martian},
		{"source 240.0.0.1", edit(outerGolden(), 26, "f0000001", true), Martian},
		{"source 255.255.255.255", edit(outerGolden(), 26, "ffffffff", true), Martian},
		{"source 1.0.0.0", edit(outerGolden(), 26, "01000000", true), OK},
		{"source 126.255.255.255", edit(outerGolden(), 26, "7effffff", true), OK},
		{"source 128.0.0.0", edit(outerGolden(), 26, "80000000", true), OK},
		{"source 223.255.255.255", edit(outerGolden(), 26, "dfffffff", true), OK},
		{"TCP", edit(outerGolden(), 23, "06", true), NotUDP},
		{"UDP length above IP's", edit(outerGolden(), 38, "0031", false), UDPLength},
		{"UDP length without VXLAN header", edit(outerGolden(), 38, "000f", false), UDPLength},
		{"UDP length 0", edit(outerGolden(), 38, "0000", false), UDPLength},
		{"no I flag", edit(outerGolden(), 42, "f7", false), BadFlags},
	} {
		var o Outer
		pkt, check := guarded(t, c.pkt)
		if got := ParseOuter(pkt, &o); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		check()
	}
}

func TestChecksumOK(t *testing.T) {
	whole := outerGolden()
	pseudo := join(whole[26:34], []byte{0, 17}, whole[38:40])
	right := ^slowSum(pseudo, whole[34:82])
	for _, c := range []struct {
		name  string
		field uint16
		want  bool
	}{
		{"none", 0, true},
		{"right", right, true},
		{"unfinished", slowSum(pseudo), true},
		{"wrong", right + 1, false},
		{"complemented", ^right, false},
		{"all ones", 0xffff, false},
	} {
		for _, pkt := range [][]byte{whole, join(whole, []byte("padding")), withOptions("94040000 01010100")} {
			at := 20 + int(pkt[14]&15)*4
			binary.BigEndian.PutUint16(pkt[at:], c.field)
			var o Outer
			if fault := ParseOuter(pkt, &o); fault != OK {
				t.Fatal(fault)
			}
			if got := o.ChecksumOK(pkt); got != c.want {
				t.Errorf("%s (%#x): %v, want %v", c.name, c.field, got, c.want)
			}
		}
	}
}

func TestFaultString(t *testing.T) {
	seen := map[string]Fault{}
	for f := OK; f <= InnerShort; f++ {
		if other, dup := seen[f.String()]; dup || f.String() == "" || f.String() == "unknown" {
			t.Errorf("fault %d is called %q, as is %d", f, f, other)
		}
		seen[f.String()] = f
	}
	if got := Fault(200).String(); got != "unknown" {
		t.Errorf("fault 200 is called %q", got)
	}
}
