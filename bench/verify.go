package bench

import (
	"encoding/binary"
	"fmt"

	"vxgw/vxlan"
)

// What comes out of a device under test is checked against what went in, so that
// nobody measures how fast garbage can be made.

// checkPacket fails unless b is a VXLAN packet to the remote with a frame of a
// near station inside.
func checkPacket(b []byte) error {
	var o vxlan.Outer
	if f := vxlan.ParseOuter(b, &o); f != vxlan.OK {
		return fmt.Errorf("outer headers: %v", f)
	}
	switch {
	case o.VNI != vni:
		return fmt.Errorf("VNI %d instead of %d", o.VNI, vni)
	case o.DstPort != vxlan.Port:
		return fmt.Errorf("UDP port %d instead of %d", o.DstPort, vxlan.Port)
	case o.Src.Netip() != underlayAddr || o.Dst.Netip() != remoteAddr:
		return fmt.Errorf("from %v to %v instead of %v to %v", o.Src.Netip(), o.Dst.Netip(), underlayAddr, remoteAddr)
	}
	return checkFrame(b[o.HeaderLen:o.Len], nearSide, farSide)
}

// checkFrame fails unless b is, byte for byte, what putInner makes.
func checkFrame(b []byte, from, to side) error {
	if len(b) != innerLen {
		return fmt.Errorf("inner frame of %d bytes instead of %d", len(b), innerLen)
	}
	var in vxlan.Inner
	if f := vxlan.ParseInner(b, &in); f != vxlan.OK {
		return fmt.Errorf("inner frame: %v", f)
	}
	if side(in.Src>>32) != from || side(in.Dst>>32) != to {
		return fmt.Errorf("inner frame from %#012x to %#012x: no stations of ours", in.Src, in.Dst)
	}
	var want [innerLen]byte
	putInner(want[:], in.Dst, in.Src, binary.BigEndian.Uint16(b[sportAt:]))
	if string(b) != string(want[:]) {
		return fmt.Errorf("inner frame % x instead of % x", b, want)
	}
	return nil
}
