package gateway

import (
	"net/netip"
	"slices"
	"time"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/neigh"
	"vxgw/vxlan"
)

// The neighbour tables: each bridge domain that suppresses ARP and ND has one. Workers enter what they see, the gateway what the
// configuration and gw neigh say; both at once, since a table has a lock of its own.

const (
	// maxNeighbours is how many neighbours all VNIs learn together: up to 160 MB.
	maxNeighbours = 1 << 20
	// neighSteps is in how many ticks ageing goes over all tables.
	neighSteps = 25
)

// suppression gives p what a configuration of d says of neighbours. A table that is there stays, so that what was switched off can
// be switched on again as it was, until closeNeighbours.
func (g *Gateway) suppression(d *domain, p *dataplane.Domain, v *config.VNI) {
	p.Neighbours, p.Announce = nil, v.NeighForwardGrat
	if d.neighbours != nil {
		d.neighbours.Bound(v.MaxNeigh, v.NeighAgeing.Seconds())
	}
	if !v.NeighSuppress {
		return
	}
	if d.neighbours == nil {
		g.asking.Lock()
		d.neighbours = neigh.New(g.neighBudget, v.MaxNeigh, v.NeighAgeing.Seconds())
		g.asking.Unlock()
	}
	p.Neighbours = d.neighbours
}

// closeNeighbours forgets the neighbours of a domain. A worker that still has the table learns nothing any more.
func (g *Gateway) closeNeighbours(d *domain) {
	if d.neighbours != nil {
		g.asking.Lock()
		d.neighbours.Close()
		d.neighbours = nil
		g.asking.Unlock()
	}
}

// fillNeighbours enters the static neighbours of d's configuration, and adds what undoes it to done.
func (g *Gateway) fillNeighbours(d *domain, done *[]func()) error {
	t := d.neighbours
	if t == nil {
		return nil
	}
	for _, n := range d.cfg.Neigh {
		k, e := neighbour(&n)
		old, was := t.Lookup(k, g.plane.Now())
		if old.Seen = 0; was && old == e {
			continue
		}
		if err := t.Set(k, e, false); err != nil {
			return err
		}
		*done = append(*done, func() {
			if t.DeleteIf(k, e); was {
				old.Seen = g.plane.Now()
				_ = t.Set(k, old, true) // somebody may have entered another one
			}
		})
	}
	return nil
}

// clearNeighbours takes away the static neighbours that a configuration had and has no more, unless somebody has made others of
// them, and the tables of those that suppress no more.
func (t *turn) clearNeighbours() {
	for _, a := range t.change {
		if !a.to.NeighSuppress {
			t.g.closeNeighbours(a.d)
			continue
		}
		for _, n := range a.from.Neigh {
			if k, e := neighbour(&n); !slices.ContainsFunc(a.to.Neigh, func(o config.Neighbour) bool { return o.IP == n.IP && o.VLAN == n.VLAN }) {
				a.d.neighbours.DeleteIf(k, e)
			}
		}
	}
}

// neighbour is an entry of the configuration.
func neighbour(n *config.Neighbour) (neigh.Key, neigh.Entry) {
	return neighKey(n.IP, n.VLAN), neigh.Entry{MAC: macInt(n.MAC[:]), Kind: neigh.Static, Router: n.Router, Sure: true}
}

func neighKey(a netip.Addr, vlan uint16) neigh.Key {
	ip := vxlan.MakeIP(a)
	return neigh.Key{Hi: ip.Hi, Lo: ip.Lo, VLAN: vlan}
}

// tendNeighbours lets neighbours age, some domains at a time, and tables grow. The steward calls it with each tick.
func (g *Gateway) tendNeighbours(now uint32) {
	step := int(time.Since(g.started)/tickEvery) % neighSteps
	for i, d := range g.domains {
		if d == nil || d.neighbours == nil {
			continue
		}
		d.neighbours.Grow()
		if i%neighSteps == step {
			d.neighbours.Age(now)
		}
	}
}
