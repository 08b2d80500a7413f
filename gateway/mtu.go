package gateway

import (
	"cmp"
	"fmt"

	"vxgw/config"
	"vxgw/control"
	"vxgw/vxlan"
)

// Who has which MTU. A device that gw makes gets what the tunnel carries and follows it, unless the configuration says one or
// somebody else sets another; a port keeps its own, and a mismatch is told: in the log when it comes, and in the status.
//
// The builder does this, when the steward has told workers of a change.

// innerOverhead is what the tunnel takes from the underlay's MTU over IPv4, at least.
const innerOverhead = vxlan.Overhead

// overhead is what the tunnel of v takes from the underlay's MTU: over IPv6 20 bytes
// more, if any of its VTEPs is of that family.
func (g *Gateway) overhead(v *config.VNI) int {
	six := false
	v.EachRemote(func(n config.Named) bool {
		six = n.Addr.Is6()
		return !six
	})
	if six || v.Waits() && !g.mirror.Link().Sources.Four.IsValid() {
		return vxlan.Overhead6
	}
	return innerOverhead
}

// current is the configuration of d with what it floods to now, which gw remote may have changed. Who calls it holds asking, or is the
// steward.
func (d *domain) current() *config.VNI {
	v := *d.cfg
	if d.flood != nil { // else it is about to be taken in
		v.Remotes = d.flood.remotes
	}
	return &v
}

// current is that of d for who runs beside the steward.
func (g *Gateway) current(d *domain) *config.VNI {
	g.asking.RLock()
	defer g.asking.RUnlock()
	return d.current()
}

// innerMTU is what the tunnel of v carries now, in bytes of inner IP packet.
func (g *Gateway) innerMTU(v *config.VNI) int { return g.mirror.Link().MTU - g.overhead(v) }

// deviceMTU is what a device gets that is not told otherwise: what the tunnel of v carries, and a veth with our program
// can have.
func (g *Gateway) deviceMTU(v *config.VNI) int { return min(g.innerMTU(v), g.mostDevice()) }

// mostDevice is the largest MTU of a device.
func (g *Gateway) mostDevice() int {
	if g.frameSize > pageFrame {
		return mostMTU(g.frameSize)
	}
	return maxDeviceMTU
}

// mtuOf is the MTU of a device now, with the tunnel of v.
func (g *Gateway) mtuOf(dev *config.Device, v *config.VNI) int {
	if dev.MTU > 0 {
		return int(dev.MTU)
	}
	return g.deviceMTU(v)
}

// followed is the MTU that a device is to have, which does not lose the IPv6 addresses that
// it was given: the kernel takes them away below 1,280.
func (g *Gateway) followed(dev *config.Device, v *config.VNI) int {
	mtu := g.mtuOf(dev, v)
	for _, a := range dev.Addresses {
		if a.Addr().Is6() {
			return max(mtu, minMTU6)
		}
	}
	return mtu
}

// fitMTUs has devices follow their tunnels, and tells of ports that do not fit theirs.
func (g *Gateway) fitMTUs() {
	type least struct {
		*port
		overhead int
	}
	_, ports := g.present()
	tell := map[*iface]least{} // VLANs of a trunk share one: of them the one whose tunnel carries least
	for _, p := range ports {
		if p == nil || p.gone.Load() {
			continue
		}
		if p.pair != nil {
			g.followTunnel(p)
		}
		if o := g.overhead(g.current(p.domain)); o > tell[p.iface].overhead {
			tell[p.iface] = least{p, o}
		}
	}
	s := g.plane.Snapshot()
	for _, l := range tell {
		if int(l.number) < len(s.Ports) && s.Ports[l.number] != nil {
			g.tellMTU(l.port, s.Ports[l.number].MTU, l.overhead)
		}
	}
}

// followTunnel has a device follow the tunnel.
func (g *Gateway) followTunnel(p *port) {
	v := g.current(p.domain)
	if v.Device == nil {
		return
	}
	want := g.followed(v.Device, v)
	if want == p.set || want < minMTU {
		return
	}
	now, err := p.pair.MTU()
	switch {
	case err != nil: // removed: who closes it says so
	case now != p.set:
		g.log.Debug("somebody else has set the device's MTU: it stays", "device", p.label(), "mtu", now, "tunnel", want)
	default:
		if err := p.setMTU(want); err != nil {
			g.log.Warn("the device cannot have the MTU of the tunnel", "device", p.label(), "mtu", now, "tunnel", want, "err", err)
			return
		}
		g.log.Info("the device has another MTU", "device", p.label(), "mtu", want)
	}
}

// setMTU sets that of a device.
func (p *port) setMTU(mtu int) error {
	if err := p.pair.SetMTU(mtu); err != nil {
		return err
	}
	p.set = mtu
	return nil
}

// tellMTU warns, once, when a port's MTU is larger than what its tunnel carries, which takes overhead, or its sockets do.
func (g *Gateway) tellMTU(p *port, mtu, overhead int) {
	tunnel := g.mirror.Link().MTU - overhead
	if p.told == [2]int{mtu, tunnel} {
		return
	}
	p.told = [2]int{mtu, tunnel}
	if mtu > p.most {
		g.log.Warn("the port's MTU is larger than what its sockets carry", "port", p.label(), "mtu", mtu, "err", tooLarge("port "+p.label(), p.label(), mtu, p.most))
	}
	if mtu > tunnel && tunnel >= minMTU {
		g.log.Warn("the port's MTU is larger than what the tunnel carries: larger packets are dropped, and their senders told by ICMP",
			"port", p.label(), "mtu", mtu, "tunnel", tunnel, "cure", mtuCure(p.label(), p.pair != nil, mtu, tunnel, overhead))
	}
}

// tunnelMTUs are what the tunnels of VNIs carry, of those that have any.
func tunnelMTUs(s *control.Status) map[uint32]int {
	all := make(map[uint32]int, len(s.VNIs))
	for _, v := range s.VNIs {
		if (v.Group != "" || len(v.Remotes) > 0) && v.TunnelMTU >= minMTU {
			all[v.VNI] = v.TunnelMTU
		}
	}
	return all
}

// mtuProblems says what of a port's packets is lost for their length, tunnels being tunnelMTUs.
func mtuProblems(s *control.Status, tunnels map[uint32]int, what string, p *control.Port) (out []string) {
	name := cmp.Or(p.Device, p.Name)
	if p.MTU > p.MaxMTU && p.MaxMTU > 0 {
		out = append(out, tooLarge(what, name, p.MTU, p.MaxMTU).Error())
	}
	if p.Gone {
		return out
	}
	vni, tunnel := p.VNI, tunnels[p.VNI]
	for _, l := range p.VLANs { // of which the one whose tunnel carries least
		if t := tunnels[l.VNI]; t > 0 && (tunnel == 0 || t < tunnel) {
			vni, tunnel = l.VNI, t
		}
	}
	if tunnel == 0 || p.MTU <= tunnel {
		return out
	}
	return append(out, fmt.Sprintf("%s of vni %d has an MTU of %d, and the tunnel carries %d: larger packets are lost, and their senders told by ICMP (%s)",
		what, vni, p.MTU, tunnel, mtuCure(name, p.Device != "", p.MTU, tunnel, s.Underlay.MTU-tunnel)))
}

// mtuCure is what makes a port fit the tunnel, which takes overhead.
func mtuCure(name string, made bool, mtu, tunnel, overhead int) string {
	cure := fmt.Sprintf("ip link set dev %s mtu %d", name, tunnel)
	if !made {
		cure += ", and at its other end"
	}
	if more := mtu + overhead; more <= mostMTU(maxFrame) {
		cure += fmt.Sprintf("; or give the underlay %d", more)
	}
	return cure
}
