package gateway

import (
	"errors"
	"net/netip"
	"slices"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// openDomains makes the bridge domains of the configuration, as a reload makes new
// ones.
func (g *Gateway) openDomains() error {
	g.plane.Tick(g.now())
	g.onClose(g.closeDomains)
	var all config.Changes
	for i := range g.cfg.VNIs {
		all.Add = append(all.Add, &g.cfg.VNIs[i])
	}
	return g.apply(all, false)
}

// closeDomains closes every port, at the end. Workers and the builder have stopped.
func (g *Gateway) closeDomains() error {
	unused(g.opened)
	errs := []error{g.picture()}
	for _, p := range slices.Clone(g.opened) {
		errs = append(errs, g.closePort(p))
	}
	return errors.Join(errs...)
}

// close ends the use of ports and of domains, whose ports are among those: no frame
// flows any more, and their entries are gone. also is done by the steward along with
// it. The caller frees the domains' indices.
func (g *Gateway) close(ports []*port, domains []*domain, also func()) error {
	if err := g.order(func() (bool, error) {
		g.takeOut(ports)
		for _, d := range domains {
			g.dropDomain(d)
		}
		if also != nil {
			also()
		}
		return len(ports)+len(domains) > 0, nil
	}); err != nil {
		return err
	}
	unused(ports)
	errs := []error{g.flushOut(ports, domains)}
	for _, p := range ports {
		errs = append(errs, g.closePort(p))
	}
	return errors.Join(errs...)
}

// flushOut takes away the entries that name ports or domains, of which no worker
// learns any more, and what was counted for them.
func (g *Gateway) flushOut(ports []*port, domains []*domain) error {
	if len(ports)+len(domains) == 0 {
		return nil
	}
	g.noteMoves() // before their numbers stand for others
	byPort, byDomain := map[uint32]bool{}, map[uint16]bool{}
	var counted dataplane.Leaving
	for _, p := range ports {
		byPort[p.number] = true
		if p.trunk == nil || p.trunk.live == 0 {
			counted.Ports = append(counted.Ports, p.account)
		}
	}
	for _, d := range domains {
		byDomain[d.index] = true
		counted.Domains = append(counted.Domains, d.index)
	}
	var given []chosenEntry
	g.plane.FDB.FlushIf(func(k fdb.Key, v fdb.Value) bool {
		if !byDomain[k.Domain()] && (v.Dest().IsRemote() || !byPort[v.Dest().Index()]) {
			return false
		}
		if v.Kind() == fdb.Learned {
			return true
		}
		given = append(given, chosenEntry{k, v})
		return false
	})
	_, err := g.leaveAll(given)
	for _, d := range domains {
		g.plane.FDB.ForgetDomain(d.index)
	}
	g.plane.Forget(counted) // last: what an entry still sends to a port is counted for its number
	return err
}

// hold makes sure that packets to a group come here, for one more VNI.
func (g *Gateway) hold(group netip.Addr) error {
	if g.held[group] == 0 {
		if err := g.groups.Join(group); err != nil {
			return err
		}
		if err := g.steer.AddAddr(group); err != nil {
			return errors.Join(err, g.groups.Leave(group))
		}
	}
	g.held[group]++
	return nil
}

// drop is the reverse of hold; the zero Addr stands for no group.
func (g *Gateway) drop(group netip.Addr) error {
	if !group.IsValid() {
		return nil
	}
	if g.held[group]--; g.held[group] > 0 {
		return nil
	}
	delete(g.held, group)
	return errors.Join(g.steer.DeleteAddr(group), g.groups.Leave(group))
}
