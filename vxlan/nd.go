package vxlan

import "encoding/binary"

const (
	ndSolicit   = 135
	ndAdvertise = 136
	ndHops      = 255 // of every message: who forwards one takes that away (RFC 4861 section 7.1)

	ndFixed      = 24 // of both messages, in front of the options
	ndSourceLink = 1
	ndTargetLink = 2

	naLen       = ndFixed + 8 // with the one option
	naRouter    = 1 << 31
	naSolicited = 1 << 30
	naOverride  = 1 << 29
)

// nd reads the IPv6 packet p, which has ICMPv6 right behind its header and 255 hops, if it is a message about neighbours that RFC
// 4861 section 7.1 calls valid. The kernel's bridge looks neither at the hop limit nor at the checksum nor at anything else of
// that (br_do_suppress_nd); such packets are no messages here, since no host would take them. src is the frame's source.
func (m *Neigh) nd(p []byte, src uint64) bool {
	icmp := p[ip6Len:]
	if len(icmp) < ndFixed || icmp[1] != 0 || icmp[0] != ndSolicit && icmp[0] != ndAdvertise {
		return false
	}
	if Fold(Sum(icmp, Sum(p[8:ip6Len], uint64(len(icmp))+protoICMPv6))) != 0xffff {
		return false
	}
	from, to, target := p[8:24], p[24:40], icmp[8:ndFixed]
	if target[0] == 0xff {
		return false
	}
	if icmp[0] == ndSolicit {
		return m.solicitation(ipOf6(from), ipOf6(to), target, icmp[ndFixed:], src)
	}
	return m.advertisement(to[0] == 0xff, icmp, src)
}

// solicitation reads what asks for target. One from no address is duplicate address detection.
func (m *Neigh) solicitation(from, to IP, target, options []byte, src uint64) bool {
	link, ok := linkOption(options, ndSourceLink)
	if !ok {
		return false
	}
	m.reply = link
	if link == 0 {
		m.reply = src
	}
	switch {
	case from == IP{}:
		if link != 0 || to.Hi != 0xff02<<48 || to.Lo>>24 != 1<<8|0xff { // not a solicited-node address
			return false
		}
		m.Kind = NeighAnnounce
		return true
	case from == to:
		m.Kind = NeighAnnounce
	case host6(from) && host6(ipOf6(target)) && UnicastMAC(m.reply):
		m.Kind, m.Target = NeighAsk, ipOf6(target)
	}
	if UnicastMAC(link) && host6(from) {
		m.Claim, m.IP, m.MAC = NeighMoves, from, link
	}
	return true
}

// advertisement reads what says where its target is.
func (m *Neigh) advertisement(toGroup bool, icmp []byte, src uint64) bool {
	flags := binary.BigEndian.Uint32(icmp[4:])
	link, ok := linkOption(icmp[ndFixed:], ndTargetLink)
	if !ok || toGroup && flags&naSolicited != 0 {
		return false
	}
	if flags&naSolicited == 0 {
		m.Kind = NeighAnnounce
	}
	if !host6(ipOf6(icmp[8:])) {
		return true
	}
	m.Claim, m.MAC = NeighMoves, link
	switch {
	case link == 0: // the answer to a question that knew it
		m.Claim, m.MAC = NeighConfirms, src
	case flags&naOverride == 0:
		m.Claim = NeighEnters
	}
	if !UnicastMAC(m.MAC) {
		m.Claim, m.MAC = NeighNoClaim, 0
		return true
	}
	m.IP, m.Router = ipOf6(icmp[8:]), NotRouter
	if flags&naRouter != 0 {
		m.Router = IsRouter
	}
	return true
}

// host6 tells an address that one host can have, and that is no IPv4 address in disguise: those are ARP's.
func host6(a IP) bool { return a.Hi>>56 != 0xff && (a.Hi != 0 || a.Lo > 1) && !a.Is4() }

// linkOption finds a link-layer address among options, 0 if there is none. It reports false when the options are malformed.
func linkOption(options []byte, kind byte) (mac uint64, ok bool) {
	for len(options) > 0 {
		if len(options) < 8 {
			return 0, false
		}
		size := int(options[1]) * 8
		if size == 0 || size > len(options) {
			return 0, false
		}
		if options[0] == kind && size == 8 && mac == 0 {
			mac = mac6(options[2:])
		}
		options = options[size:]
	}
	return mac, true
}

// putAdvertisement makes the solicitation in the IPv6 packet p the answer to it: solicited, it overrides what was known.
func putAdvertisement(p []byte, mac uint64, router bool) int {
	class := p[0] & 0x0f // the upper half of the traffic class, which is all that the kernel copies
	var asker, target [16]byte
	copy(asker[:], p[8:24])
	copy(target[:], p[ip6Len+8:])
	binary.BigEndian.PutUint64(p, (6<<4|uint64(class))<<56|naLen<<16|protoICMPv6<<8|ndHops)
	copy(p[8:24], target[:])
	copy(p[24:40], asker[:])
	icmp := p[ip6Len : ip6Len+naLen]
	flags := uint64(naSolicited | naOverride)
	if router {
		flags |= naRouter
	}
	binary.BigEndian.PutUint64(icmp, ndAdvertise<<56|flags)
	copy(icmp[8:], target[:])
	icmp[24], icmp[25] = ndTargetLink, 1
	putMAC6(icmp[26:], mac)
	binary.BigEndian.PutUint16(icmp[2:], ^Fold(Sum(icmp, Sum(p[8:ip6Len], naLen+protoICMPv6))))
	return ip6Len + naLen
}
