package gateway

import (
	"slices"

	"vxgw/config"
	"vxgw/dataplane"
)

// flooding is what a bridge domain floods by a configuration. What it has flooded in this
// second goes on being counted where before counted it.
func flooding(v *config.VNI, before *dataplane.Storm) dataplane.Flooding {
	f := dataplane.Flooding{Storm: before}
	f.Off[dataplane.Broadcast], f.Limit[dataplane.Broadcast] = !v.BcastFlood, v.Storm.Broadcast
	f.Off[dataplane.UnknownUnicast], f.Limit[dataplane.UnknownUnicast] = !v.Flood, v.Storm.Unknown
	f.Off[dataplane.Multicast], f.Limit[dataplane.Multicast] = !v.MCastFlood, v.Storm.Multicast
	if f.Storm == nil && v.Storm != (config.Storm{}) {
		f.Storm = new(dataplane.Storm)
	}
	return f
}

// isolate gives the open ports of d what its configuration says of them, their rules for tags
// too.
func (g *Gateway) isolate(d *domain) {
	open := make([]uint32, 0, len(d.ports))
	for _, p := range d.ports {
		if c := d.cfg.Port(p.label()); p.pair == nil && c != nil {
			p.isolated = c.Isolated
			if p.trunk == nil && !c.VLAN.Mapped() {
				p.vlan = c.VLAN
			}
		}
		if !p.isolated {
			open = append(open, p.number)
		}
	}
	if len(open) == len(d.ports) {
		open = nil // nobody reads it
	}
	if !slices.Equal(open, d.plane.OpenPorts) {
		g.redraw(d, func(plane *dataplane.Domain) { plane.OpenPorts = open })
	}
}
