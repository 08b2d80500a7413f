package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"

	"vxgw/config"
	"vxgw/control"
	"vxgw/neigh"
	"vxgw/vxlan"
)

// The verbs of gw neigh, in the words of ip-neighbour(8).

// Neighbours lists the neighbours of all VNIs that f chooses, by VNI, VLAN and address. The error says that f names a VNI that is not there.
func (g *Gateway) Neighbours(f control.NeighFilter) ([]control.Neighbour, error) {
	g.asking.RLock()
	defer g.asking.RUnlock()
	out := []control.Neighbour{}
	if g.ended {
		return out, nil
	}
	domains := g.domains
	if f.Dev != "" {
		d, err := g.neighDomain(f.Dev)
		if err != nil {
			return nil, fmt.Errorf("neigh show: %w", err)
		}
		domains = []*domain{d}
	}
	for _, d := range domains {
		out = append(out, g.neighboursOf(d, &f)...)
	}
	slices.SortFunc(out, func(a, b control.Neighbour) int {
		return cmp.Or(cmp.Compare(a.VNI, b.VNI), cmp.Compare(a.VLAN, b.VLAN), a.Dst.Compare(b.Dst))
	})
	return out, nil
}

func (g *Gateway) neighboursOf(d *domain, f *control.NeighFilter) (out []control.Neighbour) {
	if d == nil || d.neighbours == nil {
		return nil
	}
	now := g.plane.Now()
	d.neighbours.Range(now, func(k neigh.Key, e neigh.Entry) {
		if n := describeNeighbour(d, k, e, now); f.Match(&n) {
			out = append(out, n)
		}
	})
	return out
}

// describeNeighbour says what an entry is in the words of ip-neighbour(8).
func describeNeighbour(d *domain, k neigh.Key, e neigh.Entry, now uint32) control.Neighbour {
	n := control.Neighbour{
		Dst: vxlan.IP{Hi: k.Hi, Lo: k.Lo}.Addr(), Dev: d.cfg.DomainName(), LLAddr: macText(e.MAC), VLAN: k.VLAN,
		Router: e.Router, Extern: e.Kind == neigh.Extern, VNI: d.cfg.VNI,
	}
	switch {
	case e.Kind == neigh.Static:
		n.State = []string{control.NeighPermanent}
	case e.Kind == neigh.Extern:
		n.State = []string{control.NeighNoARP}
	default:
		age := float64(now - min(e.Seen, now))
		n.Age, n.State = &age, []string{control.NeighReachable}
		if !e.Sure {
			n.State[0] = control.NeighStale
		}
	}
	return n
}

// neighDomain finds the bridge domain with a name, or whose device has it. Who calls it holds asking.
func (g *Gateway) neighDomain(dev string) (*domain, error) {
	dev = g.configured(dev)
	d, p, err := g.named(dev, nil)
	if err == nil && p != nil && p.pair == nil && dev != d.cfg.DomainName() {
		err = fmt.Errorf("%s is a port, and neighbours are a VNI's (say dev %s)", dev, d.cfg.DomainName())
	}
	return d, err
}

// ChangeNeighbour carries out add, replace or del. c passed its Check. When it returns without error, workers act on it.
func (g *Gateway) ChangeNeighbour(verb string, c control.NeighChange) error {
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return errStopping
	}
	if err := g.changeNeighbour(verb, &c); err != nil {
		return fmt.Errorf("neigh %s %s: %w", verb, c.Dst, err)
	}
	return nil
}

func (g *Gateway) changeNeighbour(verb string, c *control.NeighChange) error {
	d, err := g.neighDomain(c.Dev)
	if err != nil {
		return err
	}
	t := d.neighbours
	if t == nil {
		return fmt.Errorf("neigh_suppress is off in %s, where nothing would use the entry (say neigh_suppress: true in the file, and reload it)", d.cfg.DomainName())
	}
	if why := config.BadNeighbour(c.Dst); why != "" {
		return control.Invalid{Err: errors.New(why)}
	}
	k := neighKey(c.Dst, c.VLAN)
	if verb == "del" {
		if t.Delete(k) != nil {
			return fmt.Errorf("%w in %s (gw neigh show lists those there are)", control.ErrNotFound, c.Dev)
		}
		return nil
	}
	hw, _ := net.ParseMAC(c.LLAddr) // Check has
	e := neigh.Entry{MAC: macInt(hw), Kind: neigh.Static, Router: c.Router, Sure: true, Seen: g.plane.Now()}
	switch {
	case c.Extern:
		e.Kind = neigh.Extern
	case c.State == control.NeighReachable:
		e.Kind = neigh.Learned
	}
	if err := t.Set(k, e, verb == "add"); !errors.Is(err, neigh.ErrExists) {
		return err
	}
	was, _ := t.Lookup(k, g.plane.Now())
	return fmt.Errorf("%w: %s (use replace)", control.ErrExists, describeNeighbour(d, k, was, g.plane.Now()))
}

// FlushNeighbours takes away the neighbours that f chooses and returns their number. As with ip-neighbour(8), those that are
// permanent or not the gateway's own stay unless f names their state.
func (g *Gateway) FlushNeighbours(f control.NeighFilter) (removed int, err error) {
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return 0, errStopping
	}
	domains := g.domains
	if f.Dev != "" {
		d, err := g.neighDomain(f.Dev)
		if err != nil {
			return 0, fmt.Errorf("neigh flush: %w", err)
		}
		domains = []*domain{d}
	}
	now := g.plane.Now()
	for _, d := range domains {
		if d == nil || d.neighbours == nil {
			continue
		}
		d.neighbours.Range(now, func(k neigh.Key, e neigh.Entry) {
			if e.Kind != neigh.Learned && f.State == "" {
				return
			}
			if n := describeNeighbour(d, k, e, now); f.Match(&n) && d.neighbours.DeleteIf(k, e) {
				removed++
			}
		})
	}
	return removed, nil
}

// neighStats is what the status says of a domain's neighbours, nil if it has no table.
func (d *domain) neighStats() *control.NeighStats {
	if d.neighbours == nil {
		return nil
	}
	c := &d.neighbours.Counts
	return &control.NeighStats{
		Entries: d.neighbours.Len(), Most: d.cfg.MaxNeigh, Answered: c.Answered.Load(), Suppressed: c.Suppressed.Load(),
		Learned: c.Added.Load(), Moved: c.Moved.Load(), Aged: c.Aged.Load(),
		Refused: map[string]uint64{
			"static": c.RefusedStatic.Load(), "limit": c.RefusedLimit.Load(), "room": c.RefusedRoom.Load(), "forged": c.RefusedForged.Load(),
		},
	}
}
