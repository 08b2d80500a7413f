package filter

import "encoding/binary"

// op is what a node does.
type op uint8

const (
	opAnd    op = iota
	opOr        // short, as and
	opNot       //
	opEqual     // size bytes at a place, masked, are lo
	opWithin    // and these are from lo to hi
	opPort      // so are those of a TCP, UDP or SCTP header, behind an IPv4 header at a place
	opLength    // the packet has from lo to hi bytes
	opVXLAN     // the packet is VXLAN, with a VNI from lo to hi
	opBehind    // of the frame in a VXLAN packet; of another one, no
	opInner     // of the frame in a VXLAN packet; of another one, of itself
)

// node is a test of a frame, or of what others say. Places are counted from the frame's first byte.
type node struct {
	op     op
	size   uint8 // 1, 2 or 4
	at     int
	mask   uint32
	lo, hi uint32
	x, y   *node
}

// answer is what a node says of a frame.
type answer uint8

const (
	no answer = iota
	yes
	cut // the frame ends before a byte that is asked for, so the filter does not choose it
)

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

func (n *node) eval(f []byte, underlay bool) answer {
	switch n.op {
	case opAnd:
		if a := n.x.eval(f, underlay); a != yes {
			return a
		}
		return n.y.eval(f, underlay)
	case opOr:
		if a := n.x.eval(f, underlay); a != no {
			return a
		}
		return n.y.eval(f, underlay)
	case opNot:
		if a := n.x.eval(f, underlay); a != cut {
			return yes - a
		}
		return cut
	case opEqual:
		v, ok := load(f, n.at, n.size)
		if !ok {
			return cut
		}
		return answerOf(v&n.mask == n.lo)
	case opWithin:
		return n.within(f, n.at)
	case opPort:
		if n.at >= len(f) {
			return cut
		}
		return n.within(f, n.at+int(f[n.at]&0x0f)*4+int(n.mask))
	case opLength:
		return answerOf(len(f) >= int(n.lo) && len(f) <= int(n.hi))
	case opVXLAN:
		vni, _, ok := open(f, underlay)
		return answerOf(ok && vni >= n.lo && vni <= n.hi)
	}
	_, inner, ok := open(f, underlay)
	switch {
	case ok:
		return n.x.eval(inner, false)
	case n.op == opInner:
		return n.x.eval(f, underlay)
	}
	return no
}

func (n *node) within(f []byte, at int) answer {
	v, ok := load(f, at, n.size)
	if !ok {
		return cut
	}
	return answerOf(v >= n.lo && v <= n.hi)
}

// load reads a number of 1, 2 or 4 bytes. It reports false where the frame ends before it does.
func load(f []byte, at int, size uint8) (uint32, bool) {
	if at+int(size) > len(f) {
		return 0, false
	}
	switch f = f[at:]; size {
	case 1:
		return uint32(f[0]), true
	case 2:
		return uint32(binary.BigEndian.Uint16(f)), true
	}
	return binary.BigEndian.Uint32(f), true
}

// vxlanPort is the UDP port of VXLAN (RFC 7348 section 8).
const vxlanPort = 4789

// open finds the frame in a VXLAN packet, over IPv4 or over IPv6 without extension headers, with any number of tags in front.
func open(f []byte, underlay bool) (vni uint32, inner []byte, ok bool) {
	at := 12
	etherType, ok := load(f, at, 2)
	for ok && isTag(etherType) {
		at += 4
		etherType, ok = load(f, at, 2)
	}
	if !ok {
		return 0, nil, false
	}
	f = f[at+2:]
	header, protocol := 0, byte(0)
	switch {
	case etherType == typeIP && len(f) >= 20 && binary.BigEndian.Uint16(f[6:])&0x1fff == 0:
		header, protocol = int(f[0]&0x0f)*4, f[9]
	case etherType == typeIP6 && len(f) >= 40:
		header, protocol = 40, f[6]
	}
	const headers = 8 + 8 // of UDP and VXLAN
	if protocol != protoUDP || header < 20 || len(f) < header+headers {
		return 0, nil, false
	}
	f = f[header:]
	if !underlay && binary.BigEndian.Uint16(f[2:]) != vxlanPort || f[8]&0x08 == 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(f[12:]) >> 8, f[headers:], true
}
