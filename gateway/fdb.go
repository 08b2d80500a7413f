package gateway

import (
	"cmp"
	"net/netip"
	"slices"

	"vxgw/control"
	"vxgw/dataplane"
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
	v := g.view()
	for i := range v.domains {
		out = append(out, v.floods(i)...)
	}
	first := len(out)
	g.plane.FDB.Range(func(k fdb.Key, value fdb.Value) bool {
		if v.knows(k, value.Dest()) {
			out = append(out, v.entry(k, value))
		}
		return true
	})
	slices.SortFunc(out[first:], func(a, b control.FDBEntry) int {
		return cmp.Or(cmp.Compare(a.VNI, b.VNI), cmp.Compare(a.MAC, b.MAC))
	})
	return out
}

// view is what numbers stand for at one moment: entries are described with it.
type view struct {
	g       *Gateway
	domains []*dataplane.Domain // those that workers have, nil for others
	owners  []*domain
	ports   []*port
	addrs   []netip.Addr // of remotes
	now     uint32
	ledger  dataplane.Ledger // Status alone asks the workers for it
}

// view looks at the snapshot first, so that the remotes it names have addresses. The
// steward calls it, or who holds asking.
func (g *Gateway) view() view {
	v := view{g: g, domains: g.plane.Snapshot().Domains, owners: g.domains, ports: g.ports}
	v.addrs, v.now = g.plane.Remotes.Addrs(), g.plane.Now()
	gone := func(i int) bool { return i >= len(v.owners) || v.owners[i] == nil }
	for i, d := range v.domains {
		if d == nil || !gone(i) {
			continue
		}
		all := slices.Clone(v.domains) // workers have some that are about to go
		for i := range all {
			if gone(i) {
				all[i] = nil
			}
		}
		v.domains = all
		break
	}
	return v
}

// knows says whether an entry can be described: what it names may be about to go, or to
// come.
func (v *view) knows(k fdb.Key, dest fdb.Dest) bool {
	d := int(k.Domain())
	return d < len(v.domains) && v.domains[d] != nil && v.names(k, dest)
}

// names says whether there are names for what an entry names.
func (v *view) names(k fdb.Key, dest fdb.Dest) bool {
	d := int(k.Domain())
	return d < len(v.owners) && v.owners[d] != nil && (dest.IsRemote() || v.port(dest) != nil)
}

// port is the one with the number that dest has, or nil.
func (v *view) port(dest fdb.Dest) *port {
	if n := dest.Index(); int(n) < len(v.ports) {
		return v.ports[n]
	}
	return nil
}

// addr is the address of a remote, the zero one if it has been forgotten.
func (v *view) addr(n uint32) netip.Addr {
	if int(n) < len(v.addrs) {
		return v.addrs[n]
	}
	return netip.Addr{}
}

// floodsTo lists the remotes or the group that a bridge domain floods to.
func (v *view) floodsTo(domain int) []netip.Addr {
	var out []netip.Addr
	if v.domains[domain] == nil {
		return nil
	}
	for _, n := range v.domains[domain].FloodRemotes {
		out = append(out, v.addr(n))
	}
	return out
}

// floods describes the flood list of a bridge domain.
func (v *view) floods(domain int) []control.FDBEntry {
	var out []control.FDBEntry
	for _, a := range v.floodsTo(domain) {
		out = append(out, v.flood(domain, a))
	}
	return out
}

func (v *view) flood(domain int, to netip.Addr) control.FDBEntry {
	d := v.owners[domain]
	return control.FDBEntry{
		MAC: control.ZeroMAC, Ifname: d.cfg.DomainName(), Dst: to.String(), Via: v.g.cfg.Underlay.Iface,
		Flags: []string{"self"}, State: permanent.String(), VNI: d.cfg.VNI,
	}
}

// entry describes one entry of the table.
func (v *view) entry(k fdb.Key, value fdb.Value) control.FDBEntry {
	e := v.describe(k, value.Dest(), value.Kind(), v.g.given.state(k, value.Kind()))
	if value.Kind() == fdb.Learned {
		age := float64(v.now - min(value.Seen(), v.now))
		e.Age = &age
		e.Frozen = v.g.plane.FDB.Frozen(k, v.now)
	}
	return e
}

// describe is entry without the age, of an entry that v knows.
func (v *view) describe(k fdb.Key, dest fdb.Dest, kind fdb.Kind, s state) control.FDBEntry {
	d := v.owners[k.Domain()]
	e := control.FDBEntry{MAC: macText(k.MAC()), VNI: d.cfg.VNI, Flags: []string{}, State: s.String()}
	if dest.IsRemote() {
		e.Ifname = d.cfg.DomainName()
		e.Flags = append(e.Flags, "self")
		if a := v.addr(dest.Index()); a.IsValid() {
			e.Dst = a.String()
		}
	} else {
		e.Ifname, e.VLAN, e.Master = v.port(dest).label(), v.port(dest).vlanOf(), d.cfg.DomainName()
	}
	if kind == fdb.Extern {
		e.Flags = append(e.Flags, "extern_learn")
	}
	return e
}
