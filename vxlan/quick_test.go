package vxlan

import (
	"math/rand/v2"
	"testing"
)

// What the quick look accepts is what the parsers find, and Mend leaves as it is.
func FuzzQuick(f *testing.F) {
	addFrames(f, func(frame []byte) {
		f.Add(frame)
		f.Add(finished(frame))
		f.Add(append(packet64(f, goodConfig())[:Overhead:Overhead], frame...))
	})
	f.Add(packet64(f, goodConfig()))
	f.Fuzz(func(t *testing.T, b []byte) {
		var memory [Overhead + InnerHead]byte // what is behind the packet is anything
		copy(memory[copy(memory[:], b):], random(rand.New(rand.NewPCG(uint64(len(b)), 0)), len(memory)))
		if dst, src, flow, ok := QuickInner((*[InnerHead]byte)(memory[:]), len(b)); ok {
			var in Inner
			if ParseInner(b, &in) != OK || in.Dst != dst || in.Src != src || in.Flow() != flow || !Forwards(dst, src) {
				t.Errorf("inner: %#x %#x %#x, but %+v", dst, src, flow, in)
			}
			if Mend(append([]byte{}, b...), &in) {
				t.Error("accepted what has to be mended")
			}
		}
		if mac, src, vni, end, ok := QuickOuter((*[Overhead]byte)(memory[:]), len(b)); ok {
			var o Outer
			fault := ParseOuter(b, &o)
			if fault == Martian && martian(src) {
				return
			}
			want := Outer{DstMAC: mac, HeaderLen: Overhead, Len: end, Src: Addr4(src), VNI: vni, Dst: o.Dst,
				SrcPort: o.SrcPort, DstPort: o.DstPort, TOS: o.TOS &^ 3}
			if fault != OK || o != want {
				t.Errorf("outer: %v %+v, quick %+v", fault, o, want)
			}
		}
	})
}

// The quick look accepts what it is there for.
func TestQuick(t *testing.T) {
	for name, frame := range transports([]byte("some payload")) {
		pkt := append(packet64(t, goodConfig())[:Overhead:Overhead], finished(frame)...)
		cfg := goodConfig()
		mustTemplate(t, cfg).Put((*[Overhead]byte)(pkt), len(frame), 42, 0, 1)
		memory := append(pkt, make([]byte, InnerHead)...)
		if _, _, _, _, ok := QuickOuter((*[Overhead]byte)(memory), len(pkt)); !ok {
			t.Errorf("%s: outer headers refused", name)
		}
		_, _, _, ok := QuickInner((*[InnerHead]byte)(memory[Overhead:]), len(frame))
		if want := name == "TCP" || name == "TCP, padded" || name == "UDP"; ok != want {
			t.Errorf("%s: %v, want %v", name, ok, want)
		}
	}
}
