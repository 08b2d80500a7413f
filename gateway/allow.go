package gateway

import (
	"fmt"
	"net/netip"
	"slices"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
)

// Who may send to a bridge domain:
//
//	reallow       a change that may make a difference marks the VNI
//	takeAllowed   before the next snapshot: the lists as they now are, for XDP and for workers
//
// XDP's list is first, and the snapshot with the same one follows within milliseconds; when the
// change has an answer both hold. In between a packet has to pass both.

// reallow notes that who may send to a VNI may be others from the next snapshot on; d is nil when
// there is no such VNI any more.
func (s *steward) reallow(vni uint32, d *domain) { s.allow[vni] = d }

// allowed lists who may send to d, in order, nil for anyone.
func (g *Gateway) allowed(d *domain) []netip.Prefix {
	if d.cfg.Allow == nil {
		return nil
	}
	all := []netip.Prefix{} // not nil, which is anyone
	single := func(a netip.Addr) {
		if a.IsValid() && !a.IsMulticast() {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	for _, a := range d.cfg.Allow {
		if p, ok := a.Prefix(); ok {
			all = append(all, p)
		}
	}
	if d.cfg.Allow.Remotes() {
		for _, r := range d.flood.remotes {
			single(r.Dst)
		}
		for _, n := range g.given.remotesOf(d.index) {
			single(g.plane.Remotes.Endpoint(n).Addr)
		}
	}
	slices.SortFunc(all, netip.Prefix.Compare)
	return slices.Compact(all)
}

// takeAllowed brings the lists up to date that were marked. The steward calls it, and Start before
// there is one.
func (g *Gateway) takeAllowed() {
	s := &g.steward
	if len(s.allow) == 0 {
		return
	}
	next := map[uint32][]netip.Prefix{}
	for vni, d := range s.allow {
		var list []netip.Prefix
		if d != nil {
			list = g.allowed(d)
		}
		was := s.allowed[vni]
		if (list == nil) == (was == nil) && slices.Equal(list, was) {
			continue
		}
		next[vni] = list
		if s.allowed[vni] = list; list == nil {
			delete(s.allowed, vni)
		}
		if d != nil {
			var plane *dataplane.Allow
			if list != nil {
				plane = dataplane.NewAllow(list)
			}
			g.redraw(d, func(p *dataplane.Domain) { p.Allow = plane })
		}
	}
	clear(s.allow)
	if len(next) == 0 {
		return
	}
	for vni, list := range s.untaken {
		if _, newer := next[vni]; !newer {
			next[vni] = list
		}
	}
	s.untaken = nil
	err := g.steer.Allow(next)
	why := ""
	if err != nil {
		why, s.untaken = err.Error(), next
		g.log.Warn("XDP lets more VTEPs through than may send; workers drop what they send", "err", err)
	}
	if why != g.unsteered {
		g.alter(func() { g.unsteered = why })
	}
}

// mayBeSentTo refuses a destination that may not answer.
func (g *Gateway) mayBeSentTo(d *domain, dst netip.Addr) error {
	if a := d.cfg.Allow; a == nil || a.Remotes() || a.Covers(bare(dst)) {
		return nil
	}
	return fmt.Errorf("dst %s may not send to vni %d: allow leaves it out (gw remote allow add %s --vni %d first)", dst, d.cfg.VNI, dst, d.cfg.VNI)
}

// AddAllowed lets one more network send to a VNI. The first one keeps all others from it.
func (g *Gateway) AddAllowed(c control.AllowChange) error {
	who, err := config.ParseAllowed(c.Who)
	if err != nil {
		return control.Invalid{Err: about("remote allow add", err)}
	}
	return told("remote allow add", g.edit(c.VNI, func(v *config.VNI) error {
		if slices.Contains(v.Allow, who) {
			return control.Clash(fmt.Sprintf("%s may send to vni %d already", who, c.VNI))
		}
		v.Allow = append(slices.Clone(v.Allow), who)
		return nil
	}))
}

// DeleteAllowed is the reverse; but that the last one lets anyone send is not.
func (g *Gateway) DeleteAllowed(c control.AllowChange) error {
	who, err := config.ParseAllowed(c.Who)
	if err != nil {
		return control.Invalid{Err: about("remote allow del", err)}
	}
	return told("remote allow del", g.edit(c.VNI, func(v *config.VNI) error {
		i := slices.Index(v.Allow, who)
		switch {
		case i < 0:
			return control.Missing(fmt.Sprintf("%s is not on the list of vni %d (gw remote allow show lists who is)", who, c.VNI))
		case len(v.Allow) == 1:
			return fmt.Errorf("%s is the last on the list of vni %d (gw remote allow off --vni %d lets anyone send)", who, c.VNI, c.VNI)
		}
		v.Allow = slices.Delete(slices.Clone(v.Allow), i, i+1)
		return nil
	}))
}

// AllowAnyone takes the list of a VNI away.
func (g *Gateway) AllowAnyone(n control.VNIName) error {
	return about("remote allow off", g.edit(n.VNI, func(v *config.VNI) error {
		v.Allow = nil
		return nil
	}))
}

// refused adds what XDP dropped to what workers did, where that is shown.
func (g *Gateway) refused(s *control.Status) {
	name := dataplane.RemoteNotAllowed.String()
	if n := s.Refused(); n > 0 {
		s.Underlay.Drops[name] += n
	}
	for i := range s.VNIs {
		v := &s.VNIs[i]
		if n, err := g.steer.Refusals(v.VNI); err == nil {
			v.Refused = n
			v.Dropped += n
			if n > 0 {
				if v.DropReasons == nil {
					v.DropReasons = map[string]uint64{}
				}
				v.DropReasons[name] += n
			}
		}
	}
}
