package gateway

import (
	"fmt"
	"strings"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/underlay"
)

// copyWords tells of a frame, or a copy, on its way to one destination.
func (s *story) copyWords(c dataplane.Copy) control.ExplainCopy {
	out := control.ExplainCopy{Remote: c.To.IsRemote(), Verdict: c.Verdict.String(), Dropped: c.Verdict.Drop(), Sentence: c.Verdict.Sentence()}
	if out.Remote {
		s.wayToRemote(&out, c.To.Index())
	} else {
		out.To = s.portName(c.To.Index())
		out.Way = s.wayToPort(c.To.Index())
	}
	if c.Verdict.Drop() {
		out.Cure = s.cure(c.Verdict, c.To, true)
	}
	if c.Packet == nil {
		return out
	}
	kernel := c.Verdict == dataplane.ToKernel
	out.Sent = &control.ExplainSent{Dev: s.leavesBy(c.To), Kernel: kernel, Bytes: hexText(c.Packet)}
	if out.Remote {
		out.Sent.Fields = outerFields(c.Packet, !kernel)
	}
	return out
}

// leavesBy is the interface that frames to a destination leave by.
func (s *story) leavesBy(to fdb.Dest) string {
	if to.IsRemote() {
		return s.portName(dataplane.Underlay)
	}
	if p := s.v.port(to); p != nil {
		return p.info.Name
	}
	return s.portName(to.Index())
}

// wayToPort says what is to know of a port that a frame is for.
func (s *story) wayToPort(n uint32) string {
	if int(n) >= len(s.snap.Ports) || s.snap.Ports[n] == nil {
		return "it is being added or removed"
	}
	p := s.snap.Ports[n]
	state := "up"
	if !p.Up {
		state = "down"
	}
	text := fmt.Sprintf("%s, MTU %d", state, p.MTU)
	switch {
	case p.Exit.Tag != 0:
		text += fmt.Sprintf(", with VLAN tag %d put in front", p.Exit.Tag&0xfff)
	case p.Exit.Bare:
		text += ", which frames with a VLAN tag do not leave by"
	}
	return text
}

// wayToRemote says what is to know of the way to a VTEP or a group.
func (s *story) wayToRemote(c *control.ExplainCopy, n uint32) {
	c.To, c.State = s.remoteName(n), "idle"
	to := s.v.end(n)
	way, ok := s.g.mirror.Path(to.Addr)
	if !ok {
		c.Way = "nobody has sent to it yet: the kernel is given the first frame, and the way is followed from then on"
		return
	}
	c.State, c.MTU = way.State.String(), way.MTU
	text := []string{c.State}
	if way.Reason != "" {
		text[0] += ": " + way.Reason
	}
	if way.NextHop.IsValid() {
		c.NextHop = way.NextHop.String()
		text = append(text, "next hop "+c.NextHop)
	}
	if way.State == underlay.Direct {
		c.MAC = macText(macInt(way.DstMAC[:]))
		text = append(text, "at "+c.MAC)
	}
	text = append(text, "by "+s.portName(dataplane.Underlay))
	if path := s.path(n); path != nil && path.MTU > 0 {
		c.MTU = path.MTU
		text = append(text, fmt.Sprintf("MTU %d, of which outer headers leave %d for a frame", path.MTU, path.MTU-path.Headers.Taken()))
		if path.State == dataplane.PathDraining && s.g.plane.Pending(n) > 0 {
			text = append(text, "after earlier frames that are under way through the kernel")
		}
	}
	c.Way = strings.Join(text, ", ")
}

// path is the way to a remote with the tunnel options of the frame's VNI; nil if the snapshot has none.
func (s *story) path(n uint32) *dataplane.Path {
	set := s.f.Domain.Tunnel.Set
	if set >= len(s.snap.Paths) || int(n) >= len(s.snap.Paths[set]) {
		return nil
	}
	return &s.snap.Paths[set][n]
}
