package gateway

import (
	"fmt"
	"slices"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/vxlan"
)

// The decisions on a frame, a sentence each.

// entry tells how the frame comes in, and of which VNI it is.
func (s *story) entry() {
	f := s.f
	if f.Port == dataplane.Underlay {
		s.outer()
	} else {
		s.port()
	}
	if f.Domain == nil || f.Source == 0 {
		return
	}
	if len(f.Inner) != len(f.Frame) {
		s.say("frame", "%s, %d bytes", frameWords(f.Inner), len(f.Inner))
	}
}

// port tells of the port that the frame came in by.
func (s *story) port() {
	f, p := s.f, s.snap.Ports[s.f.Port]
	name := s.portName(f.Port)
	if t := s.trunkOf(f.Port); t != "" { // dropped before its VLAN was known to be one of the trunk's
		s.say("port", "%s is a trunk, and the frame's VLAN tag, or that it has none, says to which VNI it belongs", t)
		return
	}
	text := fmt.Sprintf("%s, MTU %d", name, p.MTU)
	if f.Domain != nil {
		text += fmt.Sprintf(", of vni %d (%s)", f.Domain.VNI, s.domainName())
	}
	if p.Isolated {
		text += ", isolated: it reaches no other isolated port"
	}
	s.say("port", "%s", text)
	// __is_skb_forwardable in net/core/dev.c: as long as the MTU and the headers of Ethernet and of a VLAN.
	const headers = 18
	if at := s.v.port(fdb.PortDest(f.Port)); at != nil && at.info.IsVeth && len(f.Frame) > p.MTU+headers {
		s.say("port", "a frame of more than %d bytes is lost without a word before it gets here, since the MTU of %s is %d: what follows would be so with a larger one", p.MTU+headers, at.info.Name, p.MTU)
	}
	switch {
	case p.Exit.Member && f.Source != 0:
		s.say("vlan", "%s says that it is of vni %d; %s", tagWords(f.Frame), f.Domain.VNI, tagFate(f))
	case p.Tagging != nil && p.Tagging.Rule == dataplane.TagsOff && len(f.Inner) < len(f.Frame) && f.Source != 0:
		s.say("vlan", "%s is taken off (vlan: strip)", tagWords(f.Frame))
	}
}

func tagFate(f *dataplane.Fate) string {
	if len(f.Inner) < len(f.Frame) {
		return "the tag is taken off"
	}
	return "nothing is taken off"
}

// trunkOf is the name of the trunk that has a number, "" if it is a port's.
func (s *story) trunkOf(number uint32) string {
	for _, t := range s.g.liveTrunks {
		if t.number == number {
			return t.info.Name
		}
	}
	return ""
}

func (s *story) domainName() string {
	if i := int(s.f.Domain.Index); i < len(s.v.owners) && s.v.owners[i] != nil {
		return s.v.owners[i].cfg.DomainName()
	}
	return fmt.Sprintf("gw%d", s.f.Domain.VNI)
}

// outer tells of an outer packet.
func (s *story) outer() {
	var o vxlan.Outer
	if fault := vxlan.ParseOuter(s.f.Frame, &o); fault != vxlan.OK {
		s.say("underlay", "%s: no VXLAN packet that can be taken", s.portName(dataplane.Underlay))
		return
	}
	s.say("underlay", "%s, from VTEP %s to %s, UDP port %d, vni %d", s.portName(dataplane.Underlay), o.Src.Netip(), o.Dst.Netip(), o.DstPort, o.VNI)
	if o.DstPort != s.g.cfg.Underlay.DstPort {
		s.say("underlay", "XDP leaves packets to other UDP ports than %d to the kernel: workers see none", s.g.cfg.Underlay.DstPort)
	}
	if !s.listens(o.Dst) {
		s.say("underlay", "XDP leaves packets to %s to the kernel, since this gateway is not there: workers see none", o.Dst.Netip())
	}
	f := s.f
	switch {
	case f.Domain == nil || f.Source == 0:
	case f.Nobody && f.Domain.Learning:
		s.say("vtep", "%s speaks for the first time, and the table of VTEPs is full: it gets no number", o.Src.Netip())
	case f.Nobody:
		s.say("vtep", "%s is not known, and vni %d learns nothing: it gets no number", o.Src.Netip(), f.Domain.VNI)
	case f.Stranger:
		s.say("vtep", "%s speaks for the first time: it would get a number, and frames find their way back", o.Src.Netip())
	default:
		s.say("vtep", "%s is known", o.Src.Netip())
	}
	if f.Domain != nil {
		s.say("vni", "%d is %s%s", f.Domain.VNI, s.domainName(), s.allowWords())
	}
}

// listens reports whether packets to an address are the gateway's: one of its own, or a group's.
func (s *story) listens(to vxlan.Addr) bool {
	if addr := to.Netip(); addr.IsMulticast() {
		return slices.ContainsFunc(s.v.ends, func(e dataplane.Endpoint) bool { return e.Addr == addr })
	}
	return slices.Contains(s.snap.Locals, to)
}

func (s *story) allowWords() string {
	if s.f.Domain.Allow == nil {
		return ""
	}
	if s.f.Verdict == dataplane.RemoteNotAllowed {
		return ", into which it may not send (allow)"
	}
	return ", into which it may send (allow)"
}

// learning tells what would be learned of the source.
func (s *story) learning() {
	f, mac := s.f, macText(s.f.Source.MAC())
	here := s.place(f.From)
	if f.Nobody {
		here = "a VTEP without a number"
	}
	was := ""
	if f.Was.Found() {
		was = s.place(f.Was.Dest())
	}
	kind := f.Was.Kind().String()
	switch {
	case f.Learn == fdb.RefusedFrozen:
		s.say("learn", "%s has moved too often and stays behind %s: it is not believed to be behind %s", mac, was, here)
	case f.Learn == fdb.RefusedStatic && f.Verdict == dataplane.StaticConflict:
		s.say("learn", "%s is pinned behind %s by a %s entry: a tunnel must not say otherwise", mac, was, kind)
	case f.Learn == fdb.RefusedStatic:
		s.say("learn", "%s is pinned behind %s by a %s entry, which stays; the frame goes on", mac, was, kind)
	case f.Learn == fdb.RefusedLimit:
		s.say("learn", "%s would not be learned: vni %d has as many addresses as maxaddress allows; the frame goes on", mac, f.Domain.VNI)
	case f.Learn == fdb.RefusedFull:
		s.say("learn", "%s would not be learned: the table is full; the frame goes on", mac)
	case f.Learn == fdb.Added:
		s.say("learn", "%s would be learned behind %s", mac, here)
	case f.Learn == fdb.Moved:
		s.say("learn", "%s would move from %s to %s", mac, was, here)
	case !f.Domain.Learning:
		s.say("learn", "nothing: learning is off in vni %d", f.Domain.VNI)
	case f.Nobody:
		s.say("learn", "nothing: its VTEP has no number")
	case f.Was.Found() && f.Was.Kind() != fdb.Learned:
		s.say("learn", "nothing: %s is behind %s by a %s entry", mac, was, kind)
	case f.Learn == fdb.Refreshed:
		s.say("learn", "%s is known behind %s, seen %d s ago: it would count as seen now", mac, was, f.Is.Seen()-f.Was.Seen())
	default:
		s.say("learn", "nothing: %s is known behind %s, seen in this second", mac, here)
	}
}

// neighbour tells what ARP and ND messages come to.
func (s *story) neighbour() {
	n := s.f.Neigh
	if n == nil {
		return
	}
	if n.Claim != vxlan.NeighNoClaim {
		text := fmt.Sprintf("it says that %s is at %s", n.IP.Addr(), macText(n.MAC))
		switch {
		case n.Learned:
			text += ": would be a new neighbour"
		case n.Moved:
			text += ": the neighbour would move there"
		case n.Refused == "forged":
			text += ": not believed, since that is not the frame's own source, or the MAC table has that elsewhere"
		case n.Refused == "static":
			text += ": not believed, since an entry that somebody made says otherwise"
		case n.Refused != "":
			text += ": not noted, since as many neighbours are known as may be (maxneigh)"
		default:
			text += ": nothing new"
		}
		s.say("neighbour", "%s", text)
	}
	if n.Kind != vxlan.NeighAsk {
		return
	}
	asks := fmt.Sprintf("it asks for %s", n.Target.Addr())
	switch {
	case !n.Known:
		s.say("neighbour", "%s, who is not known", asks)
	case !n.Asked.Sure:
		s.say("neighbour", "%s, who is at %s, but not known to be a router or none: not answered for", asks, macText(n.Asked.MAC))
	case !n.AskedAt.Found():
		s.say("neighbour", "%s, who is at %s, which the MAC table does not have", asks, macText(n.Asked.MAC))
	default:
		s.say("neighbour", "%s, who is at %s behind %s", asks, macText(n.Asked.MAC), s.place(n.AskedAt.Dest()))
	}
}

// destination tells where the frame is to go.
func (s *story) destination() {
	f, mac := s.f, macText(s.f.Target.MAC())
	if f.Verdict == dataplane.StaticConflict || f.Verdict == dataplane.MoveFrozen {
		return // nobody looks
	}
	if f.To.Found() {
		how := fmt.Sprintf("a %s entry", f.To.Kind())
		if f.To.Kind() == fdb.Learned {
			how = fmt.Sprintf("learned, seen %d s ago", max(int32(s.v.now-f.To.Seen()), 0))
		}
		s.say("destination", "%s is behind %s (%s)", mac, s.place(f.To.Dest()), how)
		return
	}
	class := [dataplane.ClassCount]string{"everyone (broadcast)", "an address that the MAC table does not have (unknown unicast)", "a group (multicast)"}[f.Class]
	s.say("destination", "%s is %s", mac, class)
	if limit := f.Domain.Flooding.Limit[f.Class]; limit > 0 && !f.Domain.Flooding.Off[f.Class] {
		s.say("storm", "%d of %d such frames have been flooded in this second", min(f.Spent, limit), limit)
	}
	if !f.Flood {
		return
	}
	switch ports, remotes := f.Ways(); {
	case f.PortsOnly:
		s.say("flood", "to %s, and not into tunnels (neigh_suppress)", several(ports, "port"))
	case f.From.IsRemote():
		s.say("flood", "to %s, and into no other tunnel (split horizon)", several(ports, "port"))
	default:
		s.say("flood", "to %s and %s", several(ports, "port"), several(remotes+f.More, "remote"))
	}
}

// several is a number of things.
func several(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
