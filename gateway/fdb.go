package gateway

import (
	"cmp"
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
		return cmp.Or(cmp.Compare(a.Domain(), b.Domain()), cmp.Compare(a.MAC, b.MAC))
	})
	return out
}

// view is what numbers stand for at one moment: entries are described with it.
type view struct {
	g       *Gateway
	domains []*dataplane.Domain // those that workers have, nil for others
	owners  []*domain
	ports   []*port
	ends    []dataplane.Endpoint // of remotes
	now     uint32
	ledger  dataplane.Ledger // Status alone asks the workers for it
}

// view looks at the snapshot first, so that the remotes it names have addresses. The
// steward calls it, or who holds asking.
func (g *Gateway) view() view {
	v := view{g: g, domains: g.plane.Snapshot().Domains, owners: g.domains, ports: g.ports}
	v.ends, v.now = g.plane.Remotes.Endpoints(), g.plane.Now()
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

// end is what the number of a remote stands for, the zero Endpoint if it has been forgotten.
func (v *view) end(n uint32) dataplane.Endpoint {
	if int(n) < len(v.ends) {
		return v.ends[n]
	}
	return dataplane.Endpoint{}
}

// floodsTo lists the remotes or the group that a bridge domain floods to.
func (v *view) floodsTo(domain int) []dataplane.Endpoint {
	var out []dataplane.Endpoint
	if v.domains[domain] == nil {
		return nil
	}
	for _, n := range v.domains[domain].FloodRemotes {
		out = append(out, v.end(n))
	}
	return out
}

// floods describes the flood list of a bridge domain.
func (v *view) floods(domain int) []control.FDBEntry {
	var out []control.FDBEntry
	for _, to := range v.floodsTo(domain) {
		out = append(out, v.flood(domain, to))
	}
	return out
}

func (v *view) flood(domain int, to dataplane.Endpoint) control.FDBEntry {
	d := v.owners[domain]
	e := control.FDBEntry{
		MAC: control.ZeroMAC, Ifname: d.cfg.DomainName(), Via: v.g.cfg.Underlay.Iface,
		Flags: []string{"self"}, State: permanent.String(), VNI: d.cfg.VNI,
	}
	sendTo(&e, to)
	return e
}

// sendTo enters where packets to e's address go.
func sendTo(e *control.FDBEntry, to dataplane.Endpoint) {
	e.Dst, e.Port = to.Addr.String(), to.Port
	if to.VNI != 0 {
		e.VNI, e.SrcVNI = to.VNI, e.VNI
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
		if to := v.end(dest.Index()); to.Addr.IsValid() {
			sendTo(&e, to)
		}
	} else {
		e.Ifname, e.VLAN, e.Master = v.port(dest).label(), v.port(dest).vlanOf(), d.cfg.DomainName()
	}
	if kind == fdb.Extern {
		e.Flags = append(e.Flags, "extern_learn")
	}
	return e
}
