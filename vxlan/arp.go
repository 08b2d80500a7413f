package vxlan

import "encoding/binary"

const (
	typeARP = 0x0806

	arpLen     = 28
	arpHeader  = 1<<48 | typeIPv4<<32 | 6<<24 | 4<<16 // Ethernet, IPv4, lengths of their addresses
	arpRequest = 1
	arpReply   = 2

	atSHA, atSPA, atTHA, atTPA = 8, 14, 18, 24 // hardware and protocol addresses of sender and target
)

// arp reads an ARP packet for IPv4 over Ethernet, and judges it as br_do_proxy_suppress_arp does: what is about the sender's own
// address, or has none (a probe, RFC 5227), is an announcement. The kernel takes any hardware type and operation for one; here it
// is a request or a reply, or no message.
func (m *Neigh) arp(p []byte) bool {
	if len(p) < arpLen {
		return false
	}
	header := binary.BigEndian.Uint64(p)
	if op := uint16(header); header&^0xffff != arpHeader || op != arpRequest && op != arpReply {
		return false
	}
	spa, tpa := binary.BigEndian.Uint32(p[atSPA:]), binary.BigEndian.Uint32(p[atTPA:])
	m.reply = mac6(p[atSHA:])
	if !martian(spa) && UnicastMAC(m.reply) {
		m.Claim, m.IP, m.MAC = NeighMoves, ipOf4(spa), m.reply
	}
	switch {
	case loopbackOrGroup(tpa):
	case spa>>24 == 0 || spa == tpa:
		m.Kind = NeighAnnounce
	case uint16(header) == arpRequest && UnicastMAC(m.reply) && !martian(tpa):
		m.Kind, m.Target = NeighAsk, ipOf4(tpa)
	}
	return true
}

func loopbackOrGroup(a uint32) bool { return a>>24 == 127 || a>>28 == 0xe }

// putARPReply makes the request p the reply to it.
func putARPReply(p []byte, to, mac uint64) int {
	asker, target := binary.BigEndian.Uint32(p[atSPA:]), binary.BigEndian.Uint32(p[atTPA:])
	binary.BigEndian.PutUint64(p, arpHeader|arpReply)
	putMAC6(p[atSHA:], mac)
	binary.BigEndian.PutUint32(p[atSPA:], target)
	putMAC6(p[atTHA:], to)
	binary.BigEndian.PutUint32(p[atTPA:], asker)
	return arpLen
}
