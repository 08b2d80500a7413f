package doctor

import (
	"encoding/binary"
	"net/netip"
)

// partly is bytes of which some are known.
type partly struct {
	bytes [64]byte
	known [64]bool
}

func (p *partly) set(at int, b ...byte) {
	for i, v := range b {
		p.bytes[at+i], p.known[at+i] = v, true
	}
}

// get returns n bytes from at on if all are known.
func (p *partly) get(at, n int) ([]byte, bool) {
	if at < 0 || n < 0 || at+n > len(p.bytes) {
		return nil, false
	}
	for _, k := range p.known[at : at+n] {
		if !k {
			return nil, false
		}
	}
	return p.bytes[at : at+n], true
}

// hook is where in the kernel rules look (enum nf_inet_hooks).
type hook int

const (
	prerouting hook = iota
	input
	forward // not asked: nothing is forwarded
	output
	postrouting
	ingress // of the family netdev
)

// packet is one that rules may drop.
type packet struct {
	what               string // for people
	in                 bool
	iface              string
	ifindex            int
	src, dst           netip.Addr // zero where it may be any
	six                bool
	proto              byte
	port               uint16 // UDP destination
	network, transport partly
}

const (
	protoIGMP = 2
	protoUDP  = 17
)

// build fills the headers in, as far as they are known.
func (p *packet) build() *packet {
	if p.six {
		p.network.set(0, 0x60)
		p.network.set(6, p.proto)
		setAddr(&p.network, 8, p.src)
		setAddr(&p.network, 24, p.dst)
	} else {
		p.network.set(0, 0x45)
		p.network.set(6, 0, 0) // put together by the time that rules see it, at prerouting with connection tracking
		p.network.set(9, p.proto)
		setAddr(&p.network, 12, p.src)
		setAddr(&p.network, 16, p.dst)
	}
	if p.proto == protoUDP {
		p.transport.set(2, binary.BigEndian.AppendUint16(nil, p.port)...)
	}
	return p
}

func setAddr(to *partly, at int, a netip.Addr) {
	if a.IsValid() {
		to.set(at, a.AsSlice()...)
	}
}

// hooks are those that it passes, in order.
func (p *packet) hooks() []hook {
	if p.in {
		return []hook{ingress, prerouting, input}
	}
	return []hook{output, postrouting}
}

// mostSources bounds how many remotes are tried, each for itself.
const mostSources = 16

// firewalled are the packets of which it is asked what rules do with them.
func (f *facts) firewalled() (all []*packet) {
	u := f.underlay
	var local [2]netip.Addr // over IPv4 and IPv6
	for _, a := range u.addrs.value {
		if i := boolInt(a.Is6()); !local[i].IsValid() {
			local[i] = a
		}
	}
	if a := f.Config.Underlay.Local; a.IsValid() {
		local[boolInt(a.Is6())] = a
	}
	add := func(p packet) {
		p.iface, p.ifindex = u.name, u.info.Index
		all = append(all, p.build())
	}
	for _, r := range f.remotes[:min(len(f.remotes), mostSources)] {
		at := local[boolInt(r.Is6())]
		add(packet{what: "fragments and packets with options from " + r.String(), in: true, six: r.Is6(), proto: protoUDP, port: f.Config.Underlay.DstPort, src: r, dst: at})
		add(packet{what: "first packets to " + r.String(), six: r.Is6(), proto: protoUDP, port: f.Config.Underlay.DstPort, src: at, dst: r})
	}
	if len(f.remotes) == 0 {
		six := f.overIPv6() || !local[0].IsValid() && local[1].IsValid()
		add(packet{what: "fragments and packets with options from VTEPs", in: true, six: six, proto: protoUDP, port: f.Config.Underlay.DstPort, dst: local[boolInt(six)]})
		add(packet{what: "first packets to VTEPs", six: six, proto: protoUDP, port: f.Config.Underlay.DstPort, src: local[boolInt(six)]})
	}
	for _, g := range f.groups {
		if g.Is4() {
			add(packet{what: "IGMP queries", in: true, proto: protoIGMP})
			add(packet{what: "IGMP reports", proto: protoIGMP, src: local[0]})
			break
		}
	}
	return all
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
