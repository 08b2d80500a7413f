package vxlan

import (
	"strings"
	"testing"
)

// Frames from a real kernel: unfinished ones come out right in both directions, finished ones untouched.
func TestKernelFrames(t *testing.T) {
	for name, frame := range kernelFrames(t) {
		layers := strings.Split(name, "/")
		last := layers[len(layers)-1]
		unfinished := strings.HasPrefix(last, "tcp") || strings.HasPrefix(last, "udp")

		t.Run("from a port/"+strings.ReplaceAll(name, "/", " in "), func(t *testing.T) {
			if len(layers) > 2 {
				t.Skip("two tunnels inside one another are looked through from the underlay only")
			}
			got, wrote := mendCopy(t, frame)
			// A tunnel's own checksum is left unfinished where nothing inside is.
			if want := unfinished || strings.HasPrefix(name, "vni42csum"); wrote != want {
				t.Errorf("wrote %v, want %v", wrote, want)
			}
			verify(t, got)
		})
		if len(layers) == 1 {
			continue
		}
		t.Run("from the underlay/"+strings.ReplaceAll(name, "/", " in "), func(t *testing.T) {
			pkt, check := guarded(t, frame)
			var o Outer
			if fault := ParseOuter(pkt, &o); fault != OK {
				t.Fatalf("fault %v", fault)
			}
			if o.Src != Addr4(0xc0000201) || o.Dst != Addr4(0xc0000202) || o.DstPort != Port || o.Reserved != 0 || o.Len != len(pkt) {
				t.Errorf("outer %+v", o)
			}
			if (o.VNI == 42) != strings.HasPrefix(name, "vni42csum") || (o.Checksum != 0) != (o.VNI == 42) {
				t.Errorf("VNI %d, checksum %#x", o.VNI, o.Checksum)
			}
			var in Inner
			if fault := ParseInner(pkt[o.HeaderLen:o.Len], &in); fault != OK {
				t.Fatalf("fault %v", fault)
			}
			want := unfinished
			if len(layers) > 2 {
				// Its own tunnel in a tunnel the kernel finishes itself, save for the middle checksum where nothing inside is open.
				want = name == "vni42csum/vni44csum/arp" || name == "vni42csum/vni44csum/icmp4"
			}
			if o.Checksum != 0 && want && len(layers) == 2 && o.ChecksumOK(pkt) {
				t.Error("outer checksum right before mending, so the frame shows nothing")
			}
			if wrote := Mend(pkt[o.HeaderLen:o.Len], &in); wrote != want {
				t.Errorf("wrote %v, want %v", wrote, want)
			}
			if !o.ChecksumOK(pkt) {
				t.Error("outer checksum wrong after mending")
			}
			check()
			verify(t, pkt[o.HeaderLen:o.Len])
		})
	}
}

// verify checks all transport checksums of a frame with the slow twin, those of nested frames too.
func verify(t *testing.T, frame []byte) {
	t.Helper()
	x, ok := slowFind(frame)
	if !ok {
		return
	}
	if !x.right(frame) {
		t.Errorf("checksum %x at %d is wrong", x.value(frame), x.at)
	}
	if x.vxlan != nil {
		verify(t, x.vxlan)
	}
}
