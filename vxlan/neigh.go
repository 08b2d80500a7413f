package vxlan

// Who is at which MAC address: what ARP packets (RFC 826, RFC 5227) and neighbour discovery messages (RFC 4861) in inner frames
// ask and tell, and the answer on somebody's behalf.
//
//	ParseNeigh      is it one, and of what kind? arp.go, nd.go
//	PutNeighAnswer  turn a question into its answer, in place

import (
	"encoding/binary"
	"net/netip"
)

// IP is an IP address in two words, the first byte on the wire the most significant; IPv4 as ::ffff:a.b.c.d. The zero value is
// no address.
type IP struct{ Hi, Lo uint64 }

const mapped = 0xffff << 32 // in front of an IPv4 address

func ipOf4(a uint32) IP { return IP{0, mapped | uint64(a)} }

func ipOf6(b []byte) IP { return IP{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])} }

// MakeIP is a, without its zone.
func MakeIP(a netip.Addr) IP {
	b := a.As16()
	return ipOf6(b[:])
}

// Is4 tells an IPv4 address.
func (a IP) Is4() bool { return a.Hi == 0 && a.Lo>>32 == 0xffff }

// Addr is the address for everybody else; an invalid one for the zero value.
func (a IP) Addr() netip.Addr {
	if a == (IP{}) {
		return netip.Addr{}
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b).Unmap()
}

// NeighKind says what a message about neighbours wants.
type NeighKind uint8

// The kinds.
const (
	NeighOther    NeighKind = iota // it goes on like any frame: an answer, or a question for an address that no host has
	NeighAsk                       // who has Target?
	NeighAnnounce                  // nobody is asked: gratuitous ARP, an ARP probe, duplicate address detection, an unsolicited advertisement
)

// NeighClaim is how far a claim reaches.
type NeighClaim uint8

// From the weakest to the strongest.
const (
	NeighNoClaim  NeighClaim = iota
	NeighConfirms            // what is known; an advertisement without a link-layer address
	NeighEnters              // an address that is not known, too; an advertisement without the override flag
	NeighMoves               // and one that was at another MAC address
)

// NeighRouter is what a message says of its sender being a router.
type NeighRouter uint8

// Solicitations do not say; IPv4 hosts are not asked.
const (
	RouterUnknown NeighRouter = iota
	NotRouter
	IsRouter
)

// Neigh is what a message says. ParseNeigh fills all of it.
type Neigh struct {
	Kind   NeighKind
	Target IP // who is asked for, of NeighAsk only

	// Who claims to be where. IP is an address that a host can have, MAC a unicast one, wherever there is a claim.
	Claim  NeighClaim
	IP     IP
	MAC    uint64
	Router NeighRouter

	// VLAN is the ID of the frame's tag, 0 without one and with a tag that has only a priority. Both addresses are of that VLAN.
	VLAN uint16

	reply uint64 // the MAC address that an answer goes to
	at    int    // offset of the ARP packet or IP header
}

// NeighAnswerRoom is how many bytes from the frame's start on PutNeighAnswer may write.
const NeighAnswerRoom = etherLen + 4 + ip6Len + naLen

// ParseNeigh reads a frame, which in was parsed from, and reports whether it is an ARP packet or a neighbour solicitation or
// advertisement that a host would take: others are no messages, and go on like any frame. Frames with two tags are not looked into.
func ParseNeigh(frame []byte, in *Inner, m *Neigh) bool {
	if in.VLANs > 1 {
		return false
	}
	at := etherLen + 4*int(in.VLANs)
	switch {
	case in.EtherType == typeARP:
		*m = Neigh{VLAN: in.VLAN & 0xfff, at: at}
		return m.arp(frame[at:])
	case in.IPVersion == 6 && in.Proto == protoICMPv6 && in.L4 == in.L3+ip6Len && in.TTL == ndHops:
		*m = Neigh{VLAN: in.VLAN & 0xfff, at: at}
		return m.nd(frame[at:in.End], in.Src)
	}
	return false
}

// PutNeighAnswer makes the question in frame, which m was parsed from, the answer that m.Target is at mac, and returns its length in
// bytes: longer than the question it may be, so frame has NeighAnswerRoom bytes. It leaves by the port that the question came from,
// with the tag that it came with. Bytes are those that the kernel's bridge would send (br_arp_send, br_nd_send).
func PutNeighAnswer(frame []byte, m *Neigh, mac uint64, router bool) int {
	binary.BigEndian.PutUint32(frame, uint32(m.reply>>16))
	binary.BigEndian.PutUint64(frame[4:], m.reply<<48|mac)
	if m.Target.Is4() {
		return m.at + putARPReply(frame[m.at:], m.reply, mac)
	}
	return m.at + putAdvertisement(frame[m.at:], mac, router)
}

// mac6 reads a MAC address.
func mac6(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}

func putMAC6(b []byte, mac uint64) {
	binary.BigEndian.PutUint16(b, uint16(mac>>32))
	binary.BigEndian.PutUint32(b[2:], uint32(mac))
}
