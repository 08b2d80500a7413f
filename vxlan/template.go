package vxlan

// A packet towards the underlay:
//
//	NewTemplate       once per remote and set of tunnel options: all that packets share
//	Template.Put      per packet: the copy, and what differs
//	PutInherit        where TTL or DF come from the inner header
//	PutChecksum       where the tunnel has UDP checksums

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// TemplateConfig says what all packets to one remote share.
type TemplateConfig struct {
	SrcMAC, DstMAC [6]byte    // DstMAC may be zero while the neighbour is not known, if the kernel is to send the packet
	Src, Dst       netip.Addr // IPv4, or IPv4 mapped into IPv6
	DstPort        uint16     // not 0
	SrcPorts       [2]uint16  // of which the flow's hash picks one, both included
	TTL            uint8      // not 0
	TOS            uint8      // its DSCP; the ECN field is the inner packet's
	InheritTOS     bool       // the inner packet's DSCP instead
	DF             bool
}

// Template is a prebuilt outer header, Ethernet to VXLAN, and fills one cache line. It is never written to after NewTemplate, so any
// number of goroutines may use it. The zero value makes no valid packets.
type Template struct {
	header    [Overhead]byte // TOS, lengths, IPv4 checksum, source port, VNI and UDP checksum are 0
	tos       uint8          // DSCP where it is fixed
	inherited uint8          // what of the inner TOS is copied: all of it, or ECN
	sum       uint32         // of the IPv4 header, without TOS, total length and checksum
	ports     uint32         // how many source ports there are
	firstPort uint16
	idMask    uint16 // 0 with DF, else all ones
}

// Offsets in the outer headers.
const (
	atTOS         = 15
	atTotal       = 16
	atFlags       = 20
	atTTL         = 22
	atIPChecksum  = 24
	atSrcIP       = 26
	atDstIP       = 30
	atUDP         = 34
	atUDPLength   = 38
	atUDPChecksum = 40
	atVXLAN       = 42
	atVNI         = 46
)

const flagDF = 0x4000

// NewTemplate builds the outer header. It refuses IPv6 and addresses that no packet can come from or go to.
func NewTemplate(cfg TemplateConfig) (Template, error) {
	src, dst := cfg.Src.Unmap(), cfg.Dst.Unmap()
	fail := func(reason string, args ...any) (Template, error) {
		return Template{}, fmt.Errorf("build outer header from %v to %v: %s", cfg.Src, cfg.Dst, fmt.Sprintf(reason, args...))
	}
	for _, addr := range []netip.Addr{src, dst} {
		switch {
		case !addr.IsValid():
			return fail("address missing")
		case addr.Is6():
			return fail("%v is IPv6, only an IPv4 underlay is supported", addr)
		case addr.IsUnspecified():
			return fail("%v is no host's address", addr)
		}
	}
	switch {
	case martian(binary.BigEndian.Uint32(src.AsSlice())):
		return fail("%v is not a unicast source, remotes would drop it", src)
	case cfg.DstPort == 0:
		return fail("destination port 0")
	case cfg.TTL == 0:
		return fail("TTL 0, packets would not leave")
	case cfg.SrcPorts[0] > cfg.SrcPorts[1]:
		return fail("source ports %d to %d", cfg.SrcPorts[0], cfg.SrcPorts[1])
	}

	var t Template
	h := t.header[:]
	copy(h, cfg.DstMAC[:])
	copy(h[6:], cfg.SrcMAC[:])
	binary.BigEndian.PutUint16(h[12:], typeIPv4)
	h[etherLen] = plainIPv4
	if cfg.DF {
		binary.BigEndian.PutUint16(h[atFlags:], flagDF)
	}
	h[atTTL], h[atTTL+1] = cfg.TTL, protoUDP
	copy(h[atSrcIP:], src.AsSlice())
	copy(h[atDstIP:], dst.AsSlice())
	t.sum = uint32(Fold(Sum(h[etherLen:atUDP], 0)))
	binary.BigEndian.PutUint16(h[atUDP+2:], cfg.DstPort)
	binary.BigEndian.PutUint64(h[atVXLAN:], flagI)
	// ECN always by RFC 6040 section 4.1, normal mode; the kernel's device sends ECT(0) for an inner CE, which RFC 6040 replaced.
	t.tos, t.inherited = cfg.TOS&^ecnMask, ecnMask
	if cfg.InheritTOS {
		t.tos, t.inherited = 0, 0xff
	}
	t.firstPort, t.ports = cfg.SrcPorts[0], uint32(cfg.SrcPorts[1]-cfg.SrcPorts[0])+1
	if !cfg.DF {
		t.idMask = 0xffff
	}
	return t, nil
}

// TTL returns the configured TTL, for PutInherit where only DF is inherited.
func (t *Template) TTL() uint8 { return t.header[atTTL] }

// Put writes the outer headers to h, which lies in front of an inner frame of innerLen bytes, at most MaxInner. vni has 24 bits. The
// inner frame's flow picks the source port (RFC 7348 section 4.1) and says what of the TOS is inherited. The UDP checksum is 0 (RFC
// 7348 section 5): see PutChecksum.
//
// id is the IPv4 ID of a packet that routers may fragment; with DF it is 0, as RFC 6864 section 4.1 allows. The kernel's device gives
// every packet an ID from a counter that it shares among few destinations (__ip_select_ident in net/ipv4/route.c),
// whatever DF says. Here the caller counts, so that workers share no line: no two packets to one remote should have the
// same ID for as long as fragments live (RFC 6864 section 4.3), so worker w of n best takes w, w+n, w+2n and so on.
func (t *Template) Put(h *[Overhead]byte, innerLen int, vni uint32, flow Flow, id uint16) {
	*h = t.header
	total := uint16(innerLen + Overhead - etherLen)
	tos := t.tos | flow.TOS()&t.inherited
	id &= t.idMask
	h[atTOS] = tos
	binary.BigEndian.PutUint32(h[atTotal:], uint32(total)<<16|uint32(id))
	binary.BigEndian.PutUint16(h[atIPChecksum:], ^Fold(uint64(t.sum)+uint64(total)+uint64(tos)+uint64(id)))
	binary.BigEndian.PutUint16(h[atUDP:], t.firstPort+uint16(uint64(flow>>32)*uint64(t.ports)>>32))
	binary.BigEndian.PutUint16(h[atUDPLength:], total-ip4Len)
	binary.BigEndian.PutUint32(h[atVNI:], vni<<8)
}

// PutInherit changes TTL and DF of the outer header that Put wrote to dst. ttl is not 0.
func PutInherit(dst []byte, ttl uint8, df bool) {
	h := (*[Overhead]byte)(dst)
	old := binary.BigEndian.Uint32(h[atFlags:])
	new := uint32(ttl)<<8 | protoUDP
	if df {
		new |= flagDF << 16
	}
	binary.BigEndian.PutUint32(h[atFlags:], new)
	update32(h, old, new)
}

// update32 brings the header checksum up to date after two words of the header changed (RFC 1624 equation 3).
func update32(h *[Overhead]byte, old, new uint32) {
	check := binary.BigEndian.Uint16(h[atIPChecksum:])
	binary.BigEndian.PutUint16(h[atIPChecksum:], ^Fold(uint64(^check)+uint64(^old)+uint64(new)))
}

// PutChecksum fills in the UDP checksum of pkt, all of the packet from the outer Ethernet header to the end of the inner frame. It reads
// every byte, so it comes last: after Mend, Put and PutInherit.
func PutChecksum(pkt []byte) {
	// The addresses stand right in front of the UDP header: one run covers both (RFC 768).
	pkt = pkt[atSrcIP:]
	sum := uint64(protoUDP) + uint64(len(pkt)-(atUDP-atSrcIP))
	const at = atUDPChecksum - atSrcIP
	binary.BigEndian.PutUint16(pkt[at:], 0)
	check := ^Fold(Sum(pkt, sum))
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(pkt[at:], check)
}
