package gateway

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/underlay"
	"vxgw/vxlan"
)

// Routers say by ICMP that packets with DF are too big for them; of those that leave through a ring the kernel does not know, so
// that nobody but gw can heed it:
//
//	Complaints   a raw socket per family: ICMP "fragmentation needed" and ICMPv6 "packet too big" about UDP packets, whoever they are for
//	plausible    could the packet that is quoted be ours?
//	Narrow       the way to its remote carries less, for a time
//
// From then on what does not fit is answered at its sender (dataplane/toobig.go). An attacker who sees no packets has to know who
// speaks with whom, and over IPv4 a VNI that sends with DF, and can make ways no narrower than the kernel would let him.

// complaintPause bounds how many are looked at in a second, which is all they can cost; a router makes one or so per
// second and remote (icmp_ratelimit).
const complaintPause = 5 * time.Millisecond

// heedComplaints looks at what routers say from now on.
func (g *Gateway) heedComplaints() error {
	for _, six := range []bool{false, true} {
		in, err := underlay.OpenComplaints(g.link.Name, six)
		if six && errors.Is(err, unix.EAFNOSUPPORT) {
			return nil
		}
		if err != nil {
			return err
		}
		ended := g.run("complaints", func() error { return g.heedAll(in) })
		g.onClose(func() error {
			err := in.Close()
			<-ended
			return err
		})
	}
	return nil
}

// heedAll looks at what comes until the socket is closed.
func (g *Gateway) heedAll(in *underlay.Complaints) error {
	buf := make([]byte, 2048) // an error quotes 576 bytes at most, over IPv6 1,280 (RFC 1812 section 4.3.2.3, RFC 4443 section 3.2); the longer ones of some are cut, and no loss
	for {
		n, err := in.Read(buf)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		g.heed(buf[:n])
		time.Sleep(complaintPause)
	}
}

// heed narrows the way to a remote where a message may be true.
func (g *Gateway) heed(message []byte) {
	c, ok := vxlan.ParseComplaint(message)
	if !ok {
		return // about somebody else's packet, or nobody's
	}
	if why := g.implausible(&c, g.plane.Snapshot()); why != "" {
		g.complaints.ignored.Add(1)
		g.log.Debug("what a router says of a packet is not believed", "router", c.Router, "remote", c.Dst, "mtu", c.MTU, "reason", why)
		return
	}
	if g.mirror.Narrow(c.Dst, c.MTU) {
		g.complaints.believed.Add(1)
		g.log.Debug("a router says that packets are too big for it", "router", c.Router, "remote", c.Dst, "mtu", c.MTU)
	}
}

// implausible says why a packet cannot have been ours, or "".
func (g *Gateway) implausible(c *vxlan.Complaint, s *dataplane.Snapshot) string {
	switch {
	case !slices.Contains(sourceAddrs(s), c.Src):
		return "the packet is not from the outer source address"
	case c.Len > g.mirror.Link().MTU:
		return "the packet is longer than the underlay carries"
	}
	if _, ok := g.mirror.Path(c.Dst); !ok {
		return "the packet is to nobody that frames go to"
	}
	if c.DstPort != g.cfg.Underlay.DstPort && !g.known(c.Dst, func(e dataplane.Endpoint) bool { return e.Port == c.DstPort }) {
		return "the packet is to another port"
	}
	if c.Quoted {
		if i := s.VNIs.Domain(c.VNI); i != dataplane.NoDomain && int(i) < len(s.Domains) && s.Domains[i] != nil {
			if !sends(s.Domains[i].Tunnel, c) {
				return "the packet's VNI sends without DF, or from other ports"
			}
			return ""
		}
		if !g.known(c.Dst, func(e dataplane.Endpoint) bool { return e.VNI == c.VNI }) {
			return "the packet is of another VNI"
		}
	}
	for _, d := range s.Domains {
		if d != nil && sends(d.Tunnel, c) {
			return ""
		}
	}
	return "no VNI sends with DF and from such ports"
}

// known says whether a destination at addr has something of its own.
func (g *Gateway) known(addr netip.Addr, has func(dataplane.Endpoint) bool) bool {
	return slices.ContainsFunc(g.plane.Remotes.Endpoints(), func(e dataplane.Endpoint) bool { return e.Addr == addr && has(e) })
}

// sends reports whether a tunnel sends packets that routers do not fragment, as none over IPv6 are, from the port that c quotes.
func sends(t *dataplane.Tunnel, c *vxlan.Complaint) bool {
	ports := t.Outer.SrcPorts
	return (c.Dst.Is6() || t.Outer.DF || t.InheritDF) && c.SrcPort >= ports[0] && c.SrcPort <= ports[1]
}

// heard is the counts for the status.
func (g *Gateway) heard() control.Complaints {
	return control.Complaints{Believed: g.complaints.believed.Load(), Ignored: g.complaints.ignored.Load()}
}
