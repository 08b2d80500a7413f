package gateway

import (
	"cmp"
	"fmt"
	"slices"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/netdev"
	"vxgw/vxlan"
)

// What would become of a frame: a trial of the data path works on it (dataplane/trial.go), and here that is said in words.
//
//	enters     where the frame comes in, and as which bytes
//	Trial.Try
//	story      one sentence per decision, in the order of the data path; copies, verdict and cure

// Explain says what would become of a frame. r passed its Check. Nothing is sent, learned or counted.
func (g *Gateway) Explain(r control.ExplainRequest) (control.Explanation, error) {
	g.explaining.Lock() // a trial has some megabytes of its own
	defer g.explaining.Unlock()
	g.asking.RLock() // while the trial looks at the table, which Close takes away
	defer g.asking.RUnlock()
	if g.ended {
		return control.Explanation{}, errStopping
	}
	port, frame, err := g.enters(&r)
	if err != nil {
		return control.Explanation{}, err
	}
	t, err := g.plane.NewTrial()
	if err != nil {
		return control.Explanation{}, err
	}
	defer t.Close()
	f, err := t.Try(port, frame)
	if err != nil {
		return control.Explanation{}, err
	}
	s := story{g: g, v: g.view(), snap: g.plane.Snapshot(), f: f}
	return s.tell(), nil
}

// enters finds the number of the port that the frame comes in by, or the underlay, and makes a packet of an inner frame that a VTEP
// sends.
func (g *Gateway) enters(r *control.ExplainRequest) (port uint32, frame []byte, err error) {
	frame, err = control.ParseHex(r.Frame)
	switch {
	case err != nil:
		return 0, nil, err
	case r.Underlay:
		return dataplane.Underlay, frame, nil
	case r.Remote.IsValid():
		frame, err = g.tunnelled(r, frame)
		return dataplane.Underlay, frame, err
	}
	port, err = g.entrance(r.Port)
	return port, frame, err
}

// entrance is the number of the port, or trunk, whose queues receive what comes in by an interface.
func (g *Gateway) entrance(name string) (uint32, error) {
	for _, p := range g.ports {
		if p == nil || p.info.Name != name && p.label() != name {
			continue
		}
		if p.trunk != nil {
			return p.trunk.number, nil
		}
		return p.number, nil
	}
	for _, d := range g.domains {
		if d == nil {
			continue
		}
		if i := slices.IndexFunc(d.absent, func(a *absence) bool { return a.name == name || a.dev != nil && netdev.FarEnd(a.name) == name }); i >= 0 {
			return 0, fmt.Errorf("port %s is gone: %s", name, d.absent[i].reason())
		}
	}
	if name == g.cfg.Underlay.Iface {
		return 0, fmt.Errorf("%s is the underlay (give --underlay for an outer packet, or --remote VTEP for an inner frame)", name)
	}
	return 0, control.Missing(fmt.Sprintf("%s is no port of this gateway (gw port show lists those there are)", name))
}

// tunnelled is a frame in a packet that a VTEP sends to the gateway.
func (g *Gateway) tunnelled(r *control.ExplainRequest, frame []byte) ([]byte, error) {
	vni := r.VNI
	if vni == 0 {
		for _, d := range g.domains {
			if d != nil && vni != 0 {
				return nil, fmt.Errorf("in which VNI does %s send it? (give --vni VNI)", r.Remote)
			} else if d != nil {
				vni = d.cfg.VNI
			}
		}
	}
	if vni == 0 {
		return nil, fmt.Errorf("this gateway has no VNI now (gw vni add makes one; or give --vni VNI)")
	}
	snap := g.plane.Snapshot()
	local, mac := g.mirror.Link().Sources.For(r.Remote), [6]byte{}
	if !local.IsValid() {
		return nil, fmt.Errorf("this gateway has no address that %s could send to: %s", r.Remote,
			cmp.Or(g.mirror.Link().NoSource, "it speaks the other IP version alone (local and local6 of the underlay name an address of each)"))
	}
	copy(mac[:], hardwareAddr(snap.LocalMAC))
	h, err := vxlan.NewHeaders(vxlan.TemplateConfig{
		SrcMAC: [6]byte{2}, DstMAC: mac, Src: r.Remote, Dst: local, DstPort: g.cfg.Underlay.DstPort, SrcPorts: [2]uint16{49152, 65535}, TTL: 64, InheritTOS: true,
	})
	if err != nil {
		return nil, fmt.Errorf("%s cannot be a VTEP: %w", r.Remote, err)
	}
	var in vxlan.Inner
	flow := vxlan.Flow(0)
	if vxlan.ParseInner(frame, &in) == vxlan.OK {
		flow = in.Flow()
	}
	pkt := make([]byte, h.Len()+len(frame))
	copy(pkt[h.Len():], frame)
	h.Put(pkt, vni, flow, 1)
	if h.Six() {
		h.PutChecksum(pkt)
	}
	return pkt, nil
}

// story tells of a frame.
type story struct {
	g    *Gateway
	v    view
	snap *dataplane.Snapshot
	f    *dataplane.Fate
	out  control.Explanation
}

func (s *story) say(about, format string, args ...any) {
	s.out.Steps = append(s.out.Steps, control.ExplainStep{About: about, Text: fmt.Sprintf(format, args...)})
}

func (s *story) tell() control.Explanation {
	f := s.f
	s.out = control.Explanation{Frame: frameWords(f.Frame), Bytes: len(f.Frame), Copies: []control.ExplainCopy{}, Steps: []control.ExplainStep{}, More: f.More}
	s.entry()
	if f.Domain != nil {
		s.out.VNI = f.Domain.VNI
	}
	if f.Source != 0 {
		s.learning()
		s.neighbour()
		s.destination()
	}
	for _, c := range f.Copies {
		s.out.Copies = append(s.out.Copies, s.copyWords(c))
	}
	if f.Answer != nil {
		s.out.Answer = &control.ExplainSent{Dev: s.portName(f.Port), Bytes: hexText(f.Answer),
			Words: fmt.Sprintf("%s goes back by %s: %s", s.answerWords(), s.portName(f.Port), frameWords(f.Answer))}
	}
	v := f.Verdict
	s.out.Verdict, s.out.Dropped, s.out.Sentence = v.String(), v.Drop(), v.Sentence()
	if v.Drop() {
		s.out.Cure = s.cure(v, f.To.Dest(), f.To.Found())
	}
	return s.out
}

func (s *story) answerWords() string {
	if s.f.Verdict == dataplane.Answered {
		return "the answer on behalf of who is asked for"
	}
	return "an ICMP message that says which MTU fits"
}

// place is where a destination is, in words that go behind "behind".
func (s *story) place(d fdb.Dest) string {
	var o vxlan.Outer
	switch {
	case !d.IsRemote():
		return "port " + s.portName(d.Index())
	case s.f.Stranger && d == s.f.From && vxlan.ParseOuter(s.f.Frame, &o) == vxlan.OK: // its number is the trial's own
		return "VTEP " + o.Src.Netip().String()
	}
	return "VTEP " + s.remoteName(d.Index())
}

func (s *story) remoteName(n uint32) string {
	if to := s.v.end(n); to.Addr.IsValid() {
		return remoteOf(to).String()
	}
	return "unknown"
}

// portName is an interface's name, with the VLAN of a trunk.
func (s *story) portName(n uint32) string {
	if n == dataplane.Underlay {
		return s.g.cfg.Underlay.Iface
	}
	p := s.v.port(fdb.PortDest(n))
	if p == nil {
		return fmt.Sprintf("number %d, which is being added or removed", n)
	}
	if p.trunk != nil {
		return fmt.Sprintf("%s vlan %s", p.label(), p.vlan)
	}
	return p.label()
}
