package gateway

import (
	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/handover"
	"vxgw/neigh"
)

// What the gateway before knew enters the tables as a reload would leave it there: the configuration wins, entries for
// addresses that it does not name stay, and those that name a VNI, port or VTEP which it does not have any more are
// dropped.

// restoreTables fills the tables. No worker runs yet.
func (g *Gateway) restoreTables() error {
	if g.prior == nil {
		return nil
	}
	s := g.prior.state
	r := restorer{g: g, s: s, now: g.now(), domains: make([]*domain, len(s.VNIs)), remotes: make([]*uint32, len(s.Remotes))}
	byVNI := map[uint32]*domain{}
	for _, d := range g.domains {
		if d != nil {
			byVNI[d.cfg.VNI] = d
		}
	}
	for i, vni := range s.VNIs {
		r.domains[i] = byVNI[vni]
	}
	for i := range s.Entries {
		g.prior.count(r.entry(&s.Entries[i]))
	}
	for i := range s.Neighbours {
		g.prior.count(r.neighbour(&s.Neighbours[i]))
	}
	return nil
}

func (p *prior) count(restored bool) {
	if restored {
		p.restored++
	} else {
		p.dropped++
	}
}

type restorer struct {
	g       *Gateway
	s       *handover.State
	now     uint32
	domains []*domain // by place
	remotes []*uint32 // numbers, by place; nil until asked for
}

// of is the bridge domain at a place, or nil.
func (r *restorer) of(place uint16) *domain {
	if int(place) >= len(r.domains) {
		return nil
	}
	return r.domains[place]
}

// entry enters one entry, and reports whether there was a place for it.
func (r *restorer) entry(e *handover.Entry) bool {
	d, kind, s := r.of(e.VNI), fdb.Kind(e.Kind), state(e.Stays)
	const group = 1 << 40 // the bit of a multicast address
	if d == nil || kind < fdb.Learned || kind > fdb.Extern || s > permanent || e.MAC == 0 || e.MAC>>48 != 0 || e.MAC&group != 0 {
		return false
	}
	k := fdb.MakeKey(d.index, e.MAC)
	if r.g.plane.FDB.Lookup(k).Found() || kind == fdb.Learned && !d.cfg.Learning {
		return false
	}
	dest, ok := r.dest(d, e, kind)
	return ok && r.g.enterAt(k, dest, kind, s, r.now-min(e.Age, r.now-1)) == nil
}

// dest finds where an entry points to now.
func (r *restorer) dest(d *domain, e *handover.Entry, kind fdb.Kind) (fdb.Dest, bool) {
	if e.Remote {
		if int(e.Dest) >= len(r.s.Remotes) {
			return 0, false
		}
		if r.g.mayBeSentTo(d, r.s.Remotes[e.Dest].Addr) != nil {
			return 0, false
		}
		n, ok := r.remote(e.Dest, kind)
		return fdb.RemoteDest(n), ok
	}
	if int(e.Dest) >= len(r.s.Ports) {
		return 0, false
	}
	was := r.s.Ports[e.Dest]
	for _, p := range d.ports {
		if p.label() == was.Name && (p.trunk != nil) == was.Trunk && p.vlanOf() == was.VLAN {
			return fdb.PortDest(p.number), true
		}
	}
	return 0, false
}

// remote numbers a VTEP. The way to one that nobody has sent to is not followed, as ever.
func (r *restorer) remote(place uint32, kind fdb.Kind) (uint32, bool) {
	g, was := r.g, r.s.Remotes[place]
	e := dataplane.Endpoint{Addr: was.Addr.Unmap(), Port: was.Port, VNI: was.VNI}
	follow := was.Followed || kind != fdb.Learned
	if n := r.remotes[place]; n != nil && (!follow || g.steward.watched[*n]) {
		return *n, true
	}
	if config.BadRemote(was.Addr, &g.cfg.Underlay, g.sources.All()...) != "" {
		return 0, false
	}
	number := g.remoteAt
	if !follow {
		number = g.plane.Remotes.AddEndpoint
	}
	n, err := number(e)
	if err != nil {
		return 0, false
	}
	r.remotes[place] = &n
	return n, true
}

// neighbour enters one neighbour.
func (r *restorer) neighbour(n *handover.Neighbour) bool {
	d, kind := r.of(n.VNI), neigh.Kind(n.Kind)
	if d == nil || d.neighbours == nil || kind < neigh.Learned || kind > neigh.Extern || n.MAC>>48 != 0 || n.VLAN >= 4096 {
		return false
	}
	e := neigh.Entry{MAC: n.MAC, Kind: kind, Router: n.Router, Sure: n.Sure, Seen: r.now - min(n.Age, r.now-1)}
	return d.neighbours.Set(neigh.Key{Hi: n.Hi, Lo: n.Lo, VLAN: n.VLAN}, e, true) == nil
}
