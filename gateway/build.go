package gateway

import (
	"net/netip"
	"time"

	"vxgw/dataplane"
	"vxgw/underlay"
	"vxgw/vxlan"
)

// publish builds a snapshot of what is now known and gives it to the workers. Only
// the steward calls it, and Start before there is one.
func (g *Gateway) publish() {
	begin, old := time.Now(), g.plane.Snapshot()
	link := g.mirror.Link()
	g.takeSource(link)
	g.takeAllowed()
	s := &dataplane.Snapshot{
		LocalMAC: macInt(link.MAC[:]),
		Locals:   addrs(g.sources.All()),
		Underlay: link.Up,
		Martians: martians(link.Addrs),
		VNIs:     old.VNIs,
		Domains:  old.Domains,
		Queues:   old.Queues,
	}
	if g.steward.redrawn {
		s.Domains = g.planes()
		s.VNIs = g.steward.renumber(s)
		g.steward.redrawn = false
	}
	if g.steward.requeued {
		s.Queues = g.queues()
		g.steward.requeued = false
	}
	s.Ports = g.pictures(old)
	g.ways(s, old, link)
	g.plane.Publish(s)
	g.steward.built = time.Now()
	g.steward.gap = max(minGap, buildShare*g.steward.built.Sub(begin))
}

// planes are the bridge domains by index, as workers see them.
func (g *Gateway) planes() []*dataplane.Domain {
	all := make([]*dataplane.Domain, len(g.domains))
	for i, d := range g.domains {
		if d != nil {
			all[i] = d.plane
		}
	}
	return all
}

// picture is p as workers see it; the one that old has where nothing is different.
func (p *port) picture(old *dataplane.Snapshot) *dataplane.Port {
	return pictured(old, dataplane.Port{Index: p.number, Account: p.account, Domain: p.domain.index, Name: p.label(), MTU: p.mtu, Most: p.most, Up: p.up, Isolated: p.isolated,
		Tagging: p.entry(), Exit: p.exit()})
}

func pictured(old *dataplane.Snapshot, now dataplane.Port) *dataplane.Port {
	if int(now.Index) < len(old.Ports) && old.Ports[now.Index] != nil && *old.Ports[now.Index] == now {
		return old.Ports[now.Index]
	}
	return &now
}

// renumbering is a VNI that has another bridge domain index than before.
type renumbering struct {
	vni   uint32
	index uint16
}

// redraw notes that a VNI has another index from the next snapshot on.
func (s *steward) redraw(vni uint32, index uint16) {
	s.vnis = append(s.vnis, renumbering{vni, index})
	s.redrawn = true
}

// fewVNIs is up to how many of them it costs less to copy the table for each than to
// make another one.
const fewVNIs = 64

// renumber returns the table of s, which has its domains and the table of the last snapshot.
func (s *steward) renumber(next *dataplane.Snapshot) *dataplane.VNITable {
	changed := s.vnis
	s.vnis = nil
	if len(changed) > fewVNIs {
		return dataplane.NewVNITable(next.Domains)
	}
	table := next.VNIs
	for _, c := range changed {
		table = table.With(c.vni, c.index)
	}
	return table
}

// ways builds the ways to all remotes, or takes those of the old snapshot where only
// domains and ports are different.
func (g *Gateway) ways(s, old *dataplane.Snapshot, link underlay.Link) {
	again := g.steward.repath
	if again {
		g.steward.draining, g.steward.repath = false, false
	}
	s.Paths = make([][]dataplane.Path, len(g.tunnels))
	for i := range g.tunnels {
		t := &g.tunnels[i]
		switch {
		case t.plane == nil:
		case !again && !t.fresh:
			s.Paths[i] = old.Paths[i]
		default:
			var before []dataplane.Path
			if !t.fresh {
				before = old.Paths[i]
			}
			s.Paths[i] = g.pathsOf(t.plane, link, before, old.Seq)
			t.fresh = false
		}
	}
}

// martians lists the addresses of the underlay's subnets that no other host sends
// from: our own, and each IPv4 subnet's broadcast address, which one of two addresses
// (RFC 3021) or a single one does not have.
func martians(subnets []netip.Prefix) (out []vxlan.Addr) {
	for _, p := range subnets {
		own := vxlan.AddrOf(p.Addr())
		out = append(out, own)
		if p.Addr().Is4() && p.Bits() < 31 {
			out = append(out, vxlan.Addr4(uint32(own.Lo)|^uint32(0)>>p.Bits()))
		}
	}
	return out
}

// addrs are addresses as workers have them.
func addrs(list []netip.Addr) (out []vxlan.Addr) {
	for _, a := range list {
		out = append(out, vxlan.AddrOf(a))
	}
	return out
}

// queues deals every queue there is out to the workers.
func (g *Gateway) queues() [][]*dataplane.Queue {
	all := make([][]*dataplane.Queue, g.workers)
	deal := func(f *iface) {
		for i, q := range f.queues {
			w := g.workerOf(f, i)
			all[w] = append(all[w], q)
		}
	}
	deal(g.wire)
	for _, p := range g.ports {
		if p != nil && p.trunk == nil {
			deal(p.iface)
		}
	}
	for _, t := range g.liveTrunks {
		deal(t.iface)
	}
	return all
}

// workerOf is the worker that has a queue of an interface.
func (g *Gateway) workerOf(f *iface, queue int) int { return (f.first + queue) % g.workers }

// pathsOf builds the ways to all remotes with one set of tunnel options. before are
// those of the last snapshot, whose number is seq.
func (g *Gateway) pathsOf(t *dataplane.Tunnel, link underlay.Link, before []dataplane.Path, seq uint64) []dataplane.Path {
	all := g.plane.Remotes.Endpoints()
	paths := make([]dataplane.Path, len(all))
	for n, to := range all {
		p := &paths[n]
		p.MTU = min(link.MTU, g.wire.most)
		way, ok := g.mirror.Path(to.Addr)
		if !ok {
			continue // nobody has sent to it yet: the first frame goes by the slow path
		}
		if way.MTU > 0 {
			p.MTU = min(way.MTU, g.wire.most)
		}
		if way.State == underlay.NoRoute {
			p.State = dataplane.PathNoRoute
			continue
		}
		// By way of the kernel too: a frame fits as far as its headers leave room.
		if err := g.headers(p, t, to, way, link); err != nil {
			// Without a source the way is newer than link, whose addresses are t's: the next snapshot has both.
			if way.State == underlay.Direct && t.Source(to.Addr).IsValid() {
				g.log.Error("cannot build outer headers", "remote", remoteOf(to), "err", err)
			}
			continue
		}
		if way.State == underlay.Direct {
			p.State = g.drained(uint32(n), before, seq)
			if p.State == dataplane.PathDraining {
				g.steward.draining = true
			}
		}
	}
	return paths
}

// headers builds the outer headers to a remote.
func (g *Gateway) headers(p *dataplane.Path, t *dataplane.Tunnel, to dataplane.Endpoint, way underlay.Path, link underlay.Link) (err error) {
	o := *t
	o.Outer.SrcMAC = link.MAC
	p.Headers, err = o.HeadersTo(to, way.DstMAC)
	return err
}

// drained says whether frames to remote n may leave directly although some may
// still be on the slow path. They may when none is under way and no worker still
// hands any over: every worker has passed the last snapshot, and that had the
// remote on the direct or the draining path.
func (g *Gateway) drained(n uint32, before []dataplane.Path, seq uint64) dataplane.PathState {
	if int(n) >= len(before) {
		return dataplane.PathDraining
	}
	switch before[n].State {
	case dataplane.PathDirect:
		return dataplane.PathDirect
	case dataplane.PathDraining:
		if g.plane.Passed(seq) && g.plane.Pending(n) == 0 {
			return dataplane.PathDirect
		}
	}
	return dataplane.PathDraining
}
