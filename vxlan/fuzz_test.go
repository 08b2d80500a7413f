package vxlan

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// slowOuter is ParseOuter read field by field. It only knows right from wrong.
func slowOuter(b []byte) (o Outer, ok bool) {
	word := func(at int) int { return int(b[at])<<8 | int(b[at+1]) }
	if len(b) >= 70 && word(12) == 0x86dd && b[14]>>4 == 6 {
		return slowOuter6(b)
	}
	if len(b) < 50 || word(12) != 0x0800 || b[14]>>4 != 4 {
		return o, false
	}
	head := int(b[14]&15) * 4
	if head < 20 || len(b) < 14+head+16 || word(16) < head || 14+word(16) > len(b) || slowSum(b[14:14+head]) != 0xffff {
		return o, false
	}
	for at := 34; at < 14+head && b[at] != 0; at++ {
		if b[at] == 1 {
			continue
		}
		if at+1 >= 14+head || b[at+1] < 2 || at+int(b[at+1]) > 14+head || b[at] == 131 || b[at] == 137 {
			return o, false
		}
		at += int(b[at+1]) - 1
	}
	udp := 14 + head
	if word(20)&0x3fff != 0 || b[22] == 0 || b[23] != 17 || b[26] == 0 || b[26] == 127 || b[26] >= 224 {
		return o, false
	}
	if n := word(udp + 4); n < 16 || head+n > word(16) || b[udp+8]&8 == 0 {
		return o, false
	}
	for i, x := range b[:6] {
		o.DstMAC |= uint64(x) << (40 - 8*i)
	}
	o.HeaderLen, o.Len = udp+16, udp+word(udp+4)
	o.Src, o.Dst = Addr4(uint32(word(26)<<16|word(28))), Addr4(uint32(word(30)<<16|word(32)))
	o.VNI = uint32(word(udp+12)<<8) | uint32(b[udp+14])
	o.SrcPort, o.DstPort, o.Checksum = uint16(word(udp)), uint16(word(udp+2)), uint16(word(udp+6))
	o.TOS = b[15]
	for i, v := range b[udp+8 : udp+16] {
		switch i {
		case 0:
			v &^= 8
		case 4, 5, 6:
			v = 0
		}
		o.Reserved = o.Reserved<<8 | uint64(v)
	}
	return o, true
}

func FuzzParseOuter(f *testing.F) {
	f.Add(outerGolden(), false)
	f.Add(withOptions("94040000 01010100"), true)
	f.Add(withOptions("8303 0400"), true)
	f.Add(outerGolden()[:40], true)
	f.Add(outerGolden6(), true)
	f.Add(outerGolden6()[:69], false)
	for _, frame := range kernelFrames(f) {
		f.Add(frame, true)
	}
	f.Fuzz(func(t *testing.T, b []byte, mendHeader bool) {
		if head := 14 + ip4Len; mendHeader && len(b) >= head {
			// Random bytes never have a right header checksum: without help, nothing behind it would be reached.
			if n := 14 + int(b[14]&15)*4; n >= head && n <= len(b) {
				mendIP(b)
			}
		}
		pkt, check := guarded(t, b)
		var o Outer
		fault := ParseOuter(pkt, &o)
		want, ok := slowOuter(b)
		if (fault == OK) != ok {
			t.Fatalf("%v, slow twin says %v", fault, ok)
		}
		if ok {
			if diff := cmp.Diff(want, o); diff != "" {
				t.Error(diff)
			}
			at := o.HeaderLen - 16
			pseudo := join(b[26:34], []byte{0, 17}, be16(o.Len-at))
			if b[12] == 0x86 {
				pseudo = join(b[22:54], []byte{0, 17}, be16(o.Len-at))
			}
			okay := o.Checksum == 0 || o.Checksum == slowSum(pseudo) || slowSum(pseudo, b[at:o.Len]) == 0xffff
			if got := o.ChecksumOK(pkt); got != okay {
				t.Errorf("checksum %#x: %v, slow twin says %v", o.Checksum, got, okay)
			}
		}
		check()
		if string(pkt) != string(b) {
			t.Error("packet changed")
		}
	})
}

// addFrames seeds a fuzz target with inner frames of all kinds.
func addFrames(f *testing.F, add func([]byte)) {
	f.Helper()
	for _, frame := range kernelFrames(f) {
		add(frame)
		if len(frame) > Overhead+14 {
			add(frame[Overhead:])
		}
	}
	for _, frame := range transports([]byte("payload")) {
		add(frame)
		add(frame[:len(frame)-8])
	}
	add(ether("88a8 0064 8100 0065 8100 0066 0806", make([]byte, 28)))
	add(ether("86dd", ip6(0, join(unhex("2b00 0000 0000 0000 3c02 0401 0000 0000"), make([]byte, 16), unhex("2c00 0000 0000 0000 0600 0009 0000 0001"), tcp(nil)))))
}

func FuzzParseInner(f *testing.F) {
	addFrames(f, func(frame []byte) { f.Add(frame, uint8(3)) })
	f.Fuzz(func(t *testing.T, b []byte, tos uint8) {
		frame, check := guarded(t, b)
		var in Inner
		if fault := ParseInner(frame, &in); (fault == InnerShort) != (len(b) < 14) || fault != OK && fault != InnerShort {
			t.Fatalf("%d bytes: %v", len(b), fault)
		} else if fault != OK {
			return
		}
		if in.L3 > in.End || in.L4 != 0 && (in.L4 < in.L3+20 || in.L4 >= in.End) || in.End > len(b) || in.VLANs > 2 ||
			(in.IPVersion == 0) != (in.L3 == 0) || in.L3 == 0 && in.L4 != 0 || in.Fragment && in.L4 != 0 {
			t.Errorf("%+v", in)
		}

		// Nothing is left over from the frame before.
		dirty := Inner{VLAN: 9, VLANs: 9, L3: 9, L4: 9, End: 9, addrs: 9, IPVersion: 9, Proto: 9, TOS: 9, TTL: 9, DF: true, Fragment: true}
		if ParseInner(frame, &dirty); dirty != in {
			t.Errorf("first %+v, then %+v", in, dirty)
		}
		// Padding and payload do not matter to the flow.
		if in.L4 != 0 && in.L4+4 <= in.End {
			padded := append(append([]byte{}, b[:in.End]...), make([]byte, 20)...)
			for i := in.L4 + 4; i < in.End; i++ {
				padded[i] ^= 0xff
			}
			var again Inner
			if ParseInner(padded, &again); again != in {
				t.Errorf("%+v, with other payload %+v", in, again)
			}
		}
		if string(frame) != string(b) {
			t.Error("frame changed")
		}
		SetTOS(frame, &in, tos)
		var after Inner
		ParseInner(frame, &after)
		if in.IPVersion != 0 {
			in.TOS = tos
		}
		if after != in {
			t.Errorf("%+v after TOS %#x", after, tos)
		}
		check()
	})
}

// extended reports IPv6 extension headers, which slowFind does not walk, in the frame or in one nested in it.
func extended(b []byte) bool {
	var in Inner
	if ParseInner(b, &in) != OK || in.IPVersion == 0 || in.L4 == 0 {
		return false
	}
	if in.IPVersion == 6 && in.L4 != in.L3+ip6Len {
		return true
	}
	return in.Proto == protoUDP && in.L4+16 < in.End && extended(b[in.L4+16:in.End])
}

func FuzzMend(f *testing.F) {
	addFrames(f, func(frame []byte) {
		for prepare := range uint8(9) {
			f.Add(frame, prepare)
		}
	})
	f.Fuzz(func(t *testing.T, b []byte, prepare uint8) {
		// Random fields are neither right nor unfinished: make them so, the inner one first.
		set := func(x field, f []byte, how uint8) {
			switch how % 3 {
			case 1:
				x.leave(f)
			case 2:
				x.complete(f)
			}
		}
		x, found := slowFind(b)
		if found {
			if y, nested := slowFind(x.vxlan); nested {
				set(y, x.vxlan, prepare/3)
			}
			set(x, b, prepare)
		}

		frame, check := guarded(t, b)
		var in Inner
		if ParseInner(frame, &in) != OK {
			return
		}
		wrote := Mend(frame, &in)
		check()
		if wrote == (string(frame) == string(b)) {
			t.Errorf("wrote is %v", wrote)
		}
		if !extended(b) {
			want := append([]byte{}, b...)
			slowMend(want)
			if diff := cmp.Diff(want, frame); diff != "" {
				t.Error(diff)
			}
		}
		var again Inner
		if ParseInner(frame, &again); again != in {
			t.Errorf("%+v, mended %+v", in, again)
		}
		if Mend(frame, &again) || mend(frame, &again, 1) {
			t.Error("mended twice")
		}
	})
}

// What Put writes, ParseOuter reads, and the slow twin finds right.
func FuzzPutParse(f *testing.F) {
	f.Add(uint32(0x0a000001), uint32(0xe0010101), uint32(42), uint16(50000), uint16(Port), uint8(64), uint8(0xb8), uint8(7), uint16(1), []byte("inner frame"))
	f.Add(uint32(0xdfffffff), uint32(0xffffffff), uint32(0xffffff), uint16(0xffff), uint16(0xffff), uint8(255), uint8(255), uint8(0), uint16(0xffff), []byte{})
	f.Add(uint32(0x0a000001), uint32(0x0a000002), uint32(42), uint16(50000), uint16(Port), uint8(64), uint8(0xb9), uint8(8), uint16(1), []byte("inner frame"))
	f.Add(uint32(0x01000000), uint32(1), uint32(0), uint16(0), uint16(1), uint8(1), uint8(0), uint8(4), uint16(0), make([]byte, 1500))
	f.Fuzz(func(t *testing.T, src, dst, vni uint32, srcPort, dstPort uint16, ttl, tos, options uint8, id uint16, inner []byte) {
		addr := func(n uint32) netip.Addr { return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n))) }
		df, checksum, inherit := options&1 != 0, options&2 != 0, options&4 != 0
		cfg := TemplateConfig{
			SrcMAC: [6]byte{2, ttl, tos, 3, 4, 5}, DstMAC: [6]byte{0xfe, 2, 3, 4, ttl, tos},
			Src: addr(src), Dst: addr(dst), DstPort: dstPort, TTL: ttl, TOS: tos, DF: df,
			SrcPorts: [2]uint16{srcPort, srcPort}, InheritTOS: options&8 != 0,
		}
		tmpl, err := NewTemplate(cfg)
		if good := !martian(src) && dst != 0 && dstPort != 0 && ttl != 0; (err == nil) != good {
			t.Fatalf("%+v: %v", cfg, err)
		}
		if err != nil || len(inner) > MaxInner {
			return
		}
		vni &= 0xffffff
		b := join(random(rand.New(rand.NewPCG(uint64(id), 0)), Overhead), inner)
		pkt, check := guarded(t, b)
		tmpl.Put((*[Overhead]byte)(pkt), len(pkt)-Overhead, vni, MakeFlow(uint32(tos)<<24, tos*7, df), id)
		if inherit {
			df, ttl = !df, ttl/2+1
			PutInherit(pkt[:Overhead:Overhead], ttl, df)
		}
		if checksum {
			PutChecksum(pkt)
		}
		check()
		tosWanted := tos&^3 | tos*7&3
		if cfg.InheritTOS {
			tosWanted = tos * 7
		}

		var got Outer
		if fault := ParseOuter(pkt, &got); fault != OK {
			t.Fatalf("fault %v", fault)
		}
		want := Outer{
			DstMAC: 0xfe0203040000 | uint64(cfg.TTL)<<8 | uint64(tos), HeaderLen: Overhead, Len: len(pkt), Src: Addr4(src), Dst: Addr4(dst),
			VNI: vni, SrcPort: srcPort, DstPort: dstPort, TOS: tosWanted, Checksum: got.Checksum,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		pseudo := join(pkt[26:34], []byte{0, 17}, pkt[38:40])
		if (got.Checksum != 0) != checksum || checksum && slowSum(pseudo, pkt[34:]) != 0xffff || !got.ChecksumOK(pkt) {
			t.Errorf("UDP checksum %#x", got.Checksum)
		}
		if cfg.DF {
			id = 0
		}
		head := join(be16(int(id)), []byte{0, 0, ttl, 17})
		if df {
			head[2] = 0x40
		}
		if diff := cmp.Diff(head, pkt[18:24]); diff != "" {
			t.Errorf("ID, flags, TTL, protocol: %s", diff)
		}
		if string(pkt[Overhead:]) != string(inner) {
			t.Error("inner frame changed")
		}
	})
}
