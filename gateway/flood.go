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
	if why := config.BadRemote(c.Dst, &g.cfg.Underlay, g.own()...); why != "" {
		return false, control.Invalid{Err: fmt.Errorf("dst %s %s", c.Dst, why)}
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
	list, kept := d.plane.FloodRemotes, d.grouped()
	from, to := kept, len(list)
	if c.Dst.IsValid() {
		n, known := g.plane.Remotes.FindEndpoint(endpoint(g.dst(d, c)))
		if i := slices.Index(list, n); known && i >= 0 {
			from, to = i, i+1
		} else {
			from = to
		}
	}
	if from == to {
		return false, fmt.Errorf("%w in the flood list of %s (gw fdb show lists those there are)", control.ErrNotFound, d.cfg.DomainName())
	}
	if left := len(list) - (to - from) - kept; d.cfg.AllowsNobody(left) {
		return false, fmt.Errorf("%s is flooded to by the group %s, and nobody but remotes may send to it, of which none would be left (gw remote allow off --vni %d first)",
			d.cfg.DomainName(), d.cfg.Group, d.cfg.VNI)
	}
	g.setFlood(d, slices.Delete(slices.Clone(list), from, to), slices.Delete(slices.Clone(d.flood.remotes), from, to))
	return true, nil
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
	list, before := g.share(numbers, remotes), g.overhead(d.current())
	g.steward.unnamed.add(d.plane.FloodRemotes...)
	g.redraw(d, func(p *dataplane.Domain) { p.FloodRemotes = list.numbers })
	g.alter(func() { d.flood = list })
	g.steward.refit = g.steward.refit || g.overhead(d.current()) != before
	g.steward.reallow(d.cfg.VNI, d)
}
