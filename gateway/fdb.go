package gateway

import (
	"cmp"
	"net/netip"
	"slices"

	"vxgw/control"
	"vxgw/fdb"
)

// FDB lists the MAC tables of all bridge domains in the form of bridge(8): first
// where each domain floods to, then its entries by address. From Close on there are
// none.
func (g *Gateway) FDB() []control.FDBEntry {
	out := []control.FDBEntry{}
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return out
	}
	addrs := g.plane.Remotes.Addrs()
	for _, d := range g.domains {
		for _, a := range append(slices.Clone(d.groups), d.remotes...) {
			out = append(out, control.FDBEntry{
				MAC: "00:00:00:00:00:00", Ifname: d.cfg.DomainName(), Dst: a.String(), Via: g.cfg.Underlay.Iface,
				Flags: []string{"self"}, State: "permanent", VNI: d.cfg.VNI,
			})
		}
	}
	first := len(out)
	now := g.plane.Now()
	g.plane.FDB.Range(func(k fdb.Key, v fdb.Value) bool {
		if int(k.Domain()) < len(g.domains) {
			out = append(out, g.entry(k, v, now, addrs))
		}
		return true
	})
	slices.SortFunc(out[first:], func(a, b control.FDBEntry) int {
		return cmp.Or(cmp.Compare(a.VNI, b.VNI), cmp.Compare(a.MAC, b.MAC))
	})
	return out
}

// entry describes one entry of the table.
func (g *Gateway) entry(k fdb.Key, v fdb.Value, now uint32, addrs []netip.Addr) control.FDBEntry {
	d := g.domains[k.Domain()]
	e := control.FDBEntry{MAC: macText(k.MAC()), VNI: d.cfg.VNI, Flags: []string{}}
	switch v.Kind() {
	case fdb.Learned:
		age := float64(now - min(v.Seen(), now))
		e.Age = &age
	case fdb.Static:
		e.State = "static"
	case fdb.Extern:
		e.Flags = append(e.Flags, "extern_learn")
	}
	dest := v.Dest()
	if !dest.IsRemote() {
		p := g.ports[dest.Index()]
		e.Ifname, e.Master = p.label(), d.cfg.DomainName()
		if p.pair != nil && k.MAC() == d.plane.DeviceMAC {
			e.State = "permanent" // the device's own address, as a bridge shows its ports'
		}
		return e
	}
	e.Ifname = d.cfg.DomainName()
	if n := int(dest.Index()); n < len(addrs) && addrs[n].IsValid() {
		e.Dst = addrs[n].String()
	}
	e.Flags = append([]string{"self"}, e.Flags...)
	return e
}
