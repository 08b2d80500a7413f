package vxlan

import "encoding/binary"

// The ECN field is the low two bits of the TOS byte or traffic class (RFC 3168 section 5).
const (
	ecnMask = 3
	notECT  = 0
	ect1    = 1
	ect0    = 2
	ce      = 3
)

// DecapECN returns the inner TOS to send on: the DSCP of innerTOS with both ECN fields combined (RFC 6040 section 4.2,
// figure 4). ok is false where the packet must be dropped: congestion was marked outside, and the inner sender would not
// understand it. To be asked for IPv4 and IPv6 only; a frame without IP has no field to combine, and passes.
func DecapECN(outerTOS, innerTOS uint8) (tos uint8, ok bool) {
	outer, inner := outerTOS&ecnMask, innerTOS&ecnMask
	switch {
	case outer == ce && inner == notECT:
		return innerTOS, false
	case outer == ce:
		return innerTOS | ce, true
	case outer == ect1 && inner == ect0:
		return innerTOS&^ecnMask | ect1, true
	}
	return innerTOS, true
}

// SetTOS writes tos into the inner IPv4 header, whose checksum follows, or into the IPv6 traffic class; a frame without IP is left
// alone. in must come from ParseInner of this frame. An outer UDP checksum covers these bytes: ChecksumOK goes first.
func SetTOS(frame []byte, in *Inner, tos uint8) {
	switch in.IPVersion {
	case 4:
		h := frame[in.L3 : in.L3+ip4Len]
		old := binary.BigEndian.Uint16(h)
		new := old&0xff00 | uint16(tos)
		if new == old {
			return
		}
		h[1] = tos
		binary.BigEndian.PutUint16(h[10:], Update16(binary.BigEndian.Uint16(h[10:]), old, new))
	case 6:
		h := frame[in.L3 : in.L3+ip6Len]
		h[0] = h[0]&0xf0 | tos>>4
		h[1] = h[1]&0x0f | tos<<4
	}
}
