package gateway

import (
	"encoding/binary"
	"net"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/vxlan"
)

// tunnel is a set of tunnel options that one or more domains share.
type tunnel struct {
	cfg   config.Tunnel
	plane *dataplane.Tunnel // nil where the set is free
	users int               // domains
	fresh bool              // the last snapshot does not have it
}

// tunnel returns the set of options cfg, the same one for equal options, and counts
// one more domain that has it. The steward calls it.
func (g *Gateway) tunnel(cfg *config.Tunnel) *dataplane.Tunnel {
	free := len(g.tunnels)
	for i := range g.tunnels {
		t := &g.tunnels[i]
		if t.plane == nil {
			free = i
		} else if t.cfg == *cfg {
			t.users++
			return t.plane
		}
	}
	p := &dataplane.Tunnel{
		Set:         free,
		InheritTTL:  cfg.TTL == config.TTLInherit,
		InheritDF:   cfg.DF == config.DFInherit,
		UDPChecksum: cfg.UDPCsum,
		AnyChecksum: cfg.UDPCsumRx == config.CsumIgnore,
		Reserved:    uint64(cfg.ReservedBits),

		ZeroChecksumTx: cfg.UDP6ZeroCsumTx,
		ZeroChecksumRx: cfg.UDP6ZeroCsumRx,
		Source:         g.sources.For,
		Outer: vxlan.TemplateConfig{
			Tag: tag(g.link.VLAN), DstPort: g.cfg.Underlay.DstPort, SrcPorts: cfg.SrcPort,
			InheritTOS: cfg.TOS == config.TOSInherit, DF: cfg.DF == config.DFSet,
		},
	}
	switch cfg.FlowLabel {
	case config.FlowLabelInherit:
		p.Outer.LabelFrom = vxlan.LabelInner
	case config.FlowLabelAuto:
		p.Outer.LabelFrom = vxlan.LabelFlow
	default:
		p.Outer.Label = uint32(cfg.FlowLabel)
	}
	if !p.InheritTTL {
		p.Outer.TTL = uint8(cfg.TTL)
	}
	if !p.Outer.InheritTOS {
		p.Outer.TOS = uint8(cfg.TOS)
	}
	if free == len(g.tunnels) {
		g.tunnels = append(g.tunnels, tunnel{})
	}
	g.tunnels[free] = tunnel{cfg: *cfg, plane: p, users: 1, fresh: true}
	return p
}

// untunnel counts one domain less. A set that nobody has is free at once: a worker
// finds its paths in the snapshot that it has the set from.
func (g *Gateway) untunnel(p *dataplane.Tunnel) {
	if t := &g.tunnels[p.Set]; t.users > 1 {
		t.users--
	} else {
		*t = tunnel{}
	}
}

// macInt is a MAC address in the low 48 bits, first byte highest.
func macInt(mac net.HardwareAddr) uint64 {
	var b [8]byte
	copy(b[2:], mac)
	return binary.BigEndian.Uint64(b[:])
}

// hardwareAddr is the reverse of macInt.
func hardwareAddr(mac uint64) net.HardwareAddr {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], mac)
	return b[2:]
}

// macText is the same as text.
func macText(mac uint64) string { return hardwareAddr(mac).String() }
