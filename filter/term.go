package filter

import (
	"slices"
	"strings"
)

// direction is which of two addresses or ports is meant.
type direction uint8

const (
	either direction = iota
	source
	destination
	both
)

const (
	typeIP   = 0x0800
	typeARP  = 0x0806
	typeRARP = 0x8035
	typeIP6  = 0x86dd

	protoICMP  = 1
	protoTCP   = 6
	protoUDP   = 17
	protoFrag  = 44 // the fragment header of IPv6
	protoICMP6 = 58
	protoSCTP  = 132
)

func isTag(etherType uint32) bool {
	return etherType == 0x8100 || etherType == 0x88a8 || etherType == 0x9100
}

// etherTypes and protocols are names that mean a packet of theirs, alone, and of what an address is, in front of one.
var (
	etherTypes = map[string]uint32{"ip": typeIP, "ip6": typeIP6, "arp": typeARP, "rarp": typeRARP}
	protocols  = map[string]uint32{
		"icmp": protoICMP, "igmp": 2, "tcp": protoTCP, "udp": protoUDP, "gre": 47, "esp": 50, "ah": 51, "icmp6": protoICMP6,
		"pim": 103, "vrrp": 112, "sctp": protoSCTP,
	}
	kinds = []string{"host", "net", "port", "portrange", "proto"}
)

// term is one test: qualifiers and what they are of, or a word that is a test by itself.
func (p *parser) term() (*node, error) {
	w, ok := p.peek()
	switch {
	case !ok:
		return nil, p.fault(w, "something to test for is missing")
	case p.accept("vlan"):
		return p.vlan()
	case p.accept("vxlan"):
		return p.vxlan(true)
	case p.accept("vni"):
		return p.vxlan(false)
	case p.accept("greater"):
		p.begun = false
		n, err := p.number(1<<32 - 1)
		return p.layered(&node{op: opLength, lo: n, hi: 1<<32 - 1}), err
	case p.accept("less"):
		p.begun = false
		n, err := p.number(1<<32 - 1)
		return p.layered(&node{op: opLength, hi: n}), err
	}
	q, given, alone, err := p.qualifiers()
	if err != nil {
		return nil, err
	}
	if alone != nil {
		p.begun = false // a term that is nothing but an address has nothing to go by
		return p.layered(alone), nil
	}
	if !given {
		named := strings.HasPrefix(p.last.kind, "port") || p.last.kind == "proto"
		if w, _ := p.peek(); !p.begun || !isID(w.text) && !named {
			return nil, p.fault(w, "not known (a test begins with a word such as host, net, port, tcp, ether or vlan)")
		}
		q = p.last
	}
	p.last, p.begun = q, true
	if w, ok := p.peek(); ok && w.text == "(" { // of several, as in: port (80 or 443)
		return p.operand()
	}
	n, err := p.of(q)
	if err != nil {
		return nil, err
	}
	return p.layered(n), nil
}

// qualifiers reads what stands in front of an address or a port. Where nothing of the kind follows, it is a test by itself.
func (p *parser) qualifiers() (q qualifiers, given bool, alone *node, err error) {
	first, _ := p.peek()
	if w := first.text; w == "ether" || etherTypes[w] != 0 || protocols[w] != 0 {
		q.proto, given = w, true
		p.next++
		if p.accept("broadcast", "multicast") {
			p.next--
			alone, err = p.cast(q.proto)
			return q, given, alone, err
		}
	} else if w == "broadcast" || w == "multicast" {
		alone, err = p.cast("")
		return q, given, alone, err
	}
	directed := true
	switch {
	case p.accept("src"):
		q.dir = source
		if p.accept("or") {
			q.dir, err = either, p.expect("dst")
		} else if p.accept("and") {
			q.dir, err = both, p.expect("dst")
		}
	case p.accept("dst"):
		q.dir = destination
		if p.accept("or") {
			q.dir, err = either, p.expect("src")
		} else if p.accept("and") {
			q.dir, err = both, p.expect("src")
		}
	default:
		directed = false
	}
	if err != nil {
		return q, given, nil, err
	}
	kinded := false
	if w, ok := p.peek(); ok && slices.Contains(kinds, w.text) {
		q.kind, kinded = w.text, true
		p.next++
	}
	if w, ok := p.peek(); given && !directed && !kinded && !(ok && isID(w.text)) {
		if q.proto == "ether" {
			return q, given, nil, p.fault(w, "after ether one of host, src, dst, proto, broadcast and multicast is expected")
		}
		return q, given, p.is(q.proto), nil
	}
	return q, given || directed || kinded, nil, nil
}

func (p *parser) expect(text string) error {
	if p.accept(text) {
		return nil
	}
	w, _ := p.peek()
	return p.fault(w, "%s is expected", text)
}

// isID says whether a word may be an address, a network, a port or a number.
func isID(w string) bool { return isNumber(w) || strings.Contains(w, ":") }

// typeAt is where the EtherType stands, and payload where what is behind it begins.
func (p *parser) typeAt() int  { return 12 + 4*p.tags }
func (p *parser) payload() int { return p.typeAt() + 2 }

func (p *parser) etherType(v uint32) *node {
	return &node{op: opEqual, size: 2, at: p.typeAt(), mask: 0xffff, lo: v}
}

// is tests for a packet of a protocol.
func (p *parser) is(name string) *node {
	if t, ok := etherTypes[name]; ok {
		return p.etherType(t)
	}
	v := protocols[name]
	switch v {
	case protoICMP, 2:
		return p.protocol4(v)
	case protoICMP6:
		return p.protocol6(v)
	}
	return or(p.protocol4(v), p.protocol6(v))
}

func (p *parser) protocol4(v uint32) *node {
	return and(p.etherType(typeIP), equal(p.payload()+9, 1, v))
}

// protocol6 looks at the first header, and behind that if it is one of a fragment.
func (p *parser) protocol6(v uint32) *node {
	next := p.payload() + 6
	return and(p.etherType(typeIP6), or(equal(next, 1, v), and(equal(next, 1, protoFrag), equal(p.payload()+40, 1, v))))
}

// cast tests for broadcast or multicast.
func (p *parser) cast(proto string) (*node, error) {
	w, _ := p.take()
	switch {
	case w.text == "broadcast" && (proto == "" || proto == "ether"):
		return and(equal(2, 4, 1<<32-1), equal(0, 2, 1<<16-1)), nil
	case w.text == "multicast" && (proto == "" || proto == "ether"):
		return &node{op: opEqual, size: 1, mask: 1, lo: 1}, nil
	case w.text == "multicast" && proto == "ip":
		return and(p.etherType(typeIP), &node{op: opWithin, size: 1, at: p.payload() + 16, lo: 224, hi: 255}), nil
	case w.text == "multicast" && proto == "ip6":
		return and(p.etherType(typeIP6), equal(p.payload()+24, 1, 255)), nil
	}
	return nil, p.fault(w, "is not known of %s", proto)
}

// vlan tests for a tag. What stands behind it in the filter is about what is behind the tag.
func (p *parser) vlan() (*node, error) {
	at := p.typeAt()
	n := or(or(equal(at, 2, 0x8100), equal(at, 2, 0x88a8)), equal(at, 2, 0x9100))
	if w, ok := p.peek(); ok && isNumber(w.text) {
		id, err := p.number(4095)
		if err != nil {
			return nil, err
		}
		n = and(n, &node{op: opEqual, size: 2, at: at + 2, mask: 0xfff, lo: id})
	}
	n = p.layered(n)
	p.tags++
	return n, nil
}

// vxlan tests for a VXLAN packet, and if it moves, makes what stands behind it in the filter be about the frame in it.
func (p *parser) vxlan(moves bool) (*node, error) {
	n := &node{op: opVXLAN, hi: 1<<24 - 1}
	w, ok := p.peek()
	if ok && isNumber(w.text) || !moves {
		vni, err := p.number(1<<24 - 1)
		if err != nil {
			return nil, err
		}
		n.lo, n.hi = vni, vni
	}
	n = p.layered(n)
	if moves {
		p.layers++
		p.tags = 0
	}
	return n, nil
}

func equal(at int, size uint8, v uint32) *node {
	return &node{op: opEqual, size: size, at: at, mask: 1<<32 - 1, lo: v}
}
func and(x, y *node) *node { return &node{op: opAnd, x: x, y: y} }
func or(x, y *node) *node  { return &node{op: opOr, x: x, y: y} }
