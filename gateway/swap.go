package gateway

import (
	"fmt"
	"slices"

	"vxgw/config"
	"vxgw/fdb"
)

// swap has workers work with everything that comes.
func (t *turn) swap() error {
	g := t.g
	var done []func()
	err := g.order(func() (bool, error) {
		for _, d := range t.add {
			if err := g.addDomain(d); err != nil {
				return false, fmt.Errorf("vni %d: %w", d.cfg.VNI, err)
			}
			done = append(done, func() { g.dropDomain(d) })
		}
		for _, a := range t.change {
			if err := g.alterDomain(a.d, a.from, a.to); err != nil {
				return false, fmt.Errorf("vni %d: %w", a.to.VNI, err)
			}
			done = append(done, func() {
				_ = g.alterDomain(a.d, a.to, a.from) // its remotes have numbers
				if !a.from.NeighSuppress {
					g.closeNeighbours(a.d)
				}
			})
		}
		g.takeIn(t.opened)
		done = append(done, func() { g.takeOut(t.opened) })
		return true, nil
	})
	t.onError(func() error {
		if err := g.order(func() (bool, error) {
			for _, f := range slices.Backward(done) {
				f()
			}
			return true, nil
		}); err != nil {
			return err
		}
		unused(t.opened)
		return g.flushOut(t.opened, t.add)
	})
	return err
}

// fill enters the static entries of what has come, and then has packets of new VNIs
// come here.
func (t *turn) fill() error {
	g := t.g
	var done []func()
	t.onError(func() error {
		return g.order(func() (bool, error) {
			for _, f := range slices.Backward(done) {
				f()
			}
			return false, nil
		})
	})
	err := g.order(func() (bool, error) {
		for _, d := range t.touched() {
			if err := g.fillDomain(d, &done); err != nil {
				return false, fmt.Errorf("vni %d: %w", d.cfg.VNI, err)
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if len(t.add) > 0 {
		if err := g.order(func() (bool, error) { g.takeAllowed(); return false, nil }); err != nil {
			return err
		}
	}
	for _, d := range t.add {
		if err := g.steer.AddVNI(d.cfg.VNI); err != nil {
			return err
		}
		t.onError(func() error { return g.steer.DeleteVNI(d.cfg.VNI) })
	}
	return nil
}

// touched lists the domains whose static entries may have to be entered.
func (t *turn) touched() (all []*domain) {
	if t.whole {
		for _, d := range t.g.domains {
			if d != nil {
				all = append(all, d)
			}
		}
		return all
	}
	all = slices.Clone(t.add)
	for _, a := range t.change {
		all = append(all, a.d)
	}
	return all
}

// fillDomain enters the addresses of d's device and the static entries of its
// configuration, but for those at ports that are absent. It adds what undoes it to
// done. The steward calls it; workers know the ports.
func (g *Gateway) fillDomain(d *domain, done *[]func()) error {
	for _, p := range d.ports {
		if p.pair == nil {
			continue
		}
		undo, err := g.setStatic(d, p.mac.Load(), fdb.PortDest(p.number), permanent)
		if err != nil {
			return err
		}
		*done = append(*done, undo)
	}
	for _, s := range d.cfg.FDB {
		mac := macInt(s.MAC[:])
		if mac == d.plane.DeviceMAC {
			return fmt.Errorf("fdb entry %s is the device's own address", s.MAC)
		}
		dest, ok, err := g.dest(d, &s)
		if err != nil {
			return fmt.Errorf("fdb entry %s: %w", s.MAC, err)
		}
		if !ok {
			continue
		}
		undo, err := g.setStatic(d, mac, dest, static)
		if err != nil {
			return err
		}
		*done = append(*done, undo)
	}
	return g.fillNeighbours(d, done)
}

// dest finds where a static entry points: a remote, or a port or device of d that is
// there.
func (g *Gateway) dest(d *domain, s *config.Static) (_ fdb.Dest, ok bool, err error) {
	if s.Dst.IsValid() {
		number, err := g.remoteAt(endpoint(s.Remote()))
		return fdb.RemoteDest(number), true, err
	}
	for _, p := range d.ports {
		if s.Port == p.label() {
			return fdb.PortDest(p.number), true, nil
		}
	}
	return 0, false, nil
}

// clear takes away the static entries that the configuration had and has no more. The
// steward calls it.
func (t *turn) clear() {
	t.clearNeighbours()
	for _, a := range t.change {
		for _, s := range a.from.FDB {
			if slices.ContainsFunc(a.to.FDB, func(o config.Static) bool { return o.MAC == s.MAC }) {
				continue
			}
			if dest, ok, err := t.g.dest(a.d, &s); ok && err == nil {
				t.g.clearStatic(a.d, macInt(s.MAC[:]), dest)
			}
		}
	}
}
