package vxlan

// A packet towards the underlay:
//
//	NewHeaders        once per remote and set of tunnel options: all that packets share (headers.go)
//	Template.Put      per packet: the copy, and what differs; over IPv4, without a tag
//	PutInherit        where TTL or DF come from the inner header
//	PutChecksum       where the tunnel has UDP checksums
//	Headers.Put ...   the same for headers of any length: over IPv6 (template6.go), with a VLAN tag

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// TemplateConfig says what all packets to one remote share.
type TemplateConfig struct {
	SrcMAC, DstMAC [6]byte    // DstMAC may be zero while the neighbour is not known, if the kernel is to send the packet
	Tag            uint32     // VLAN tag behind the MAC addresses: its type (0x8100), then its control information; 0 for none
	Src, Dst       netip.Addr // of one family; IPv4 may be mapped into IPv6
	DstPort        uint16     // not 0
	VNI            uint32     // in place of the one that Headers.Put is told; 0: that one
	SrcPorts       [2]uint16  // of which the flow's hash picks one, both included
	TTL            uint8      // or hop limit; not 0
	TOS            uint8      // its DSCP; the ECN field is the inner packet's
	InheritTOS     bool       // the inner packet's DSCP instead
	DF             bool       // over IPv4
	Label          uint32     // over IPv6: the flow label, 20 bits
	LabelFrom      LabelFrom  // over IPv6: where else the flow label comes from, with Label 0
}

// Template is a prebuilt outer header, Ethernet without a tag to VXLAN over IPv4, and fills one cache line. It is never written to
// after NewTemplate, so any number of goroutines may use it. The zero value makes no valid packets.
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

// NewTemplate builds the outer header over IPv4. It refuses IPv6, a tag, and addresses that no packet can come from or go to.
func NewTemplate(cfg TemplateConfig) (Template, error) {
	src, dst, err := cfg.check()
	switch {
	case err != nil:
		return Template{}, err
	case dst.Is6():
		return Template{}, cfg.wrong("%v is IPv6", dst)
	case cfg.Tag != 0:
		return Template{}, cfg.wrong("VLAN tag %#x", cfg.Tag)
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
	t.tos, t.inherited = cfg.inherit()
	t.firstPort, t.ports = cfg.SrcPorts[0], uint32(cfg.SrcPorts[1]-cfg.SrcPorts[0])+1
	if !cfg.DF {
		t.idMask = 0xffff
	}
	return t, nil
}

// inherit says which TOS all packets have, and which bits come from the inner packet: all, or ECN. That always does, by RFC 6040
// section 4.1, normal mode; the kernel's device sends ECT(0) for an inner CE, which RFC 6040 replaced.
func (cfg *TemplateConfig) inherit() (tos, inherited uint8) {
	if cfg.InheritTOS {
		return 0, 0xff
	}
	return cfg.TOS &^ ecnMask, ecnMask
}

// check refuses what no packet can have, and returns the addresses.
func (cfg *TemplateConfig) check() (src, dst netip.Addr, err error) {
	src, dst = cfg.Src.Unmap(), cfg.Dst.Unmap()
	for _, addr := range []netip.Addr{src, dst} {
		switch {
		case !addr.IsValid():
			return src, dst, cfg.wrong("address missing")
		case addr.IsUnspecified():
			return src, dst, cfg.wrong("%v is no host's address", addr)
		}
	}
	switch {
	case src.Is4() != dst.Is4():
		return src, dst, cfg.wrong("one is IPv4, the other IPv6")
	case notSource(src):
		return src, dst, cfg.wrong("%v is not a unicast source, remotes would drop it", src)
	case cfg.DstPort == 0:
		return src, dst, cfg.wrong("destination port 0")
	case cfg.TTL == 0:
		return src, dst, cfg.wrong("TTL 0, packets would not leave")
	case cfg.SrcPorts[0] > cfg.SrcPorts[1]:
		return src, dst, cfg.wrong("source ports %d to %d", cfg.SrcPorts[0], cfg.SrcPorts[1])
	}
	return src, dst, nil
}

// notSource tells an address that no host may send from.
func notSource(src netip.Addr) bool {
	if src.Is4() {
		return martian(binary.BigEndian.Uint32(src.AsSlice()))
	}
	b := src.As16()
	return martian6(binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:]))
}

// wrong is the error of a configuration that no packet can be made of.
func (cfg *TemplateConfig) wrong(reason string, args ...any) error {
	return fmt.Errorf("build outer header from %v to %v: %s", cfg.Src, cfg.Dst, fmt.Sprintf(reason, args...))
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
// every byte, so it comes last: after Mend, Put and PutInherit. Over IPv4 and without a tag: see Headers.PutChecksum.
func PutChecksum(pkt []byte) { putChecksum(pkt[atSrcIP:], atUDP-atSrcIP) }

// putChecksum fills in the UDP checksum of what starts at the outer source address; the UDP header is at udp. The addresses stand right
// in front of it: one run covers both (RFC 768, RFC 8200 section 8.1).
func putChecksum(b []byte, udp int) {
	binary.BigEndian.PutUint16(b[udp+6:], 0)
	check := ^Fold(Sum(b, uint64(protoUDP)+uint64(len(b)-udp)))
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(b[udp+6:], check)
}
