package gateway

import (
	"errors"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"vxgw/netdev"
)

// Ports go and come back while the gateway runs: the kernel tells the steward, the
// steward wakes the builder, and the builder mends what it can. A device that somebody
// has removed is made again, with its addresses.

// How long the builder waits between two attempts at least: a failing attempt may be
// what the kernel tells of next.
const (
	shortPause = 50 * time.Millisecond
	longPause  = time.Second
)

// mend closes the ports that have gone and opens those that are back. It reports whether
// none is absent for a reason of its own.
func (g *Gateway) mend() bool {
	var gone []*port
	domains, ports := g.present()
	looked := map[*iface]bool{} // those of a trunk share it
	for _, p := range ports {
		if p == nil {
			continue
		}
		if _, known := looked[p.iface]; !known {
			looked[p.iface] = p.missing()
		}
		if p.gone.Load() || looked[p.iface] {
			gone = append(gone, p)
		}
	}
	if err := g.lose(gone); err != nil {
		g.log.Warn("a port that has gone could not be closed", "err", err)
	}
	well := true
	trunks := map[string][]*absence{}
	for _, d := range domains {
		if d == nil {
			continue
		}
		for _, a := range d.absent {
			if a.vlan.Mapped() {
				trunks[a.name] = append(trunks[a.name], a)
			} else {
				well = g.restore(a) && well
			}
		}
	}
	for name, absent := range trunks {
		well = g.restoreTrunk(name, absent) && well
	}
	g.fitMTUs()
	return well
}

// missing looks for the interface itself: what tells of its end may have been lost.
func (f *iface) missing() bool {
	_, err := netlink.LinkByIndex(f.info.Index)
	return errors.As(err, &netlink.LinkNotFoundError{})
}

// lose closes ports whose interfaces have gone, and notes them as absent.
func (g *Gateway) lose(ports []*port) error {
	if len(ports) == 0 {
		return nil
	}
	told := map[*iface]bool{} // those of a trunk share it
	for _, p := range ports {
		if told[p.iface] {
			continue
		}
		told[p.iface] = true
		g.log.Warn("the port has gone: it was removed, or moved to another network namespace", "port", p.label(), "vni", p.domain.cfg.VNI)
		g.frames.keep(p.info.Name, p.rings)
	}
	return g.close(ports, nil, func() { g.miss(ports) })
}

// miss notes closed ports as absent. The steward calls it.
func (g *Gateway) miss(ports []*port) {
	g.alter(func() {
		for _, p := range ports {
			p.domain.absent = append(slices.Clone(p.domain.absent), &absence{member: p.member()})
		}
	})
}

// restore opens an absent member if it is there again, and reports whether there is
// nothing to complain of.
func (g *Gateway) restore(a *absence) bool {
	if a.dev != nil {
		m := a.member
		m.dev = a.d.cfg.Device // its addresses may be others now
		a = &absence{m, a.why}
	} else if _, err := netdev.Lookup(a.name); errors.As(err, new(*netdev.NotFoundError)) {
		g.explain(a, "")
		return true
	}
	if err := g.reopen([]member{a.member}); err != nil {
		g.explain(a, err.Error())
		return false
	}
	for _, p := range a.d.ports {
		if a.same(p.member()) {
			g.awaitCarrier(g.builder.stop, []*iface{p.iface}, carrierPatience)
		}
	}
	g.log.Info("the port is back", "port", a.name, "vni", a.d.cfg.VNI)
	return true
}

// explain notes why a member that is there is absent.
func (g *Gateway) explain(a *absence, why string) {
	if why == a.why {
		return
	}
	if why != "" {
		g.log.Warn("a port that is back cannot be taken", "port", a.name, "err", why)
	}
	_ = g.order(func() (bool, error) { // fails only when nobody asks any more
		g.alter(func() {
			a.d.absent = slices.Clone(a.d.absent)
			for i, o := range a.d.absent {
				if o.same(a.member) {
					a.d.absent[i] = &absence{o.member, why}
				}
			}
		})
		return false, nil
	})
}

// reopen opens members whose ports were closed. What cannot be opened is absent.
func (g *Gateway) reopen(all []member) error {
	var errs []error
	var ports []*port
	var members []member
	for _, m := range all {
		p, err := g.openMember(m)
		if err == nil {
			ports, members = append(ports, p), append(members, m)
			continue
		}
		errs = append(errs, err)
		if err := g.order(func() (bool, error) { g.lack(m, err); return false, nil }); err != nil {
			return errors.Join(err, g.closePorts(ports))
		}
	}
	if len(ports) > 0 {
		if err := g.bring(ports, members); err != nil {
			return errors.Join(err, g.closePorts(ports))
		}
	}
	return errors.Join(errs...)
}

// closePorts closes ports that no worker has.
func (g *Gateway) closePorts(ports []*port) error {
	var errs []error
	for _, p := range ports {
		errs = append(errs, g.closePort(p))
	}
	return errors.Join(errs...)
}

// lack notes that a member is absent, once.
func (g *Gateway) lack(m member, err error) {
	if m.d.absence(m) == nil {
		g.alter(func() { m.d.absent = append(slices.Clone(m.d.absent), &absence{m, err.Error()}) })
	}
}

// bring lets frames flow through ports that were opened again.
func (g *Gateway) bring(ports []*port, members []member) error {
	if err := g.order(func() (bool, error) {
		g.takeIn(ports)
		g.forget(members)
		return true, nil
	}); err != nil {
		return err
	}
	for _, f := range ifaces(ports) {
		if !f.missing() {
			continue
		}
		for _, p := range ports { // it went before the steward knew its index
			if p.iface == f {
				p.gone.Store(true)
			}
		}
		g.builder.rouse()
	}
	return g.order(func() (bool, error) {
		var done []func()
		for _, p := range ports {
			if err := g.fillDomain(p.domain, &done); err != nil {
				g.log.Warn("not every static entry is there again", "vni", p.domain.cfg.VNI, "err", err)
			}
		}
		return false, nil
	})
}

// wasTaken is why a port is gone that is not there.
const wasTaken = "it was removed, or moved to another network namespace (gw takes it again when it is back)"

// reason says why a is absent, and what ends it.
func (a *absence) reason() string {
	if a.why == "" {
		return wasTaken
	}
	return a.why + " (gw tries again when interfaces change)"
}
