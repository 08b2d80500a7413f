package gateway

import (
	"encoding/binary"
	"fmt"
	"slices"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// What the steward does to bridge domains and ports, and Start before there is a
// steward. Nothing here waits, and workers act on it with the next snapshot.

// alter changes which domains and ports there are, or what others read of them. It
// waits for those who are reading.
func (g *Gateway) alter(f func()) {
	g.asking.Lock()
	defer g.asking.Unlock()
	// Who looks at entries keeps what their numbers stood for.
	g.domains, g.ports = slices.Clone(g.domains), slices.Clone(g.ports)
	f()
}

// present lists the domains and ports there are, by number, for who runs beside the
// steward. The lists are never written to: alter makes others.
func (g *Gateway) present() (domains []*domain, ports []*port) {
	g.asking.RLock()
	defer g.asking.RUnlock()
	return g.domains, g.ports
}

// put makes list[i] v and returns the list, which grows where i is behind its end and
// never shrinks: FDB entries may name the last index until they are flushed.
func put[T any](list []*T, i int, v *T) []*T {
	for len(list) <= i {
		list = append(list, nil)
	}
	list[i] = v
	return list
}

// addDomain takes a bridge domain in, without ports.
func (g *Gateway) addDomain(d *domain) error {
	list, err := g.floodList(d.cfg)
	if err != nil {
		return err
	}
	d.flood = list
	d.plane = &dataplane.Domain{
		Index: d.index, VNI: d.cfg.VNI, Learning: d.cfg.Learning, Tunnel: g.tunnel(&d.cfg.Tunnel), FloodRemotes: list.numbers,
		Flooding: flooding(d.cfg, nil),
	}
	g.suppression(d, d.plane, d.cfg)
	g.plane.FDB.SetLimit(d.index, int(d.cfg.MaxAddress))
	g.plane.FDB.SetMoveLimit(d.index, moveLimit(d.cfg))
	g.alter(func() { g.domains = put(g.domains, int(d.index), d) })
	g.steward.redraw(d.cfg.VNI, d.index)
	g.steward.reallow(d.cfg.VNI, d)
	return nil
}

// dropDomain is the reverse. Its entries and its index are the caller's to free.
func (g *Gateway) dropDomain(d *domain) {
	g.alter(func() { g.domains[d.index] = nil })
	g.steward.unnamed.add(d.plane.FloodRemotes...)
	g.untunnel(d.plane.Tunnel)
	g.closeNeighbours(d)
	g.steward.redraw(d.cfg.VNI, dataplane.NoDomain)
	g.steward.reallow(d.cfg.VNI, nil)
}

// alterDomain gives a bridge domain other settings. Its ports and entries are the
// caller's to change. What it floods to stays as it is where from and to agree.
func (g *Gateway) alterDomain(d *domain, from, to *config.VNI) error {
	list := d.flood
	if from.Group != to.Group || !slices.Equal(from.Remotes, to.Remotes) {
		var err error
		if list, err = g.floodList(to); err != nil {
			return err
		}
		g.steward.unnamed.add(d.plane.FloodRemotes...)
	}
	tunnel := g.tunnel(&to.Tunnel)
	g.untunnel(d.plane.Tunnel)
	g.redraw(d, func(p *dataplane.Domain) {
		p.Learning, p.Tunnel, p.FloodRemotes = to.Learning, tunnel, list.numbers
		p.Flooding = flooding(to, p.Flooding.Storm)
		g.suppression(d, p, to)
	})
	g.plane.FDB.SetLimit(d.index, int(to.MaxAddress))
	g.plane.FDB.SetMoveLimit(d.index, moveLimit(to))
	g.alter(func() { d.cfg, d.flood = to, list })
	g.steward.reallow(to.VNI, d)
	g.isolate(d)
	return nil
}

// redraw gives d another appearance from the next snapshot on.
func (g *Gateway) redraw(d *domain, change func(*dataplane.Domain)) {
	next := *d.plane
	change(&next)
	d.plane = &next
	g.steward.redrawn = true
}

// takeIn lets frames flow through ports that were opened.
func (g *Gateway) takeIn(ports []*port) {
	if len(ports) == 0 {
		return
	}
	g.alter(func() {
		for _, p := range ports {
			g.joinTrunk(p)
			g.ports = put(g.ports, int(p.number), p)
			p.domain.ports = append(slices.Clone(p.domain.ports), p)
		}
	})
	for _, p := range ports {
		p.used = true
		if now, ok := g.steward.links[p.info.Index]; ok {
			p.up = now.up
			if p.pair == nil {
				p.mtu = now.mtu
			}
		}
		if p.pair != nil {
			if now, ok := g.steward.links[p.pair.Index]; ok {
				p.mtu = now.mtu
			}
		}
		p.takeMAC(g.steward.links)
		g.redraw(p.domain, func(d *dataplane.Domain) {
			d.FloodPorts = append(slices.Clone(d.FloodPorts), p.number)
			if p.pair != nil {
				d.DeviceMAC = p.mac.Load()
			}
		})
		g.isolate(p.domain)
	}
	g.steward.requeued = true
}

// takeOut lets no frames flow through ports any more. When workers work without them the
// caller says so with unused.
func (g *Gateway) takeOut(ports []*port) {
	if len(ports) == 0 {
		return
	}
	g.noteMoves() // while they have names
	g.alter(func() {
		for _, p := range ports {
			g.leaveTrunk(p)
			g.ports[p.number] = nil
			p.domain.ports = slices.DeleteFunc(slices.Clone(p.domain.ports), func(o *port) bool { return o == p })
		}
	})
	for _, p := range ports {
		g.redraw(p.domain, func(d *dataplane.Domain) {
			d.FloodPorts = slices.DeleteFunc(slices.Clone(d.FloodPorts), func(n uint32) bool { return n == p.number })
			if p.pair != nil {
				d.DeviceMAC = 0
			}
		})
		g.isolate(p.domain)
	}
	g.steward.requeued = true
}

// unused notes that no worker has ports any more which were taken out.
func unused(ports []*port) {
	for _, p := range ports {
		p.used = false
	}
}

// floodList is where the frames of a bridge domain are flooded to.
type floodList struct {
	numbers []uint32
	remotes []config.Remote
}

// floodList numbers the group and the remotes of a configuration. Equal lists share
// their memory, over domains and snapshots.
func (g *Gateway) floodList(v *config.VNI) (*floodList, error) {
	all := v.Remotes
	if v.Group.IsValid() {
		all = append([]config.Remote{{Dst: v.Group}}, all...)
	}
	if last := g.steward.lastList; last != nil && len(all) > 1 && len(all) == len(last.remotes) && &all[0] == &last.remotes[0] {
		return last, nil
	}
	numbers := make([]uint32, len(all))
	for i, r := range all {
		n, err := g.remoteAt(endpoint(r))
		if err != nil {
			g.steward.unnamed.add(numbers[:i]...)
			return nil, err
		}
		numbers[i] = n
	}
	list := g.share(numbers, all)
	g.steward.lastList = list
	return list, nil
}

// share returns a list that is equal to the one given.
func (g *Gateway) share(numbers []uint32, remotes []config.Remote) *floodList {
	if len(numbers) == 0 {
		return &floodList{}
	}
	key := make([]byte, 0, 4*len(numbers))
	for _, n := range numbers {
		key = binary.LittleEndian.AppendUint32(key, n)
	}
	list, ok := g.steward.lists[string(key)]
	if !ok {
		list = &floodList{numbers: numbers, remotes: remotes}
		g.steward.lists[string(key)] = list
	}
	return list
}

// forgetLists forgets the lists that no bridge domain has any more.
func (g *Gateway) forgetLists() {
	used := map[*uint32]bool{}
	for _, d := range g.domains {
		if d != nil && len(d.plane.FloodRemotes) > 0 {
			used[&d.plane.FloodRemotes[0]] = true
		}
	}
	for key, list := range g.steward.lists {
		if !used[&list.numbers[0]] {
			delete(g.steward.lists, key)
		}
	}
	g.steward.lastList = nil
}

// eachList calls f once with each flood list of some domains, shared ones once.
func eachList(domains []*dataplane.Domain, f func(list []uint32)) {
	seen := map[*uint32]int{}
	for _, d := range domains {
		if d == nil || len(d.FloodRemotes) == 0 || seen[&d.FloodRemotes[0]] >= len(d.FloodRemotes) {
			continue
		}
		seen[&d.FloodRemotes[0]] = len(d.FloodRemotes)
		f(d.FloodRemotes)
	}
}

// setStatic makes an entry what it says, of the configuration or of a device, and
// returns what puts the old one back.
func (g *Gateway) setStatic(d *domain, mac uint64, dest fdb.Dest, s state) (undo func(), err error) {
	k := fdb.MakeKey(d.index, mac)
	old := g.plane.FDB.Lookup(k)
	was, back := g.given.state(k, old.Kind()), g.keepDest(old)
	if old.Found() && old.Kind() == fdb.Static && old.Dest() == dest && was == s {
		return func() {}, nil
	}
	if err := g.enter(k, dest, fdb.Static, s); err != nil {
		return nil, fmt.Errorf("fdb entry %s: %w", macText(mac), err)
	}
	return func() {
		if old.Found() {
			if dest, err := back(); err == nil { // fails only when there are more VTEPs than numbers now
				_ = g.enter(k, dest, old.Kind(), was) // replaces an entry, which always has room
			}
		} else {
			_ = g.leave(k, g.plane.FDB.Lookup(k)) // fails only when it has gone already
		}
	}, nil
}

// clearStatic takes an entry of the configuration away unless somebody has made
// another one of it.
func (g *Gateway) clearStatic(d *domain, mac uint64, dest fdb.Dest) {
	k := fdb.MakeKey(d.index, mac)
	if old := g.plane.FDB.Lookup(k); old.Found() && old.Kind() == fdb.Static && old.Dest() == dest {
		_ = g.leave(k, old) // as above
	}
}
