package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/underlay"
)

// takeSource makes the underlay's source at this time that of the outer headers, and
// of what is ours of what arrives. The steward calls it before it builds a snapshot.
// While there is none, the underlay has no way to any remote.
func (g *Gateway) takeSource(link underlay.Link) {
	if link.Sources == g.sources {
		return
	}
	old, now := g.sources.All(), link.Sources.All()
	g.sources = link.Sources
	for _, a := range now {
		if slices.Contains(old, a) {
			continue
		}
		if err := g.steer.AddAddr(a); err != nil {
			g.log.Error("packets to the new outer source address stay with the kernel", "local", a, "err", err)
		}
	}
	for _, a := range old {
		if slices.Contains(now, a) {
			continue
		}
		if err := g.steer.DeleteAddr(a); err != nil {
			g.log.Error("packets to the old outer source address do not go to the kernel", "local", a, "err", err)
		}
	}
	if is6 := netip.Addr.Is6; slices.ContainsFunc(now, is6) && !slices.ContainsFunc(old, is6) {
		if err := g.groups.Renew(); err != nil {
			g.log.Error("packets to a group may not arrive", "err", err)
		}
	}
	for i := range g.tunnels {
		if g.tunnels[i].plane == nil {
			continue
		}
		next := *g.tunnels[i].plane // workers and the slow path may still have the old one
		next.Source = g.sources.For
		g.tunnels[i].plane = &next
	}
	for _, d := range g.domains {
		if d != nil {
			g.redraw(d, func(p *dataplane.Domain) { p.Tunnel = g.tunnels[p.Tunnel.Set].plane })
		}
	}
	g.steward.redrawn, g.steward.repath = true, true
}

// sources are the outer source addresses that workers use, as text.
func sources(s *dataplane.Snapshot) (text []string) {
	text = []string{} // and no null in JSON
	for _, a := range sourceAddrs(s) {
		text = append(text, a.String())
	}
	return text
}

// sourceAddrs are the same.
func sourceAddrs(s *dataplane.Snapshot) (all []netip.Addr) {
	for _, a := range s.Locals {
		all = append(all, a.Netip())
	}
	return all
}

// own are the underlay's addresses, of either family, and those given that are on other interfaces: no other VTEP has one of them.
func (g *Gateway) own() []netip.Addr {
	link := g.mirror.Link()
	return append(link.Own, link.Sources.All()...)
}

// unsent is behind "nothing is sent" where workers lack a source of one family only: " over IPv6"; else "".
func unsent(locals []string) string {
	six := func(a string) bool { return strings.Contains(a, ":") }
	switch {
	case len(locals) == 0:
		return ""
	case !slices.ContainsFunc(locals, six):
		return " over IPv6"
	case six(locals[0]): // IPv4 would be the first
		return " over IPv4"
	}
	return ""
}

// trouble says why nothing can be sent for lack of an outer source address, or "".
func trouble(link underlay.Link, s *dataplane.Snapshot) string {
	if link.NoSource == "" && len(s.Locals) < len(link.Sources.All()) {
		return fmt.Sprintf("%s has an address again, which workers are about to use", link.Name)
	}
	return link.NoSource
}

// dadPatience is how long a start waits for addresses whose duplicate address
// detection is under way: with the kernel's settings it takes up to two seconds.
const dadPatience = 4 * time.Second

// findSources looks which families the configuration is about, and for the outer
// sources that it needs. What of a family is not spoken of is left alone, but with
// neither of them the one is taken that the interface has a global address of, IPv4 first.
func (g *Gateway) findSources(ifindex int) (cfg underlay.Config, err error) {
	u := &g.cfg.Underlay
	cfg = underlay.Config{Ifindex: ifindex, Name: u.Iface, Log: g.log}
	cfg.Local, cfg.Local6 = u.Locals()
	cfg.Four, cfg.Six = cfg.Local.IsValid(), cfg.Local6.IsValid()
	g.cfg.EachRemote(func(n config.Named) bool {
		if n.Addr.Is4() {
			cfg.Four = true
		} else {
			cfg.Six = true
		}
		return !cfg.Four || !cfg.Six
	})
	either := !cfg.Four && !cfg.Six
	if either {
		cfg.Four = true
	}
	for begin := time.Now(); ; time.Sleep(dadPatience / 80) {
		var s underlay.Sources
		var why string
		if s, why, err = underlay.FindSources(cfg); err != nil {
			return cfg, err
		}
		if either && why != "" {
			six := cfg
			six.Four, six.Six = false, true
			if s6, _, err := underlay.FindSources(six); err == nil && s6.Six.IsValid() {
				cfg, s, why = six, s6, ""
			} else if err == nil {
				s.Tentative = s6.Tentative
			}
		}
		g.sources = s
		g.cfg.EachRemote(func(n config.Named) bool {
			if _, no := s.Pick(n.Addr); no != "" && why == "" {
				why = n.String() + ": " + no
			}
			return why == ""
		})
		switch {
		case why == "":
			return cfg, nil
		case !s.Tentative || time.Since(begin) > dadPatience:
			return cfg, &config.Error{Problem: why}
		}
		if err := g.interrupted(); err != nil {
			return cfg, err
		}
	}
}
