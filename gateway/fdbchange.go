package gateway

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"vxgw/config"
	"vxgw/control"
	"vxgw/fdb"
)

// The verbs of bridge(8): the request is checked where it arrives -> the steward
// finds the domain and what to do there -> the table, or the flood list, changes.

// ChangeFDB carries out add, append, replace or del. c passed its Check. When it
// returns without error, workers act on it.
func (g *Gateway) ChangeFDB(verb string, c control.FDBChange) error {
	err := g.order(func() (bool, error) {
		c.Dev = g.configured(c.Dev)
		d, p, err := g.named(c.Dev, c.VLAN)
		if err != nil {
			return false, err
		}
		if err := g.honours(d, &c); err != nil {
			return false, err
		}
		if c.Flood() {
			return g.changeFlood(verb, d, &c)
		}
		return false, g.changeEntry(verb, d, p, &c)
	})
	if err != nil {
		return fmt.Errorf("fdb %s %s: %w", verb, c.MAC, err)
	}
	return nil
}

// named finds the bridge domain with a name, or the one that has the port with it, or with
// a VLAN of it. A device has the name of its domain unless it was given another.
func (g *Gateway) named(dev string, vlan *uint16) (*domain, *port, error) {
	dev = g.configured(dev)
	if p, err := g.namedVLAN(dev, vlan); err != nil {
		return nil, nil, err
	} else if p != nil {
		return p.domain, p, nil
	}
	var have []string
	var d *domain
	for _, one := range g.domains {
		if one == nil {
			continue
		}
		if a := one.absence(member{name: dev}); a != nil { // a device's VNI may have its name
			return nil, nil, fmt.Errorf("%s is gone: %s", a.member, a.reason())
		}
		if have = append(have, one.cfg.DomainName()); one.cfg.DomainName() == dev {
			d = one
		}
	}
	for _, p := range g.ports {
		if p == nil || p.trunk != nil {
			continue
		}
		if p.label() == dev && (d == nil || p.domain == d) {
			return p.domain, p, nil
		}
		if !slices.Contains(have, p.label()) {
			have = append(have, p.label())
		}
	}
	if d != nil {
		return d, nil, nil
	}
	for _, t := range g.liveTrunks {
		have = append(have, t.info.Name)
	}
	if more := len(have) - 8; more > 0 {
		have = append(have[:8], fmt.Sprintf("and %d more", more))
	}
	return nil, nil, fmt.Errorf("%s is neither a VNI nor a port of this gateway, which has %s", dev, strings.Join(have, ", "))
}

// honours refuses options that hold for the whole VNI or gateway and that one entry
// cannot have otherwise.
func (g *Gateway) honours(d *domain, c *control.FDBChange) error {
	u := &g.cfg.Underlay
	name := d.cfg.DomainName()
	switch {
	case c.SrcVNI != nil && *c.SrcVNI != d.cfg.VNI:
		return fmt.Errorf("src_vni %d: entries of %s have src_vni %d (leave it out; vni is that of packets to dst)", *c.SrcVNI, name, d.cfg.VNI)
	case c.Via != "" && c.Via != u.Iface:
		return fmt.Errorf("via %s: packets of tunnels come and go by %s alone (leave via out, or run another gw on %s)", c.Via, u.Iface, c.Via)
	}
	return nil
}

// dst is where c says that packets go, without what holds for all of d's anyway.
func (g *Gateway) dst(d *domain, c *control.FDBChange) config.Remote {
	to := config.Remote{Dst: bare(c.Dst)}
	if c.Port != nil {
		to.Port = *c.Port
	}
	if c.VNI != nil {
		to.VNI = *c.VNI
	}
	return to.Plain(d.cfg.VNI, g.cfg.Underlay.DstPort)
}

// changeEntry changes one entry of the table.
func (g *Gateway) changeEntry(verb string, d *domain, p *port, c *control.FDBChange) error {
	k := keyOf(d, c.MAC)
	old := g.plane.FDB.Lookup(k)
	if k.MAC() == d.plane.DeviceMAC {
		return errors.New("it is the address of the device itself, which stays while the device is there")
	}
	if verb == "del" {
		if err := g.find(d, c, k, old); err != nil {
			return err
		}
		return g.leave(k, old)
	}
	if v := g.view(); verb == "add" && old.Found() && v.knows(k, old.Dest()) {
		return fmt.Errorf("%w: %s (use replace)", control.ErrExists, v.entry(k, old))
	}
	dest, err := g.place(d, p, c)
	if err != nil {
		return err
	}
	kind, s := kindOf(c)
	switch err := g.enter(k, dest, kind, s); {
	case errors.Is(err, fdb.ErrLimit):
		return fmt.Errorf("%s is full: only static entries fit beyond maxaddress, %d (say static, or raise it)", d.cfg.DomainName(), d.cfg.MaxAddress)
	case errors.Is(err, fdb.ErrFull):
		return errors.New("the table is full (delete or flush entries)")
	default:
		return err
	}
}

// keyOf is the key of a MAC address, which passed control.FDBChange.Check.
func keyOf(d *domain, mac string) fdb.Key {
	hw, _ := net.ParseMAC(mac)
	return fdb.MakeKey(d.index, macInt(hw))
}

// kindOf says what kind of entry c makes. Without a word for its state it is
// permanent, as with bridge(8), and static at a port, which is no address of ours.
func kindOf(c *control.FDBChange) (fdb.Kind, state) {
	s := permanent
	switch {
	case c.State == "static", c.State == "" && !c.Dst.IsValid():
		s = static
	case c.State == "dynamic":
		s = dynamic
	}
	switch {
	case c.Extern:
		return fdb.Extern, s
	case s == dynamic:
		return fdb.Learned, s
	}
	return fdb.Static, s
}

// place is where c says that the address lives. A remote is numbered and its way
// followed from now on.
func (g *Gateway) place(d *domain, p *port, c *control.FDBChange) (fdb.Dest, error) {
	name := d.cfg.DomainName()
	switch {
	case c.Dst.IsValid() && c.Dev != name:
		return 0, fmt.Errorf("dst goes with a VNI, and %s is a port of one (say dev %s)", c.Dev, name)
	case !c.Dst.IsValid() && p == nil:
		return 0, fmt.Errorf("%s is a VNI: give dst ADDRESS, or dev PORT master", name)
	case !c.Dst.IsValid() && c.Dev == name && !c.Master:
		return 0, fmt.Errorf("%s is a VNI and a device: give dst ADDRESS, or say master for a host behind the device", name)
	case !c.Dst.IsValid():
		return fdb.PortDest(p.number), nil
	}
	if why := config.BadRemote(c.Dst, &g.cfg.Underlay, g.own()...); why != "" {
		return 0, control.Invalid{Err: fmt.Errorf("dst %s %s", c.Dst, why)}
	}
	if err := g.mayBeSentTo(d, c.Dst); err != nil {
		return 0, err
	}
	n, err := g.remoteAt(endpoint(g.dst(d, c)))
	return fdb.RemoteDest(n), err
}

// find makes sure that the entry v is there, and where c says it is.
func (g *Gateway) find(d *domain, c *control.FDBChange, k fdb.Key, v fdb.Value) error {
	view := g.view()
	if !v.Found() || !view.knows(k, v.Dest()) {
		return fmt.Errorf("%w in %s (gw fdb show lists those there are)", control.ErrNotFound, c.Dev)
	}
	e := view.entry(k, v)
	atPort := e.Master != ""
	elsewhere := c.Dst.IsValid() && (atPort || view.end(v.Dest().Index()) != endpoint(g.dst(d, c)))
	if e.Ifname != c.Dev || elsewhere || c.Self != c.Master && c.Master != atPort {
		return fmt.Errorf("%w: there is %s", control.ErrNotFound, e)
	}
	return nil
}

// leave takes an entry away that was v.
func (g *Gateway) leave(k fdb.Key, v fdb.Value) error {
	if err := g.plane.FDB.Delete(k); err != nil && v.Kind() != fdb.Learned { // a learned one may have aged meanwhile
		return err
	}
	g.unname(v)
	g.noteGiven(k, v, 0, dynamic)
	return nil
}
