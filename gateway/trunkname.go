package gateway

import "fmt"

// vlanOf is the VLAN of a trunk's port, 0 for the native one and for other ports.
func (p *port) vlanOf() uint16 {
	if p.trunk == nil {
		return 0
	}
	return p.vlanID()
}

// namedVLAN finds a VLAN of the trunk dev; without a number the native one, or the only one.
// It returns nil where dev is no trunk and no VLAN is asked for.
func (g *Gateway) namedVLAN(dev string, vlan *uint16) (*port, error) {
	var all []string
	var one *port
	for _, p := range g.ports {
		switch {
		case p == nil || p.trunk == nil || p.label() != dev:
			continue
		case vlan != nil && p.vlanID() == *vlan, vlan == nil && p.vlanID() == 0:
			return p, nil
		}
		one = p
		all = append(all, p.vlan.String())
	}
	switch {
	case len(all) == 0:
		return nil, g.noTrunk(dev, vlan)
	case vlan == nil && len(all) == 1:
		return one, nil
	}
	if vlan == nil {
		return nil, fmt.Errorf("%s is a trunk: say vlan NUMBER (it has %s)", dev, few(all))
	}
	return nil, fmt.Errorf("%s has no vlan %d (it has %s)", dev, *vlan, few(all))
}

// noTrunk says why dev is no trunk that is there, where that has to be said.
func (g *Gateway) noTrunk(dev string, vlan *uint16) error {
	for _, d := range g.domains {
		if d == nil {
			continue
		}
		for _, a := range d.absent {
			if a.name == dev && a.vlan.Mapped() {
				return fmt.Errorf("%s is gone: %s", a.member, a.reason())
			}
		}
	}
	if vlan != nil {
		return fmt.Errorf("%s is no trunk (leave vlan out)", dev)
	}
	return nil
}

// namedAll finds the bridge domains that named means, of a trunk without a VLAN all.
func (g *Gateway) namedAll(dev string, vlan *uint16) (all []*domain, err error) {
	dev = g.configured(dev)
	if vlan == nil {
		for _, p := range g.ports {
			if p != nil && p.trunk != nil && p.label() == dev {
				all = append(all, p.domain)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	d, _, err := g.named(dev, vlan)
	return []*domain{d}, err
}
