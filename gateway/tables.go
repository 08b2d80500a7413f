package gateway

import (
	"fmt"
	"net/netip"
	"slices"

	"vxgw/fdb"
	"vxgw/underlay"
)

// joinGroups holds the memberships without which the network would not deliver a
// group's packets.
func (g *Gateway) joinGroups() error {
	g.groups = underlay.OpenMemberships(g.wire.info.Index)
	g.onClose(g.groups.Close)
	for _, d := range g.domains {
		for _, group := range d.groups {
			if err := g.groups.Join(group); err != nil {
				return fmt.Errorf("vni %d: %w", d.cfg.VNI, err)
			}
		}
	}
	return nil
}

// fillTables numbers the configured remotes and enters the static FDB entries.
func (g *Gateway) fillTables() error {
	g.plane.Tick(g.now())
	for _, d := range g.domains {
		index := d.plane.Index
		g.plane.FDB.SetLimit(index, int(d.cfg.MaxAddress))
		for _, addr := range slices.Concat(d.groups, d.cfg.Remotes) {
			number, err := g.remote(addr)
			if err != nil {
				return fmt.Errorf("vni %d: %w", d.cfg.VNI, err)
			}
			d.plane.FloodRemotes = append(d.plane.FloodRemotes, number)
		}
		for _, p := range g.ports {
			if p.domain == d && p.pair != nil {
				key := fdb.MakeKey(index, d.plane.DeviceMAC)
				if err := g.enter(key, fdb.PortDest(p.number), fdb.Static, permanent); err != nil {
					return fmt.Errorf("vni %d: enter the device's own address: %w", d.cfg.VNI, err)
				}
			}
		}
		for _, s := range d.cfg.FDB {
			dest, err := g.dest(d, s.Dst, s.Port)
			if err != nil {
				return fmt.Errorf("vni %d: fdb entry %s: %w", d.cfg.VNI, s.MAC, err)
			}
			k := fdb.MakeKey(index, macInt(s.MAC[:]))
			if g.plane.FDB.Lookup(k).Found() {
				return fmt.Errorf("vni %d: fdb entry %s is the device's own address", d.cfg.VNI, s.MAC)
			}
			if err := g.enter(k, dest, fdb.Static, static); err != nil {
				return fmt.Errorf("vni %d: fdb entry %s: %w", d.cfg.VNI, s.MAC, err)
			}
		}
	}
	return nil
}

// enter makes the entry k what it says, whatever it was.
func (g *Gateway) enter(k fdb.Key, d fdb.Dest, kind fdb.Kind, s state) error {
	old := g.plane.FDB.Lookup(k)
	if err := g.plane.FDB.Replace(k, d, kind, g.now()); err != nil {
		return err
	}
	g.given.change(k, old, g.plane.FDB.Lookup(k), s)
	return nil
}

// remote numbers an address and has the way to it followed from now on.
func (g *Gateway) remote(addr netip.Addr) (uint32, error) {
	number, err := g.plane.Remotes.Add(addr)
	if err != nil {
		return 0, fmt.Errorf("remote %s: %w", addr, err)
	}
	if err := g.mirror.Watch(addr); err != nil {
		return 0, fmt.Errorf("remote %s: %w", addr, err)
	}
	g.steward.watched[number] = true
	return number, nil
}

// dest finds where a static entry points: a remote, or a port or device of d.
func (g *Gateway) dest(d *domain, dst netip.Addr, name string) (fdb.Dest, error) {
	if dst.IsValid() {
		number, err := g.remote(dst)
		return fdb.RemoteDest(number), err
	}
	for _, p := range g.ports {
		if p.domain == d && name == p.label() {
			return fdb.PortDest(p.number), nil
		}
	}
	return 0, fmt.Errorf("no port %s in this VNI", name)
}

// label is what users call a port: a device by the name of the host's side.
func (p *port) label() string {
	if p.pair != nil {
		return p.pair.Name
	}
	return p.info.Name
}
