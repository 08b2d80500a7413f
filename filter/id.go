package filter

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// of makes the test of the address, network, port or protocol that comes next, which has qualifiers.
func (p *parser) of(q qualifiers) (*node, error) {
	w, ok := p.take()
	if !ok {
		return nil, p.fault(w, "what to test for is missing")
	}
	switch q.kind {
	case "port", "portrange":
		return p.port(q, w)
	case "proto":
		return p.proto(q, w)
	case "net":
		return p.net(q, w)
	}
	if q.proto == "ether" {
		return p.station(q, w)
	}
	return p.host(q, w)
}

func isNumber(w string) bool { return w != "" && w[0] >= '0' && w[0] <= '9' }

// number is the next word as one.
func (p *parser) number(most uint64) (uint32, error) {
	w, ok := p.take()
	n, err := strconv.ParseUint(w.text, 0, 64)
	if !ok || err != nil || n > most {
		return 0, p.fault(w, "a number from 0 to %d is expected", most)
	}
	return uint32(n), nil
}

// station tests for a hardware address.
func (p *parser) station(q qualifiers, w word) (*node, error) {
	mac, ok := hardware(w.text)
	if !ok {
		return nil, p.fault(w, "no hardware address, such as 02:00:00:00:00:01")
	}
	high, low := uint32(binary.BigEndian.Uint16(mac)), binary.BigEndian.Uint32(mac[2:])
	at := func(i int) *node { return and(equal(i+2, 4, low), equal(i, 2, high)) }
	return directed(q.dir, at(6), at(0)), nil
}

// hardware reads a hardware address of six bytes, in which a byte between colons may have one digit.
func hardware(text string) (net.HardwareAddr, bool) {
	digits := strings.Split(text, ":")
	for i, d := range digits {
		if len(digits) == 6 && len(d) == 1 {
			digits[i] = "0" + d
		}
	}
	mac, err := net.ParseMAC(strings.Join(digits, ":"))
	return mac, err == nil && len(mac) == 6
}

// directed joins the tests of the two ends.
func directed(d direction, src, dst *node) *node {
	switch d {
	case source:
		return src
	case destination:
		return dst
	case both:
		return and(src, dst)
	}
	return or(src, dst)
}

func (p *parser) host(q qualifiers, w word) (*node, error) {
	addr, err := netip.ParseAddr(w.text)
	if err != nil || addr.Zone() != "" {
		if _, ok := hardware(w.text); ok {
			return nil, p.fault(w, "a hardware address wants ether in front: ether host %s", w.text)
		}
		if addr, ok := partial(w.text); ok && q.kind == "" && q.proto != "" || ok && q.kind == "host" {
			return nil, p.fault(w, "no address (net %v is a network)", addr)
		}
		return nil, p.fault(w, "no IP address, and names are not looked up")
	}
	return p.network(q, w, netip.PrefixFrom(addr, addr.BitLen()))
}

// partial is a network in fewer than four numbers, such as 10 or 192.168.
func partial(w string) (netip.Prefix, bool) {
	parts := strings.Split(w, ".")
	if len(parts) > 4 {
		return netip.Prefix{}, false
	}
	var b [4]byte
	for i, s := range parts {
		n, err := strconv.ParseUint(s, 10, 8)
		if err != nil || len(s) > 1 && s[0] == '0' { // 010 is ten to some, and eight to tcpdump
			return netip.Prefix{}, false
		}
		b[i] = byte(n)
	}
	return netip.PrefixFrom(netip.AddrFrom4(b), 8*len(parts)), true
}

func (p *parser) net(q qualifiers, w word) (*node, error) {
	text, length, slashed := strings.Cut(w.text, "/")
	prefix, ok := partial(text)
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		prefix, ok = netip.PrefixFrom(addr, addr.BitLen()), true
	}
	if !ok {
		return nil, p.fault(w, "no network, such as 10.0.0.0/8")
	}
	switch {
	case slashed:
		n, err := strconv.ParseUint(length, 10, 8)
		if err != nil || int(n) > prefix.Addr().BitLen() {
			return nil, p.fault(w, "the length of a prefix is a number from 0 to %d", prefix.Addr().BitLen())
		}
		prefix = netip.PrefixFrom(prefix.Addr(), int(n))
	case p.accept("mask"):
		m, _ := p.take()
		mask, err := netip.ParseAddr(m.text)
		if err != nil || !mask.Is4() || !prefix.Addr().Is4() {
			return nil, p.fault(m, "no mask, such as 255.0.0.0")
		}
		b := mask.As4()
		ones, bits := net.IPv4Mask(b[0], b[1], b[2], b[3]).Size()
		if bits == 0 {
			return nil, p.fault(m, "a mask is ones, and then zeros")
		}
		prefix = netip.PrefixFrom(prefix.Addr(), ones)
	}
	if prefix.Masked() != prefix {
		return nil, p.fault(w, "bits are set behind the network's: %v is meant?", prefix.Masked())
	}
	return p.network(q, w, prefix)
}

// network tests for an address of a network, in whatever protocol fits.
func (p *parser) network(q qualifiers, w word, n netip.Prefix) (*node, error) {
	four := n.Addr().Is4()
	inARP := func(t uint32) *node { return and(p.etherType(t), p.addresses(q.dir, 14, 24, n)) }
	switch {
	case q.proto == "ip6" && !four, q.proto == "" && !four:
		return and(p.etherType(typeIP6), p.addresses(q.dir, 8, 24, n)), nil
	case q.proto == "ip" && four:
		return and(p.etherType(typeIP), p.addresses(q.dir, 12, 16, n)), nil
	case (q.proto == "arp" || q.proto == "rarp") && four:
		return inARP(etherTypes[q.proto]), nil
	case q.proto == "" && four:
		arps := &node{op: opIf, x: p.etherType(typeARP), y: p.addresses(q.dir, 14, 24, n), z: inARP(typeRARP)}
		return &node{op: opIf, x: p.etherType(typeIP), y: p.addresses(q.dir, 12, 16, n), z: arps}, nil
	}
	return nil, p.fault(w, "is not an address of %s", q.proto)
}

// addresses tests those at two places behind the EtherType.
func (p *parser) addresses(d direction, src, dst int, n netip.Prefix) *node {
	if n.Bits() == 0 {
		return &node{op: opLength, hi: 1<<32 - 1}
	}
	at := func(i int) *node {
		bytes, bits, i := n.Addr().AsSlice(), n.Bits(), p.payload()+i
		var all *node
		for ; len(bytes) > 0; bytes, bits, i = bytes[4:], bits-32, i+4 {
			mask := ^uint32(0) << (32 - min(max(bits, 0), 32))
			if all != nil && mask == 0 {
				break
			}
			t := &node{op: opEqual, size: 4, at: i, mask: mask, lo: binary.BigEndian.Uint32(bytes)}
			if all == nil {
				all = t
			} else {
				all = and(all, t)
			}
		}
		return all
	}
	return directed(d, at(src), at(dst))
}

// port tests for one, or for a range.
func (p *parser) port(q qualifiers, w word) (*node, error) {
	v, plain := protocols[q.proto], q.proto == ""
	if !plain && v != protoTCP && v != protoUDP && v != protoSCTP {
		return nil, p.fault(w, "%s has no ports", q.proto)
	}
	low, high, ranged := strings.Cut(w.text, "-")
	if q.kind == "port" {
		low, high, ranged = w.text, w.text, true
	} else if !ranged {
		high = low
	}
	lo, protos, ok := portNumber(low)
	hi, _, ok2 := portNumber(high)
	if !plain && slices.Contains(protos, v) {
		protos = []uint32{v}
	} else if !plain {
		ok = false
	}
	if !ok || !ok2 {
		return nil, p.fault(w, "no port: a number from 0 to 65535, or a name of /etc/services")
	}
	lo, hi = min(lo, hi), max(lo, hi)
	ip := p.payload()
	is := func(at int) *node {
		n := equal(at, 1, protos[0])
		for _, v := range protos[1:] {
			n = or(n, equal(at, 1, v))
		}
		return n
	}
	four := func(at uint32) *node { return &node{op: opPort, size: 2, at: ip, mask: at, lo: lo, hi: hi} }
	six := func(at int) *node { return &node{op: opWithin, size: 2, at: ip + 40 + at, lo: lo, hi: hi} }
	first := &node{op: opEqual, size: 2, at: ip + 6, mask: 0x1fff}
	return &node{op: opIf, x: p.etherType(typeIP),
		y: and(and(is(ip+9), first), directed(q.dir, four(0), four(2))),
		z: and(and(p.etherType(typeIP6), is(ip+6)), directed(q.dir, six(0), six(2)))}, nil
}

// portNumber is a port by number, or by name, and what protocols have one that is called so.
func portNumber(s string) (n uint32, protos []uint32, ok bool) {
	anyPorts := []uint32{protoTCP, protoUDP, protoSCTP}
	if isNumber(s) {
		n, err := strconv.ParseUint(s, 0, 16)
		return uint32(n), anyPorts, err == nil
	}
	tcp, err := net.LookupPort("tcp", s)
	udp, err2 := net.LookupPort("udp", s)
	switch {
	case s == "" || err != nil && err2 != nil:
		return 0, nil, false
	case err2 != nil:
		return uint32(tcp), []uint32{protoTCP}, true
	case err != nil:
		return uint32(udp), []uint32{protoUDP}, true
	case tcp != udp:
		return uint32(tcp), []uint32{protoTCP}, true
	}
	return uint32(tcp), anyPorts, true
}

// proto tests for a protocol by name or number: of IP, or with ether an EtherType.
func (p *parser) proto(q qualifiers, w word) (*node, error) {
	name := strings.TrimPrefix(w.text, `\`)
	if q.dir != either {
		return nil, p.fault(w, "a protocol has no direction")
	}
	if q.proto == "ether" {
		t, ok := etherTypes[name]
		if n, err := strconv.ParseUint(name, 0, 16); err == nil {
			t, ok = uint32(n), n > 1500
		}
		if !ok {
			return nil, p.fault(w, "no EtherType: ip, ip6, arp, rarp or a number above 1500")
		}
		return p.etherType(t), nil
	}
	v, ok := protocols[name]
	if n, err := strconv.ParseUint(name, 0, 8); err == nil {
		v, ok = uint32(n), true
	}
	if !ok {
		return nil, p.fault(w, "no protocol of IP: a name such as tcp, or a number from 0 to 255")
	}
	switch q.proto {
	case "ip":
		return p.protocol4(v), nil
	case "ip6":
		return p.protocol6(v), nil
	case "":
		return or(p.protocol4(v), p.protocol6(v)), nil
	}
	return nil, p.fault(w, "%s has no protocols: ip, ip6 and ether have", q.proto)
}
