package gateway

import (
	"fmt"
	"slices"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
)

// changeFlood adds a destination to the flood list of d, or takes one or all away.
// The steward calls it; it reports whether there is something to publish.
func (g *Gateway) changeFlood(verb string, d *domain, c *control.FDBChange) (publish bool, err error) {
	name := d.cfg.DomainName()
	list := d.plane.FloodRemotes
	switch {
	case c.Dev != name:
		return false, fmt.Errorf("%s is a port (the flood list is that of dev %s)", c.Dev, name)
	case c.Dst.IsValid() && c.Dst == d.cfg.Group:
		return false, fmt.Errorf("%s is the group of %s, which floods to it as long as it is (gw vni del, and add)", c.Dst, name)
	case verb == "del":
		return g.unflood(d, c)
	case verb == "add" && len(list) > 0:
		return false, fmt.Errorf("%w: %s floods to %d VTEPs (use append)", control.ErrExists, name, len(list))
	}
	if why := config.BadRemote(c.Dst, &g.cfg.Underlay, g.sources.All()...); why != "" {
		return false, fmt.Errorf("dst %s %s", c.Dst, why)
	}
	if err := g.mayBeSentTo(d, c.Dst); err != nil {
		return false, err
	}
	to := g.dst(d, c)
	n, err := g.remoteAt(endpoint(to))
	if err != nil || slices.Contains(list, n) {
		return false, err
	}
	g.setFlood(d, append(slices.Clone(list), n), append(slices.Clone(d.flood.remotes), to))
	return true, nil
}

// unflood takes the destination that c names from the flood list, or all.
func (g *Gateway) unflood(d *domain, c *control.FDBChange) (publish bool, err error) {
	list := d.plane.FloodRemotes
	if kept := d.grouped(); !c.Dst.IsValid() && len(list) > kept {
		g.setFlood(d, slices.Clone(list[:kept]), slices.Clone(d.flood.remotes[:kept]))
		return true, nil
	}
	n, known := g.plane.Remotes.FindEndpoint(endpoint(g.dst(d, c)))
	if i := slices.Index(list, n); c.Dst.IsValid() && known && i >= 0 {
		g.setFlood(d, slices.Delete(slices.Clone(list), i, i+1), slices.Delete(slices.Clone(d.flood.remotes), i, i+1))
		return true, nil
	}
	return false, fmt.Errorf("%w in the flood list of %s (gw fdb show lists those there are)", control.ErrNotFound, d.cfg.DomainName())
}

// grouped is how many destinations of the flood list are a group: 0, or 1, the first.
func (d *domain) grouped() int {
	if d.cfg.Group.IsValid() {
		return 1
	}
	return 0
}

// setFlood gives d another flood list from the next snapshot on.
func (g *Gateway) setFlood(d *domain, numbers []uint32, remotes []config.Remote) {
	list := g.share(numbers, remotes)
	g.steward.unnamed.add(d.plane.FloodRemotes...)
	g.redraw(d, func(p *dataplane.Domain) { p.FloodRemotes = list.numbers })
	g.alter(func() { d.flood = list })
	g.steward.reallow(d.cfg.VNI, d)
}
