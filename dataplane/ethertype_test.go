package dataplane

import (
	"encoding/binary"
	"testing"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// Every EtherType, 802.3 lengths among them, crosses as it is, both ways; of 60 bytes, which
// stay 60, and of 14.
func TestEveryEtherType(t *testing.T) {
	r := newRig(t, 1)
	r.pin(hostR, fdb.RemoteDest(0))
	r.pin(hostA, fdb.PortDest(0))
	for etherType := range 1 << 16 {
		size := []int{60, 14}[etherType&1]
		out, in := make([]byte, size), make([]byte, size)
		for _, f := range [][]byte{out, in} {
			for i := range f {
				f[i] = byte(etherType + i)
			}
			binary.BigEndian.PutUint16(f[12:], uint16(etherType))
		}
		putMAC(out, hostR)
		putMAC(out[6:], hostA)
		putMAC(in, hostA)
		putMAC(in[6:], hostR)
		r.deliver(r.ports[0], out)
		r.deliver(r.wire, tunnelled(t, remote, 42, 0, in))
		if etherType%32 != 31 {
			continue
		}
		r.run()
		var sum [2]int
		for i, e := range []end{r.wire, r.ports[0]} {
			for _, f := range r.take(e) {
				got, first := f.data[(1-i)*vxlan.Overhead:], etherType-31+sum[i]
				typ := int(binary.BigEndian.Uint16(got[12:]))
				if typ != first || len(got) != []int{60, 14}[first&1] {
					t.Fatalf("EtherType %#04x of %d bytes, want %#04x", typ, len(got), first)
				}
				for j := 14; j < len(got); j++ {
					if got[j] != byte(typ+j) {
						t.Fatalf("EtherType %#04x: byte %d is %#x", typ, j, got[j])
					}
				}
				sum[i]++
			}
		}
		if sum != [2]int{32, 32} {
			t.Fatalf("up to EtherType %#04x: %d frames into the tunnel and %d out of it, want 32; verdicts %v", etherType, sum[0], sum[1], r.nonzero())
		}
	}
	r.account()
}
