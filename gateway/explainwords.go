package gateway

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"

	"vxgw/control"
	"vxgw/vxlan"
)

// Frames and outer headers in words.

func hexText(b []byte) string { return hex.EncodeToString(b) }

// frameWords says what a frame is: addresses, tags, and what of its packet is simple to say.
func frameWords(frame []byte) string {
	var in vxlan.Inner
	if vxlan.ParseInner(frame, &in) != vxlan.OK {
		return "no whole Ethernet header"
	}
	text := fmt.Sprintf("%s > %s", macText(in.Src), macText(in.Dst))
	if in.VLANs > 0 {
		text += ", " + tagWords(frame)
	}
	var n vxlan.Neigh
	switch l3 := frame[min(in.L3, len(frame)):]; {
	case in.IPVersion == 4 && len(l3) >= 20:
		text += fmt.Sprintf(", IPv4 %s > %s", addr(l3[12:16]), addr(l3[16:20]))
	case in.IPVersion == 6 && len(l3) >= 40:
		text += fmt.Sprintf(", IPv6 %s > %s", addr(l3[8:24]), addr(l3[24:40]))
	case in.EtherType == 0x0806 && vxlan.ParseNeigh(frame, &in, &n) && n.Kind == vxlan.NeighAsk:
		return text + fmt.Sprintf(", ARP who has %s", n.Target.Addr())
	case in.EtherType == 0x0806:
		return text + ", ARP"
	default:
		return text + fmt.Sprintf(", EtherType 0x%04x", in.EtherType)
	}
	return text + protoWords(frame, &in)
}

func addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b) // four bytes or sixteen
	return a
}

// protoWords says what an IP packet carries.
func protoWords(frame []byte, in *vxlan.Inner) string {
	name := map[uint8]string{1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}[in.Proto]
	if name == "" {
		name = fmt.Sprintf("protocol %d", in.Proto)
	}
	switch {
	case in.Fragment:
		name += ", a fragment"
	case in.L4 > 0 && len(frame) >= in.L4+4 && (in.Proto == 6 || in.Proto == 17 || in.Proto == 132):
		name += fmt.Sprintf(" %d > %d", binary.BigEndian.Uint16(frame[in.L4:]), binary.BigEndian.Uint16(frame[in.L4+2:]))
	}
	return " " + name
}

// tagWords says which tag a frame begins with.
func tagWords(frame []byte) string {
	if len(frame) >= 18 {
		switch t := binary.BigEndian.Uint16(frame[12:]); t {
		case 0x8100, 0x88a8:
			return fmt.Sprintf("VLAN tag %d", binary.BigEndian.Uint16(frame[14:])&0xfff)
		}
	}
	return "no VLAN tag"
}

// outerFields are the fields of outer headers; ether says that they begin with those of Ethernet.
func outerFields(p []byte, ether bool) (out []control.ExplainField) {
	add := func(name, format string, args ...any) {
		out = append(out, control.ExplainField{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	if ether {
		if len(p) < 18 {
			return out
		}
		add("eth.src", "%s", macText(mac48(p[6:])))
		add("eth.dst", "%s", macText(mac48(p)))
		at := 14
		if t := binary.BigEndian.Uint16(p[12:]); t == 0x8100 || t == 0x88a8 {
			add("vlan", "%d", binary.BigEndian.Uint16(p[14:])&0xfff)
			at = 18
		}
		p = p[at:]
	}
	switch {
	case len(p) >= 20 && p[0]>>4 == 4:
		add("ip.src", "%s", addr(p[12:16]))
		add("ip.dst", "%s", addr(p[16:20]))
		add("ip.ttl", "%d", p[8])
		add("ip.tos", "0x%02x", p[1])
		add("ip.df", "%t", p[6]&0x40 != 0)
		add("ip.len", "%d", binary.BigEndian.Uint16(p[2:]))
		p = p[20:]
	case len(p) >= 40 && p[0]>>4 == 6:
		first := binary.BigEndian.Uint32(p)
		add("ip.src", "%s", addr(p[8:24]))
		add("ip.dst", "%s", addr(p[24:40]))
		add("ip.ttl", "%d", p[7])
		add("ip.tos", "0x%02x", first>>20&0xff)
		add("ip.flowlabel", "0x%05x", first&0xfffff)
		add("ip.len", "%d", 40+binary.BigEndian.Uint16(p[4:]))
		p = p[40:]
	default:
		return out
	}
	if len(p) < 16 {
		return out
	}
	add("udp.sport", "%d", binary.BigEndian.Uint16(p))
	add("udp.dport", "%d", binary.BigEndian.Uint16(p[2:]))
	add("udp.csum", "0x%04x", binary.BigEndian.Uint16(p[6:]))
	add("vxlan.vni", "%d", binary.BigEndian.Uint32(p[12:])>>8)
	return out
}

func mac48(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}
