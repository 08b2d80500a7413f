package gateway

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/netdev"
	"vxgw/underlay"
)

// Version is what the program calls itself; set at build time.
var Version = "devel"

// Version is that of the program.
func (g *Gateway) Version() string { return Version }

// Status describes the gateway as it is now. Each worker is asked for a copy of its
// ledger, between two rounds. From Close on it is not ready and empty.
func (g *Gateway) Status() control.Status {
	s := control.Status{
		Version: Version, PID: os.Getpid(), Uptime: time.Since(g.started).Seconds(),
		Ports: []control.Port{}, VNIs: []control.VNI{}, Remotes: []control.Remote{}, Workers: []control.Worker{},
	}
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		s.Problems = []string{"the gateway is stopping"}
		return s
	}
	v := g.view()
	v.ledger = g.plane.Ledger()
	s.Forgotten = v.forgotten()
	s.Ready, s.Remotes = true, g.remotes(&v)
	link := g.mirror.Link()
	s.Underlay = control.Underlay{
		Interface: g.describe(g.wire), DstPort: g.cfg.Underlay.DstPort, MAC: macText(macInt(link.MAC[:])),
		Injected: g.injected(), Complaints: g.heard(), VRF: link.VRF,
	}
	if v := g.link.VLAN; v.ID != 0 {
		s.Underlay.Below, s.Underlay.VLAN = g.wire.info.Name, v.ID
		s.Underlay.Tags, s.Underlay.TagsReason = g.wire.tags.how, g.wire.tags.why
	}
	// What workers go by, not what is known and not passed on yet: who reads that all
	// is well may send at once.
	state := g.plane.Snapshot()
	s.Underlay.Up, s.Underlay.MTU = state.Underlay, link.MTU
	if s.Underlay.Locals = sources(state); len(s.Underlay.Locals) > 0 {
		s.Underlay.Local = s.Underlay.Locals[0]
	}
	s.Underlay.NoCarrier = link.Admin && !link.Up && !state.Underlay
	s.Underlay.Name, s.Underlay.Trouble = link.Name, trouble(link, state) // it may have been renamed
	s.Underlay.Drops, s.Underlay.TxDrops = drops(v.ledger.Underlay)
	for i, p := range g.ports {
		if p == nil || p.trunk != nil || i >= len(state.Ports) || state.Ports[i] == nil {
			continue
		}
		c := control.Port{Interface: g.describe(p.iface), VNI: p.domain.cfg.VNI}
		c.Up, c.MTU, c.Gone = state.Ports[i].Up, state.Ports[i].MTU, p.gone.Load()
		c.NoCarrier = !c.Up && !c.Gone && p.bare.Load()
		c.Drops, c.TxDrops = drops(entry(v.ledger.Ports, int(p.account)))
		c.Isolated, c.VLANRule = state.Ports[i].Isolated, ruleOf(state.Ports[i].Tagging)
		c.VLAN, c.VLANReason = p.tags.how, p.tags.why
		if c.Gone {
			c.Reason = wasTaken
		}
		if p.pair != nil {
			c.Device = p.pair.Name
		}
		c.Renamed = p.renamed()
		s.Ports = append(s.Ports, c)
	}
	s.Ports = append(s.Ports, g.trunkStatus(&v, state)...)
	shown, frozen := addrTexts{}, g.plane.FDB.CountFrozen(v.now)
	for i, d := range v.domains {
		if d == nil {
			continue
		}
		s.VNIs = append(s.VNIs, g.vni(i, &v, shown))
		s.VNIs[len(s.VNIs)-1].TunnelMTU = max(link.MTU-g.overhead(v.owners[i].current()), 0)
		s.VNIs[len(s.VNIs)-1].Frozen = frozen[d.Index]
		s.VNIs[len(s.VNIs)-1].Neigh = v.owners[i].neighStats()
		s.FDB.Frozen += frozen[d.Index]
		for _, a := range v.owners[i].absent {
			s.Ports = addAbsent(s.Ports, a)
		}
	}
	sortVLANs(s.Ports)
	f := g.plane.FDB.Stats()
	s.FDB.Entries, s.FDB.Moves, s.FDB.Aged = f.Entries, f.Moves, f.Aged
	s.FDB.Refused = f.RefusedStatic + f.RefusedLimit + f.RefusedFull
	s.FDB.RefusedLimit, s.FDB.RefusedStatic, s.FDB.RefusedFull = f.RefusedLimit, f.RefusedStatic, f.RefusedFull
	s.FDB.MaxEntries, s.FDB.Bytes = f.MaxEntries, f.Bytes
	for _, w := range g.plane.Workers() {
		s.Workers = append(s.Workers, worker(w))
	}
	m := g.plane.Memory
	s.Memory = control.Memory{Frames: m.Frames(), FrameSize: m.FrameSize(), Pages: m.Huge(), Free: g.plane.Depot.Len()}
	s.Log = g.logState()
	s.Reloads, s.Snapshots, s.Netlink, s.MaxRemotes = g.reloads, state.Seq, netlinkCounts(g.mirror.Stats()), g.plane.Remotes.Limit()
	g.refused(&s)
	s.Problems = problems(&s)
	if g.unsteered != "" {
		s.Problems = append(s.Problems, "XDP lets more VTEPs through than may send, whose packets workers drop: "+g.unsteered)
	}
	if g.trouble != "" {
		s.Problems = append(s.Problems, "the last reload was refused: "+g.trouble)
	}
	s.Hint = g.hint(&s, &v)
	return s
}

// describe leaves out whether the interface is up, and its MTU, which change.
func (g *Gateway) describe(f *iface) control.Interface {
	c := control.Interface{
		Name: f.info.Name, MaxMTU: f.most, Driver: f.info.Driver, XDP: f.attached.String(), Queues: []control.Queue{},
		Fallback: f.fallback.reason, FallbackCode: f.fallback.code, FallbackCure: f.fallback.cure,
		Offers: offers(f.can), Rings: control.Rings{Rx: f.rings.rx, Tx: f.rings.tx, Fill: f.rings.fill, NIC: f.rings.nic},
	}
	if n, err := f.program.Counters(); err == nil {
		c.Steering = control.Steer(n)
	}
	for i, q := range f.queues {
		c.Queues = append(c.Queues, queue(q))
		c.Queues[i].Worker = g.workerOf(f, i)
	}
	return c
}

func offers(can netdev.Features) *control.Offers {
	if !can.Known {
		return nil
	}
	return &control.Offers{XDP: can.XDP.Names(), ZCSegments: can.ZCSegments, Metadata: can.Metadata.Names()}
}

func queue(q *dataplane.Queue) control.Queue {
	bound, counts := q.Socket.Bound(), q.Socket.Counters()
	c := control.Queue{
		Queue: bound.Queue, Mode: "copy",
		RxPackets: q.Stats.RxPackets.Load(), RxBytes: q.Stats.RxBytes.Load(),
		TxPackets: q.Stats.TxPackets.Load(), TxBytes: q.Stats.TxBytes.Load(),
		Kicks: counts.Kicks, PerSend: bound.PerSend, Foreign: counts.Foreign,
		Wakeups: counts.Wakeups, Stalls: counts.Stalls, SendErrors: counts.SendErrors, Malformed: counts.Malformed,
	}
	c.Receiving, c.Sending = q.Socket.Outstanding()
	if bound.ZeroCopy {
		c.Mode = "zerocopy"
	}
	k, err := q.Socket.Statistics()
	if err != nil {
		c.Kernel.StatisticsError = err.Error()
		return c
	}
	c.Kernel = control.Kernel{
		RxDropped: k.Rx_dropped + counts.TooLong, RxInvalid: k.Rx_invalid_descs, TxInvalid: k.Tx_invalid_descs,
		RxRingFull: k.Rx_ring_full, FillRingEmpty: k.Rx_fill_ring_empty_descs, TxRingEmpty: k.Tx_ring_empty_descs,
	}
	return c
}

func (g *Gateway) vni(index int, view *view, shown addrTexts) control.VNI {
	d := view.owners[index]
	table := g.plane.FDB.DomainStats(uint16(index))
	v := control.VNI{VNI: d.cfg.VNI, Name: d.cfg.DomainName(), Ports: []string{}, FDB: table.Entries, Table: tableCounts(table)}
	drops := entry(view.ledger.Dropped, index)
	v.Traffic, v.Dropped = control.Traffic(entry(view.ledger.Domains, index)), drops.Frames
	if v.Dropped > 0 {
		v.DropReasons = byName(&drops.Reasons)
	}
	v.Remotes = shown.of(view, index)
	if d.cfg.Group.IsValid() {
		v.Group, v.Remotes = d.cfg.Group.String(), v.Remotes[min(1, len(v.Remotes)):]
	}
	for _, a := range d.cfg.Allow {
		v.Allow = append(v.Allow, a.String())
	}
	for _, m := range members(d, d.cfg) {
		v.Ports = append(v.Ports, m.name)
	}
	return v
}

// addrTexts are flood lists in words, each once: thousands of VNIs may share one.
type addrTexts map[*uint32][]string

func (t addrTexts) of(v *view, domain int) []string {
	list := v.domains[domain].FloodRemotes
	if len(list) == 0 {
		return nil
	}
	texts, ok := t[&list[0]]
	if !ok {
		for _, to := range v.floodsTo(domain) {
			texts = append(texts, remoteOf(to).String())
		}
		t[&list[0]] = texts
	}
	return texts
}

// port shows an absent member as a port that is gone.
func (a *absence) port() control.Port {
	p := control.Port{Interface: control.Interface{Name: a.name, Queues: []control.Queue{}}, VNI: a.d.cfg.VNI, Gone: true, Reason: a.reason()}
	if a.dev != nil {
		p.Name, p.Device = netdev.FarEnd(a.name), a.name
	} else if c := a.d.cfg.Port(a.name); c != nil {
		p.Isolated = c.Isolated
		if c.VLAN != config.VLANKeep {
			p.VLANRule = c.VLAN.String()
		}
	}
	return p
}

// remotes lists the remotes and groups that flood lists and static entries name, and
// the VTEPs that spoke first.
func (g *Gateway) remotes(v *view) []control.Remote {
	out := []control.Remote{}
	named := g.given.named()
	eachList(v.domains, func(list []uint32) {
		for _, n := range list {
			named[n]++
		}
	})
	paths := g.plane.Snapshot().Paths
	for n, to := range v.ends {
		if !to.Addr.IsValid() {
			continue
		}
		r := control.Remote{Address: to.Addr.String(), Port: to.Port, RemoteVNI: to.VNI, State: control.RemoteIdle, Reason: "nobody has sent to it yet", Configured: named[uint32(n)] > 0,
			Number: n, Traffic: control.Traffic(entry(v.ledger.Remotes, n))}
		if way, ok := g.mirror.Path(to.Addr); ok {
			r.State, r.Reason, r.MTU = way.State.String(), way.Reason, way.MTU
			if !way.Until.IsZero() {
				r.MTUExpires = max(time.Until(way.Until).Seconds(), 0)
			}
			if way.NextHop.IsValid() {
				r.NextHop = way.NextHop.String()
			}
			if way.State == underlay.Direct {
				r.MAC = macText(macInt(way.DstMAC[:]))
				for _, p := range paths {
					switch {
					case p == nil:
					case n >= len(p) || p[n].State != dataplane.PathDirect:
						r.State, r.Reason = underlay.Resolving.String(), "resolved, and frames may still be under way through the kernel"
					case way.MTU > 0 && p[n].MTU != min(way.MTU, g.wire.most):
						r.MTU = p[n].MTU // by which workers go as yet
					}
				}
			}
		}
		out = append(out, r)
	}
	return out
}

func worker(w *dataplane.Worker) control.Worker {
	c := control.Worker{
		ID: w.ID, CPU: w.CPU, Verdicts: map[string]uint64{}, Copies: map[string]uint64{},
		Rounds: w.Counters.Rounds.Load(), Sleeps: w.Counters.Sleeps.Load(), Unnumbered: w.Counters.Unnumbered.Load(),
		Answers:  w.Counters.Answers.Load(),
		SlowSent: w.Slow.Sent.Load(), SlowFailed: w.Slow.Failed.Load(),
		Batches: histogram(&w.Counters.Batches), Kicks: histogram(&w.Counters.Kicks),
		Busy: time.Duration(w.Counters.Busy.Load()).Seconds(), Spun: time.Duration(w.Counters.Spun.Load()).Seconds(),
	}
	cpu, waited := threadTimes(w)
	c.CPUTime, c.CPUWait = cpu.Seconds(), waited.Seconds()
	for v := range dataplane.VerdictCount {
		name := dataplane.Verdict(v).String()
		if n := w.Counters.Verdicts[v].Load(); n > 0 {
			c.Verdicts[name] = n
		}
		if n := w.Counters.Copies[v].Load(); n > 0 {
			c.Copies[name] = n
		}
	}
	return c
}

// problems names what keeps frames from flowing now.
func problems(s *control.Status) []string {
	var out []string
	if !s.Underlay.Up {
		out = append(out, fmt.Sprintf("underlay %s is down%s", s.Underlay.Name, noCarrier(s.Underlay.NoCarrier)))
	}
	if s.Underlay.Trouble != "" {
		out = append(out, fmt.Sprintf("underlay %s: nothing is sent%s: %s", s.Underlay.Name, unsent(s.Underlay.Locals), s.Underlay.Trouble))
	}
	if err := fitUnderlayMTU(s.Underlay.Name, s.Underlay.MTU, s.Underlay.MaxMTU); err != nil && s.Underlay.MTU > 0 {
		out = append(out, err.Error())
	}
	tunnels := tunnelMTUs(s)
	for _, p := range s.Ports {
		name := "port " + p.Name
		if p.Device != "" {
			name = "device " + p.Device
		}
		switch {
		case p.Gone:
			out = append(out, fmt.Sprintf("%s of %s is gone: %s", name, owner(&p), p.Reason))
		case !p.Up:
			why := noCarrier(p.NoCarrier)
			if p.Device != "" && p.NoCarrier { // of which the far end, which is the port, has no carrier then
				why = fmt.Sprintf(": ip link set dev %s up", p.Device)
			}
			out = append(out, fmt.Sprintf("%s of %s is down%s", name, owner(&p), why))
		}
		out = append(out, mtuProblems(s, tunnels, name, &p)...)
	}
	for _, v := range s.VNIs {
		if v.Frozen > 0 {
			out = append(out, fmt.Sprintf("vni %d: addresses that moved too often stay where they are: %d (gw fdb show br %s lists them as frozen, gw fdb history MAC says who claims one)", v.VNI, v.Frozen, v.Name))
		}
		if v.Neigh.Full() {
			out = append(out, fmt.Sprintf("vni %d: as many neighbours are known as maxneigh allows, %d: questions for others are flooded (raise it; gw neigh show dev %s lists them)", v.VNI, v.Neigh.Most, v.Name))
		}
	}
	for _, r := range s.Remotes {
		if s.Underlay.Trouble != "" && r.Reason == s.Underlay.Trouble {
			continue // said of all at once
		}
		if r.State == underlay.Failed.String() || r.State == underlay.NoRoute.String() {
			out = append(out, strings.TrimSuffix(fmt.Sprintf("remote %s is %s: %s", r.Address, r.State, r.Reason), ": "))
		}
	}
	return out
}

// noCarrier is what to add of a link that is down for that.
func noCarrier(is bool) string {
	if is {
		return ": it has no carrier (look at the cable and the other end)"
	}
	return ""
}

// hint says what is missing for a VNI that can reach nobody yet. Whom a VTEP that
// spoke first spoke to is not looked up: one is enough to be silent.
func (g *Gateway) hint(s *control.Status, v *view) string {
	if slices.ContainsFunc(s.Remotes, func(r control.Remote) bool { return !r.Configured }) {
		return ""
	}
	for _, d := range v.domains {
		if d != nil && len(d.FloodRemotes) == 0 && !g.given.namesVTEP(d.Index) {
			return fmt.Sprintf("vni %d knows no other VTEP: it learns those that speak first; to speak first, gw remote add ADDRESS --vni %d (or gw fdb append 00:00:00:00:00:00 dev %s dst ADDRESS), or start gw with --remote ADDRESS or --group GROUP",
				d.VNI, d.VNI, v.owners[d.Index].cfg.DomainName())
		}
	}
	return ""
}
