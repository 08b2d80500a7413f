package gateway

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"vxgw/dataplane"
	"vxgw/underlay"
)

// takeSource makes the underlay's source at this time that of the outer headers, and
// of what is ours of what arrives. The steward calls it before it builds a snapshot.
// While there is none, the underlay has no way to any remote.
func (g *Gateway) takeSource(link underlay.Link) {
	if link.Source == g.local {
		return
	}
	old := g.local
	g.local = link.Source
	if g.local.IsValid() {
		if err := g.steer.AddAddr(g.local); err != nil {
			g.log.Error("packets to the new outer source address stay with the kernel", "local", g.local, "err", err)
		}
	}
	if old.IsValid() {
		if err := g.steer.DeleteAddr(old); err != nil {
			g.log.Error("packets to the old outer source address do not go to the kernel", "local", old, "err", err)
		}
	}
	for i := range g.tunnels {
		if g.tunnels[i].plane == nil {
			continue
		}
		next := *g.tunnels[i].plane // workers and the slow path may still have the old one
		next.Outer.Src = g.local
		g.tunnels[i].plane = &next
	}
	for _, d := range g.domains {
		if d != nil {
			g.redraw(d, func(p *dataplane.Domain) { p.Tunnel = g.tunnels[p.Tunnel.Set].plane })
		}
	}
	g.steward.redrawn, g.steward.repath = true, true
}

// source is the outer source address that workers use, as text, or "" while there is
// none.
func source(s *dataplane.Snapshot) string {
	if s.Local == 0 {
		return ""
	}
	return sourceAddr(s).String()
}

// sourceAddr is the same, and the zero Addr while there is none.
func sourceAddr(s *dataplane.Snapshot) netip.Addr {
	if s.Local == 0 {
		return netip.Addr{}
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, s.Local)))
}

// trouble says why nothing can be sent for lack of an outer source address, or "".
func trouble(link underlay.Link, s *dataplane.Snapshot) string {
	if link.NoSource == "" && s.Local == 0 {
		return fmt.Sprintf("%s has an address again, which workers are about to use", link.Name)
	}
	return link.NoSource
}
