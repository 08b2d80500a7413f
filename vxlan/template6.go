package vxlan

// A packet towards an underlay of IPv6:
//
//	NewTemplate6    once per remote and set of tunnel options
//	Template6.Put   per packet
//	innerLabel      the flow label, where that is the inner packet's

import "encoding/binary"

// LabelFrom says where the flow label of an outer IPv6 header comes from.
type LabelFrom uint8

const (
	// LabelFixed: from TemplateConfig.Label.
	LabelFixed LabelFrom = iota
	// LabelFlow: from the inner flow, as the source port does, for routers that spread IPv6 over links by it (RFC 6438).
	LabelFlow
	// LabelInner: the inner packet's, 0 where that is not IPv6 (ip_tunnel_get_flowlabel, include/net/ip_tunnels.h).
	LabelInner
)

const labelMask = 1<<20 - 1

// Template6 is Template over IPv6.
type Template6 struct {
	header    [Overhead6]byte // traffic class, flow label, length, source port, VNI and UDP checksum are 0
	tos       uint8           // DSCP where it is fixed
	inherited uint8           // what of the inner TOS is copied: all of it, or ECN
	label     uint32          // of all packets
	labelBits uint32          // of the flow's hash that make the label
	ports     uint32          // how many source ports there are
	firstPort uint16
}

// Offsets in the outer headers over IPv6; Ethernet is as over IPv4.
const (
	at6Length      = 18
	at6HopLimit    = 21
	at6Src         = 22
	at6Dst         = 38
	at6UDP         = 54
	at6UDPLength   = 58
	at6UDPChecksum = 60
	at6VXLAN       = 62
	at6VNI         = 66
)

// NewTemplate6 builds the outer header over IPv6. It refuses IPv4, a tag, and addresses that no packet can come from or go to.
func NewTemplate6(cfg TemplateConfig) (Template6, error) {
	src, dst, err := cfg.check()
	switch {
	case err != nil:
		return Template6{}, err
	case dst.Is4():
		return Template6{}, cfg.wrong("%v is IPv4", dst)
	case cfg.Tag != 0:
		return Template6{}, cfg.wrong("VLAN tag %#x", cfg.Tag)
	case cfg.Label > labelMask, cfg.Label != 0 && cfg.LabelFrom != LabelFixed:
		return Template6{}, cfg.wrong("flow label %#x", cfg.Label)
	}
	var t Template6
	h := t.header[:]
	copy(h, cfg.DstMAC[:])
	copy(h[6:], cfg.SrcMAC[:])
	binary.BigEndian.PutUint16(h[12:], typeIPv6)
	h[at6HopLimit-1], h[at6HopLimit] = protoUDP, cfg.TTL
	copy(h[at6Src:], src.AsSlice())
	copy(h[at6Dst:], dst.AsSlice())
	binary.BigEndian.PutUint16(h[at6UDP+2:], cfg.DstPort)
	binary.BigEndian.PutUint64(h[at6VXLAN:], flagI)
	t.tos, t.inherited = cfg.inherit()
	t.label = cfg.Label
	if cfg.LabelFrom == LabelFlow {
		t.labelBits = labelMask
	}
	t.firstPort, t.ports = cfg.SrcPorts[0], uint32(cfg.SrcPorts[1]-cfg.SrcPorts[0])+1
	return t, nil
}

// Put writes the outer headers to h, as Template.Put does. The UDP checksum is 0, which RFC 6935 section 5 allows to tunnels whose
// receivers agree: see Headers.PutChecksum. With LabelInner the flow label is 0.
func (t *Template6) Put(h *[Overhead6]byte, innerLen int, vni uint32, flow Flow) {
	*h = t.header
	length := uint16(innerLen + udpLen + vxlanLen)
	class := t.tos | flow.TOS()&t.inherited
	label := t.label | uint32(flow>>32)&t.labelBits
	binary.BigEndian.PutUint32(h[etherLen:], 6<<28|uint32(class)<<20|label)
	binary.BigEndian.PutUint16(h[at6Length:], length)
	binary.BigEndian.PutUint16(h[at6UDP:], t.firstPort+uint16(uint64(flow>>32)*uint64(t.ports)>>32))
	binary.BigEndian.PutUint16(h[at6UDPLength:], length)
	binary.BigEndian.PutUint32(h[at6VNI:], vni<<8)
}

func (t *Template6) hopLimit() uint8 { return t.header[at6HopLimit] }

// putLabel writes a flow label into the IPv6 header at ip, where it is 0.
func putLabel(ip []byte, label uint32) {
	binary.BigEndian.PutUint32(ip, binary.BigEndian.Uint32(ip)|label)
}

// innerLabel is the flow label of an inner frame, 0 where that is not IPv6.
func innerLabel(frame []byte) uint32 {
	var in Inner
	if ParseInner(frame, &in) != OK || in.IPVersion != 6 {
		return 0
	}
	return binary.BigEndian.Uint32(frame[in.L3:]) & labelMask
}

// martian6 reports an IPv6 source address no host may send from: unspecified, loopback, multicast, and IPv4 mapped (RFC 4291 section
// 2.5, RFC 4942 section 2.2).
func martian6(hi, lo uint64) bool {
	return hi>>56 == 0xff || hi == 0 && (lo <= 1 || lo>>32 == 0xffff)
}
