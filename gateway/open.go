package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"vxgw/config"
	"vxgw/netdev"
	"vxgw/underlay"
	"vxgw/vxlan"
)

// port is a local interface that is bridged.
type port struct {
	*iface
	domain *domain
	pair   *netdev.Pair // nil unless gw made it
	trunk  *trunk       // of which it is a VLAN; iface is the trunk's
	tpid   config.TPID  // of the trunk's tags
	number uint32
	up     bool // up, mtu, isolated and vlan are the steward's; others read the snapshot
	mtu    int
	// isolated is kept from other such ports of its domain.
	isolated bool
	vlan     config.VLAN   // that of a trunk's port never changes
	bare     atomic.Bool   // set up, without a carrier; the steward follows it
	gone     atomic.Bool   // removed or moved away while the gateway runs; its sockets are dead for good
	mac      atomic.Uint64 // of the host's end of pair; the steward follows it
	// used says that workers may have its sockets: from takeIn on until they work without
	// them. The steward sets it, who had it take the port out clears it.
	used   bool
	closed bool
	undo   []func() error
}

// openUnderlay finds the outer source address, makes the memory, and takes the
// underlay's queues.
func (g *Gateway) openUnderlay() error {
	u := &g.cfg.Underlay
	info, err := netdev.Lookup(u.Iface)
	if err != nil {
		return notThere(err)
	}
	if err := fitUnderlay(info); err != nil {
		return err
	}
	below, err := lower(info)
	if err != nil {
		return err
	}
	asked, err := g.lookAtPorts()
	if err != nil {
		return err
	}
	if err := g.chooseFrameSize(info, append(slices.Clone(asked), below)); err != nil {
		return err
	}
	g.link = info
	for _, local := range []netip.Addr{u.Local, u.Local6} {
		if err := checkLocal(local, u.Iface); err != nil {
			return err
		}
	}
	follow, err := g.findSources(info.Index)
	if err != nil {
		return err
	}
	if err := checkRemotes(g.cfg, g.sources.All()); err != nil {
		return err
	}
	if err := g.warnOfTwins(info); err != nil {
		return err
	}
	var ports []demand
	for i := range g.cfg.VNIs {
		if g.cfg.VNIs[i].Device != nil {
			ports = append(ports, demand{queues: 1})
		}
	}
	for _, i := range asked {
		ports = append(ports, g.sound(i, portMode(u.Mode)).demand())
	}
	if err := g.newPlane(g.sound(below, u.Mode).demand(), ports); err != nil {
		return err
	}
	if err := g.recordManaged(info); err != nil {
		return err
	}
	g.mirror, err = underlay.Open(follow)
	if err != nil {
		return err
	}
	g.onClose(g.mirror.Close)
	if err := g.openWire(below); err != nil {
		return err
	}
	g.onClose(func() error { return g.closeIface(g.wire) })
	g.groups = underlay.OpenMemberships(info.Index)
	g.onClose(g.groups.Close)
	_, err = g.calmOffloads(g.wire) // recordManaged's undo has it
	return err
}

// lookAtPorts finds the interfaces that the configuration has as ports, each once.
func (g *Gateway) lookAtPorts() (all []netdev.Info, err error) {
	seen := infos{}
	for i := range g.cfg.VNIs {
		v := &g.cfg.VNIs[i]
		for _, p := range v.Ports {
			if _, again := seen[p.Name]; again {
				continue // another VLAN of a trunk
			}
			info, err := seen.lookup(p.Name)
			if err != nil {
				return nil, notThere(fmt.Errorf("vni %d: port: %w", v.VNI, err))
			}
			all = append(all, info)
		}
	}
	return all, nil
}

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

// innerMTU is what the tunnel of v carries now, in bytes of inner IP packet.
func (g *Gateway) innerMTU(v *config.VNI) int { return g.mirror.Link().MTU - g.overhead(v) }

// deviceMTU is what a device made now gets.
func (g *Gateway) deviceMTU(v *config.VNI) int {
	if g.frameSize > pageFrame {
		return min(g.innerMTU(v), mostMTU(g.frameSize))
	}
	return min(g.innerMTU(v), maxDeviceMTU)
}

// openDevice makes the interface by which the host itself is on the overlay, and takes
// its far end as a port of d. mac is its address, nil for one made up.
func (g *Gateway) openDevice(d *domain, dev *config.Device, mac net.HardwareAddr) (p *port, err error) {
	mtu := g.deviceMTU(d.cfg)
	if err := fitDevice(dev, mtu, g.overhead(d.cfg)); err != nil {
		return nil, err
	}
	pair, err := netdev.CreatePair(g.journal, dev.Name, netdev.PairOptions{MTU: mtu, MAC: mac, Addresses: dev.Addresses, Queues: 1})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, pair.Remove())
		}
	}()
	host, err := netdev.Lookup(pair.Name)
	if err != nil {
		return nil, err
	}
	if p, err = g.openPort(member{d: d, name: pair.Far}, pair); err != nil {
		return nil, err
	}
	p.mac.Store(macInt(host.MAC))
	p.undo = slices.Insert(p.undo, 0, pair.Remove)
	return p, nil
}

// fitting finds an interface that can be a port of v. It warns if the tunnel carries less
// than the interface.
func (g *Gateway) fitting(name string, v *config.VNI) (info netdev.Info, err error) {
	mtu := g.innerMTU(v)
	if info, err = netdev.Lookup(name); err != nil {
		return info, notThere(err)
	}
	if err := errors.Join(fitPort(info), g.carries(info)); err != nil {
		return info, err
	}
	if info.MTU > mtu {
		cure := fmt.Sprintf("ip link set dev %s mtu %d, and at its other end", name, mtu)
		if more := info.MTU + g.overhead(v); more <= mostMTU(maxFrame) {
			cure += fmt.Sprintf("; or give the underlay %d", more)
		}
		g.log.Warn("the port's MTU is larger than what the tunnel carries: larger packets are dropped, and their senders told by ICMP",
			"port", name, "mtu", info.MTU, "tunnel", mtu,
			"cure", cure)
	}
	return info, nil
}

// openPort takes an interface as a port. Workers have it from the next snapshot on after
// takeIn; the caller closes it with closePort.
func (g *Gateway) openPort(m member, pair *netdev.Pair) (_ *port, err error) {
	info, err := g.fitting(m.name, m.d.cfg)
	if err != nil {
		return nil, err
	}
	number, err := g.portNumbers.take()
	if err != nil {
		return nil, err
	}
	p := &port{domain: m.d, pair: pair, number: number, vlan: m.vlan}
	g.opened = append(g.opened, p)
	defer func() {
		if err != nil {
			err = errors.Join(err, g.closePort(p))
		}
	}()
	mode := portMode(g.cfg.Underlay.Mode)
	if pair != nil {
		mode = config.ModeAuto
	}
	p.up, p.mtu = info.Up, info.MTU
	p.bare.Store(info.Up && !info.Carrier)
	if p.iface, err = g.takePort(info, mode, pair != nil, p.number); err != nil {
		return nil, err
	}
	p.onClose(func() error { return g.closePortIface(p.iface) })
	if m.vlan != config.VLANKeep {
		if err := p.needsTags(); err != nil {
			return nil, err
		}
	}
	calm, err := g.calmOffloads(p.iface)
	p.onClose(calm)
	return p, err
}

// portMode is the mode of ports that gw did not make: what is asked of the underlay's NIC
// is not asked of every port.
func portMode(underlay config.Mode) config.Mode {
	if underlay == config.ModeZeroCopy {
		return config.ModeAuto
	}
	return underlay
}

// onClose puts f on the stack of what closing the port does.
func (p *port) onClose(f func() error) { p.undo = append(p.undo, f) }

// closePort takes everything back that opening p has made or changed, and frees its
// number. No FDB entry names it. One that workers may have, since the steward ended before
// they worked without it, is left to closeDomains. A second call does nothing.
func (g *Gateway) closePort(p *port) error {
	if p.used || p.closed {
		return nil
	}
	p.closed = true
	g.opened = slices.DeleteFunc(g.opened, func(o *port) bool { return o == p })
	var errs []error
	for _, f := range slices.Backward(p.undo) {
		errs = append(errs, f())
	}
	p.undo = nil
	g.portNumbers.put(p.number)
	return errors.Join(errs...)
}
