package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"vxgw/config"
)

// A turn makes the gateway do what another configuration says, or nothing:
//
//	plan     what comes, stays and goes; look at the interfaces that come
//	acquire  groups, devices, ports and addresses that come
//	move     what can only come when another of its name has gone
//	swap     one snapshot: new domains, settings, flood lists and ports
//	fill     static entries; then packets of new VNIs are ours
//	release  what goes: steering, snapshot, FDB entries, sockets, devices, groups
//	wait     for links that XDP has reset (at the start AwaitCarrier does)
//
// Up to fill each step puts what it undoes on a stack, and an error takes it all back. Release
// has nothing to fail for: what it cannot put back is logged.
//
// The builder works on it, and Start before there is one. Nothing of a port or VNI that
// does not change is touched.
type turn struct {
	g       *Gateway
	add     []*domain
	remove  []*domain
	change  []alteration
	coming  []member
	leaving []*port  // and open
	missing []member // leave, and are absent
	opened  []*port
	whole   bool // the configuration's static entries are there again, whoever took them away
	undo    []func() error
}

// alteration is a domain that gets other settings.
type alteration struct {
	d        *domain
	from, to *config.VNI
}

// apply carries changes out as a whole, or none of them. With whole the static entries
// of every VNI become those of the configuration again.
func (g *Gateway) apply(c config.Changes, whole bool) error {
	t := &turn{g: g, whole: whole}
	for _, step := range []func() error{
		func() error { return t.plan(c) },
		t.acquire, t.move, t.swap, t.fill,
	} {
		if err := step(); err != nil {
			return with(err, t.back())
		}
	}
	t.release()
	t.follow()
	if g.serving {
		g.awaitCarrier(g.builder.stop, ifaces(t.opened), carrierPatience)
	}
	return nil
}

// back undoes what was done.
func (t *turn) back() error {
	var errs []error
	for _, f := range slices.Backward(t.undo) {
		if err := f(); err != nil {
			errs = append(errs, fmt.Errorf("take it back: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (t *turn) onError(f func() error) { t.undo = append(t.undo, f) }

// plan finds what comes and what goes.
func (t *turn) plan(c config.Changes) error {
	byVNI := map[uint32]*domain{}
	domains, _ := t.g.present()
	for _, d := range domains {
		if d != nil {
			byVNI[d.cfg.VNI] = d
		}
	}
	for _, v := range c.Add {
		n, err := t.g.domainNumbers.take()
		if err != nil {
			return fmt.Errorf("vni %d: %w", v.VNI, err)
		}
		t.onError(func() error { t.g.domainNumbers.put(n); return nil })
		d := &domain{cfg: v, index: uint16(n)}
		t.add = append(t.add, d)
		t.coming = append(t.coming, members(d, v)...)
	}
	for _, one := range c.Change {
		d := byVNI[one.To.VNI]
		if err := d.checkTags(one.To); err != nil {
			return err
		}
		t.change = append(t.change, alteration{d, one.From, one.To})
		was, will := members(d, d.cfg), members(d, one.To)
		for _, m := range will {
			if !contains(was, m) {
				t.coming = append(t.coming, m)
			}
		}
		t.leave(d, func(m member) bool { return contains(will, m) })
	}
	for _, v := range c.Remove {
		d := byVNI[v.VNI]
		t.remove = append(t.remove, d)
		t.leave(d, func(member) bool { return false })
	}
	seen := infos{}
	for _, m := range t.coming {
		if err := t.g.look(m, seen); err != nil {
			return err
		}
	}
	return nil
}

// leave notes the members of d that do not stay.
func (t *turn) leave(d *domain, stays func(member) bool) {
	for _, p := range d.ports {
		if !stays(p.member()) {
			t.leaving = append(t.leaving, p)
		}
	}
	for _, a := range d.absent {
		if !stays(a.member) {
			t.missing = append(t.missing, a.member)
		}
	}
}

// acquire takes what comes and is free.
func (t *turn) acquire() error {
	for _, d := range t.add {
		if err := t.hold(d.cfg); err != nil {
			return err
		}
	}
	for _, a := range t.change {
		if a.to.Group != a.from.Group {
			if err := t.hold(a.to); err != nil {
				return err
			}
		}
		if err := t.address(a); err != nil {
			return err
		}
	}
	var later []member
	for _, m := range t.coming {
		if t.holder(m) != nil {
			later = append(later, m)
		} else if err := t.open(m); err != nil {
			return err
		}
	}
	t.coming = later
	return nil
}

// hold makes sure that the packets of a VNI's group come here.
func (t *turn) hold(v *config.VNI) error {
	if !v.Group.IsValid() {
		return nil
	}
	if err := t.g.hold(v.Group); err != nil {
		return fmt.Errorf("vni %d: %w", v.VNI, err)
	}
	t.onError(func() error { return t.g.drop(v.Group) })
	return nil
}

// address gives a device the addresses that come, and the MTU.
func (t *turn) address(a alteration) error {
	p := a.device()
	if p == nil {
		return nil
	}
	if err := t.g.fitDevice(a.to.Device, a.to); err != nil {
		return fmt.Errorf("vni %d: %w", a.to.VNI, err)
	}
	if a.from.Device.MTU != a.to.Device.MTU {
		was, err := p.pair.MTU()
		if err == nil {
			err = p.setMTU(t.g.followed(a.to.Device, a.to))
		}
		if err != nil {
			return fmt.Errorf("vni %d: %w", a.to.VNI, err)
		}
		t.onError(func() error { return p.setMTU(was) })
	}
	for _, addr := range a.to.Device.Addresses {
		if slices.Contains(a.from.Device.Addresses, addr) {
			continue
		}
		if err := p.pair.AddAddress(addr); err != nil {
			return fmt.Errorf("vni %d: device %s: %w", a.to.VNI, p.pair.Name, err)
		}
		t.onError(func() error { return p.readdress(a.to.Device.Addresses, a.from.Device.Addresses) })
	}
	return nil
}

// follow has devices follow tunnels that take more of a packet now, or less, since their VTEPs are
// of another family.
func (t *turn) follow() {
	for _, a := range t.change {
		for _, p := range a.d.ports {
			if p.pair != nil {
				t.g.followTunnel(p)
			}
		}
		if t.g.overhead(a.from) != t.g.overhead(a.to) {
			t.g.builder.rouse() // which tells of ports
		}
	}
}

// readdress takes addresses away that go. With the first one of a subnet the kernel takes
// away the others (promote_secondaries of net/ipv4/devinet.c), so those are added again.
func (p *port) readdress(from, to []netip.Prefix) error {
	var errs []error
	for _, addr := range from {
		if !slices.Contains(to, addr) {
			errs = append(errs, p.pair.RemoveAddress(addr))
		}
	}
	if !slices.Equal(from, to) {
		for _, addr := range to {
			errs = append(errs, p.pair.AddAddress(addr))
		}
	}
	return errors.Join(errs...)
}

// device is the open device that a has before and after, or nil.
func (a alteration) device() *port {
	for _, p := range a.d.ports {
		if p.pair != nil && a.from.Device != nil && a.to.Device != nil && a.from.Device.Name == a.to.Device.Name {
			return p
		}
	}
	return nil
}

func (t *turn) open(m member) error {
	if err := t.g.interrupted(); err != nil { // one may take a second
		return err
	}
	p, err := t.g.openMember(m)
	if err != nil {
		return err
	}
	t.opened = append(t.opened, p)
	t.onError(func() error { return t.g.closePort(p) })
	return nil
}

// holdTrunks keeps the trunks open of which VLANs come, until free is called: their ports
// may all go first.
func (t *turn) holdTrunks() (free func()) {
	var held []*trunk
	for _, m := range t.coming {
		if trunk := t.g.trunks[m.name]; trunk != nil && m.vlan.Mapped() {
			trunk.users++
			held = append(held, trunk)
		}
	}
	return func() {
		for _, trunk := range held {
			if err := t.g.releaseTrunk(trunk); err != nil {
				t.g.log.Warn("a trunk could not be closed", "port", trunk.info.Name, "err", err)
			}
		}
	}
}

// holder is the leaving port that has a name which m needs.
func (t *turn) holder(m member) *port {
	for _, p := range t.leaving {
		if m.meets(p.member()) {
			return p
		}
	}
	return nil
}

// move closes ports whose names are needed again, and opens those that need them.
func (t *turn) move() error {
	defer t.holdTrunks()()
	var first []*port
	for _, m := range t.coming {
		for p := t.holder(m); p != nil; p = t.holder(m) {
			first = append(first, p)
			t.leaving = slices.DeleteFunc(t.leaving, func(o *port) bool { return o == p })
		}
	}
	if len(first) > 0 {
		was := make([]member, len(first))
		for i, p := range first {
			was[i] = p.member()
		}
		t.onError(func() error {
			var closed []member // all, unless the steward has ended
			for i, p := range first {
				if p.closed {
					closed = append(closed, was[i])
				}
			}
			return t.g.reopen(closed)
		})
		if err := t.g.close(first, nil, nil); err != nil {
			return err
		}
	}
	for _, m := range t.coming {
		if err := t.open(m); err != nil {
			return err
		}
	}
	return nil
}

// release gives back what goes.
func (t *turn) release() {
	g := t.g
	var errs []error
	for _, d := range t.remove {
		errs = append(errs, g.steer.DeleteVNI(d.cfg.VNI))
	}
	errs = append(errs, g.close(t.leaving, t.remove, func() {
		g.forget(t.missing)
		t.clear()
	}))
	for _, d := range t.remove {
		g.domainNumbers.put(uint32(d.index))
		g.undebug(d.cfg.VNI)
		errs = append(errs, g.drop(d.cfg.Group))
	}
	for _, a := range t.change {
		if a.to.Group != a.from.Group {
			errs = append(errs, g.drop(a.from.Group))
		}
		if p := a.device(); p != nil {
			errs = append(errs, p.readdress(a.from.Device.Addresses, a.to.Device.Addresses))
		}
	}
	if err := errors.Join(errs...); err != nil {
		g.log.Warn("not everything of what was removed could be put back", "err", err)
	}
}
