package bench

import (
	"encoding/binary"
	"fmt"

	"vxgw/vxlan"
)

// What comes out of a device under test is checked against what went in, so that
// nobody measures how fast garbage can be made.

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
