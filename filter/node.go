package filter

import "encoding/binary"

// op is what a node does.
type op uint8

const (
	opAnd op = iota
	opOr     // short, as and
	opNot
	opIf     // x says whether y or z is asked
	opEqual  // size bytes at a place, masked, are lo
	opWithin // and these are from lo to hi
	opPort   // so are those of a TCP, UDP or SCTP header, behind an IPv4 header at a place
	opLength // the packet has from lo to hi bytes
	opVXLAN  // the packet is VXLAN, with a VNI from lo to hi
	opBehind // of the frame in a VXLAN packet; of another one, no
	opInner  // of the frame in a VXLAN packet; of another one, of itself
)

// node is a test of a frame, or of what others say. Places are counted from the frame's first byte.
type node struct {
	op     op
	size   uint8 // 1, 2 or 4
	at     int
	mask   uint32
	lo, hi uint32
	x      *node
	y, z   *node
}

// answer is what a filter says of a frame.
type answer uint8

const (
	no answer = iota
	yes
	cut // the frame ends before a byte that is asked for, so the filter does not choose it
)

// step is a node that asks no other: those are in where it goes on. Steps lead to ones with a lower number, and at last to
// yes or no.
type step struct {
	op      op
	size    uint8
	yes, no uint16 // the next one
	at      uint32
	mask    uint32
	lo, hi  uint32
	sub     []step // of opBehind and opInner
}

// opBits is opEqual of any size: in four bytes that end where those do.
const opBits op = 100

// compile makes steps of a tree. The last one is where they begin.
func compile(root *node) []step {
	steps := make([]step, 2, 16) // in whose place no and yes are
	add(&steps, root, uint16(yes), uint16(no))
	return steps
}

// add adds the steps of a node, behind which those with numbers onYes and onNo come, and returns the number of the first.
func add(steps *[]step, n *node, onYes, onNo uint16) uint16 {
	switch n.op {
	case opAnd:
		return add(steps, n.x, add(steps, n.y, onYes, onNo), onNo)
	case opOr:
		return add(steps, n.x, onYes, add(steps, n.y, onYes, onNo))
	case opNot:
		return add(steps, n.x, onNo, onYes)
	case opIf:
		z := add(steps, n.z, onYes, onNo)
		return add(steps, n.x, add(steps, n.y, onYes, onNo), z)
	}
	s := step{op: n.op, size: n.size, yes: onYes, no: onNo, at: uint32(n.at), mask: n.mask, lo: n.lo, hi: n.hi}
	if n.x != nil {
		s.sub = compile(n.x)
	}
	if before := 4 - int(n.size); n.op == opEqual && n.at >= before {
		s.op, s.at, s.mask = opBits, uint32(n.at-before), n.mask&(1<<(8*n.size)-1)
	}
	*steps = append(*steps, s)
	return uint16(len(*steps) - 1)
}

// run says what steps say of a frame.
func run(steps []step, f []byte, underlay bool) answer {
	at, size := len(steps)-1, uint64(len(f))
	for at > int(yes) && at < len(steps) {
		s := &steps[at]
		if s.op == opBits {
			place := uint64(s.at)
			if place+4 > size {
				return cut
			}
			if at = int(s.no); binary.BigEndian.Uint32(f[place:])&s.mask == s.lo {
				at = int(s.yes)
			}
			continue
		}
		switch s.ask(f, underlay) {
		case yes:
			at = int(s.yes)
		case no:
			at = int(s.no)
		default:
			return cut
		}
	}
	return answer(at)
}

// ask is the steps that are rarer.
func (s *step) ask(f []byte, underlay bool) answer {
	switch s.op {
	case opEqual:
		v, ok := load(f, int(s.at), s.size)
		if !ok {
			return cut
		}
		return answerOf(v&s.mask == s.lo)
	case opWithin:
		return within(s, f, int(s.at))
	case opPort:
		if int(s.at) >= len(f) {
			return cut
		}
		return within(s, f, int(s.at)+int(f[s.at]&0x0f)*4+int(s.mask))
	case opLength:
		return answerOf(len(f) >= int(s.lo) && len(f) <= int(s.hi))
	case opVXLAN:
		vni, _, ok := open(f, underlay)
		return answerOf(ok && vni >= s.lo && vni <= s.hi)
	}
	if _, inner, ok := open(f, underlay); ok {
		return run(s.sub, inner, false)
	} else if s.op == opInner {
		return run(s.sub, f, underlay)
	}
	return no
}

func answerOf(b bool) answer {
	if b {
		return yes
	}
	return no
}

func within(s *step, f []byte, at int) answer {
	v, ok := load(f, at, s.size)
	if !ok {
		return cut
	}
	return answerOf(v >= s.lo && v <= s.hi)
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
	const plain, headers = 14 + 20, 8 + 8 // headers of UDP and VXLAN
	// Nearly all are so.
	if len(f) >= plain+headers && binary.BigEndian.Uint32(f[12:])&0xffffff00 == typeIP<<16|0x4500 && f[23] == protoUDP &&
		binary.BigEndian.Uint16(f[20:])&0x1fff == 0 && underlay && f[plain+8]&0x08 != 0 {
		return binary.BigEndian.Uint32(f[plain+12:]) >> 8, f[plain+headers:], true
	}
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
	if protocol != protoUDP || header < 20 || len(f) < header+headers {
		return 0, nil, false
	}
	f = f[header:]
	if !underlay && binary.BigEndian.Uint16(f[2:]) != vxlanPort || f[8]&0x08 == 0 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(f[12:]) >> 8, f[headers:], true
}
