package gateway

import (
	"fmt"

	"vxgw/control"
)

// GetFDB finds the entry that c names, or the destinations of the flood list.
func (g *Gateway) GetFDB(c control.FDBChange) ([]control.FDBEntry, error) {
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return nil, errStopping
	}
	found, err := g.get(&c)
	if err != nil {
		return nil, fmt.Errorf("fdb get %s: %w", c.MAC, err)
	}
	return found, nil
}

func (g *Gateway) get(c *control.FDBChange) ([]control.FDBEntry, error) {
	c.Dev = g.configured(c.Dev)
	d, _, err := g.named(c.Dev, c.VLAN)
	if err != nil {
		return nil, err
	}
	if err := g.honours(d, c); err != nil {
		return nil, err
	}
	v := g.view()
	if c.Flood() {
		var list []control.FDBEntry
		for _, to := range v.floodsTo(int(d.index)) {
			if !c.Dst.IsValid() || to == endpoint(g.dst(d, c)) {
				list = append(list, v.flood(int(d.index), to))
			}
		}
		if len(list) == 0 || c.Dev != d.cfg.DomainName() {
			return nil, fmt.Errorf("%w in the flood list of %s (gw fdb show lists those there are)", control.ErrNotFound, c.Dev)
		}
		return list, nil
	}
	k := keyOf(d, c.MAC)
	value := g.plane.FDB.Lookup(k)
	if err := g.find(d, c, k, value); err != nil {
		return nil, err
	}
	return []control.FDBEntry{v.entry(k, value)}, nil
}
