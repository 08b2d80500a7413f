package gateway

import (
	"errors"
	"fmt"
	"slices"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/netdev"
)

// A trunk is an interface whose VLANs are ports of several VNIs. It is opened with the first
// of these ports and closed with the last one; to workers each of them is a port with a
// number of its own, and the trunk one more, whose queues they share.

// trunk is an open one.
type trunk struct {
	*iface
	number uint32
	calm   func() error // puts offloads back
	users  int          // ports that are open, or about to be; the builder's
	live   int          // ports that workers have; the steward's, as what follows
	up     bool
	mtu    int
	stale  bool // its ports are not those of tagging
	// tagging says which frames are whose; replaced, never changed.
	tagging  *dataplane.Tagging
	isolated bool
}

// openVLAN takes one VLAN of an interface as a port of d.
func (g *Gateway) openVLAN(m member) (_ *port, err error) {
	t, err := g.holdTrunk(m.name)
	if err != nil {
		return nil, err
	}
	number, err := g.portNumbers.take()
	if err != nil {
		return nil, errors.Join(err, g.releaseTrunk(t))
	}
	p := &port{iface: t.iface, trunk: t, domain: m.d, number: number, vlan: m.vlan, tpid: m.tpid, up: t.info.Up, mtu: t.info.MTU}
	p.bare.Store(t.info.Up && !t.info.Carrier)
	g.opened = append(g.opened, p)
	p.onClose(func() error { return g.releaseTrunk(t) })
	if t.users == 1 {
		g.tellMTU(p, p.mtu, g.overhead(m.d.cfg))
	}
	return p, nil
}

// holdTrunk opens an interface as a trunk, or counts one more user of it.
func (g *Gateway) holdTrunk(name string) (_ *trunk, err error) {
	if t := g.trunks[name]; t != nil {
		t.users++
		return t, nil
	}
	info, err := g.fitting(name)
	if err != nil {
		return nil, err
	}
	number, err := g.portNumbers.take()
	if err != nil {
		return nil, err
	}
	t := &trunk{number: number, users: 1}
	if t.iface, err = g.takePort(info, portMode(g.cfg.Underlay.Mode), false, number); err != nil {
		g.portNumbers.put(number)
		return nil, err
	}
	g.trunks[name] = t
	t.calm, err = g.calmOffloads(t.iface)
	if err == nil {
		err = t.needsTags()
	}
	if err != nil {
		return nil, errors.Join(err, g.releaseTrunk(t))
	}
	return t, nil
}

// releaseTrunk counts one user less, and closes the trunk after the last one.
func (g *Gateway) releaseTrunk(t *trunk) error {
	if t.users--; t.users > 0 {
		return nil
	}
	delete(g.trunks, t.info.Name)
	var errs []error
	if t.calm != nil {
		errs = append(errs, t.calm())
	}
	errs = append(errs, g.closePortIface(t.iface))
	g.portNumbers.put(t.number)
	return errors.Join(errs...)
}

// needsTags says why an interface cannot have rules for VLAN tags.
func (f *iface) needsTags() error {
	if f.tags.how != control.TagsLost {
		return nil
	}
	return fmt.Errorf("VLAN tags of its frames do not arrive: %s (leave vlan out, or %s)", f.tags.why, f.tags.cure)
}

// joinTrunk notes that workers get p. The steward calls it.
func (g *Gateway) joinTrunk(p *port) {
	t := p.trunk
	if t == nil {
		return
	}
	t.stale = true
	if t.live++; t.live == 1 {
		g.liveTrunks = append(slices.Clone(g.liveTrunks), t)
		for len(g.ports) <= int(t.number) {
			g.ports = append(g.ports, nil) // workers look there for it
		}
	}
}

// leaveTrunk is the reverse.
func (g *Gateway) leaveTrunk(p *port) {
	t := p.trunk
	if t == nil {
		return
	}
	t.stale = true
	if t.live--; t.live == 0 {
		g.liveTrunks = slices.DeleteFunc(slices.Clone(g.liveTrunks), func(o *trunk) bool { return o == t })
	}
}

// pictures are the ports as workers see them; those that old has where nothing is
// different.
func (g *Gateway) pictures(old *dataplane.Snapshot) []*dataplane.Port {
	for _, t := range g.liveTrunks {
		t.isolated = false
		if t.stale {
			t.tagging = &dataplane.Tagging{Rule: dataplane.TagsMapped}
		}
	}
	all := make([]*dataplane.Port, len(g.ports))
	for i, p := range g.ports {
		if p == nil {
			continue
		}
		all[i] = p.picture(old)
		if t := p.trunk; t != nil {
			t.up, t.mtu, t.isolated = p.up, p.mtu, t.isolated || p.isolated
			if t.stale {
				t.tagging.TPID = p.tpid.EtherType()
				t.tagging.VLAN[p.vlanID()] = dataplane.VLAN{Port: p.number, Domain: p.domain.index, Mapped: true}
			}
		}
	}
	for _, t := range g.liveTrunks {
		t.stale = false
		all[t.number] = pictured(old, dataplane.Port{Index: t.number, Account: t.account, Domain: dataplane.NoDomain, Name: t.info.Name,
			MTU: t.mtu, Most: t.most, Up: t.up, Isolated: t.isolated, Tagging: t.tagging})
	}
	if slices.Equal(all, old.Ports) {
		return old.Ports
	}
	return all
}

// vlanID is the ID in the tags of a trunk's port, 0 for what has none.
func (p *port) vlanID() uint16 { return uint16(max(p.vlan, 0)) }

// exit is what becomes of the tags of what leaves by p.
func (p *port) exit() dataplane.TagExit {
	e := dataplane.TagExit{Bare: p.vlan < 0}
	if p.trunk != nil {
		e.Member, e.Trunk = true, p.trunk.number
	}
	if p.vlan > 0 {
		e.Tag = uint32(p.tpid.EtherType())<<16 | uint32(p.vlan)
	}
	return e
}

// The rules for tags of interfaces that are no trunks.
var (
	stripTags  = &dataplane.Tagging{Rule: dataplane.TagsOff}
	refuseTags = &dataplane.Tagging{Rule: dataplane.TagsRefused}
)

// entry is what becomes of the tags of what p's own queues receive.
func (p *port) entry() *dataplane.Tagging {
	switch p.vlan {
	case config.VLANStrip:
		return stripTags
	case config.VLANDrop:
		return refuseTags
	}
	return nil
}

// checkTags refuses rules for the tags of open ports whose tags do not arrive.
func (d *domain) checkTags(v *config.VNI) error {
	for _, p := range d.ports {
		c := v.Port(p.label())
		if p.pair != nil || c == nil || c.VLAN == config.VLANKeep {
			continue
		}
		if err := p.needsTags(); err != nil {
			return fmt.Errorf("vni %d: port %s: vlan %s: %w", v.VNI, c.Name, c.VLAN, err)
		}
	}
	return nil
}

// infos finds interfaces, each once.
type infos map[string]found

type found struct {
	info netdev.Info
	err  error
}

func (i infos) lookup(name string) (netdev.Info, error) {
	f, known := i[name]
	if !known {
		f.info, f.err = netdev.Lookup(name)
		i[name] = f
	}
	return f.info, f.err
}
