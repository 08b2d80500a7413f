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
	mtu    int  // of a device that of the host's end, which the host receives by
	set    int  // the MTU that gw has given a device last; the builder's
	// isolated is kept from other such ports of its domain.
	isolated bool
	vlan     config.VLAN            // that of a trunk's port never changes
	bare     atomic.Bool            // set up, without a carrier; the steward follows it
	gone     atomic.Bool            // removed or moved away while the gateway runs; its sockets are dead for good
	mac      atomic.Uint64          // of the host's end of pair; the steward follows it
	called   atomic.Pointer[string] // what the kernel calls it, or that end; nil: as at first. The steward follows it
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
	if err := g.chooseFrameSize(info, append(slices.Clone(asked), below), g.cfg.VNIs); err != nil {
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
	addresses, err := addressesOf(info.Index)
	if err != nil {
		return err
	}
	if err := checkRemotes(g.cfg, append(g.sources.All(), addresses...)); err != nil {
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

// openDevice makes the interface by which the host itself is on the overlay, and takes
// its far end as a port of d. mac is its address, nil for one made up.
func (g *Gateway) openDevice(d *domain, dev *config.Device, mac net.HardwareAddr) (p *port, err error) {
	v := g.current(d)
	mtu := g.mtuOf(dev, v)
	if err := g.fitDevice(dev, v); err != nil {
		return nil, err
	}
	pair, set, err := g.adoptDevice(dev, mtu)
	if err != nil {
		return nil, err
	}
	if pair == nil {
		set = mtu
		if pair, err = netdev.CreatePair(g.journal, dev.Name, netdev.PairOptions{MTU: mtu, MAC: mac, Addresses: dev.Addresses, Queues: 1}); err != nil {
			return nil, err
		}
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
	p.mtu, p.set = host.MTU, set
	g.tellMTU(p, p.mtu, g.overhead(v))
	p.mac.Store(macInt(host.MAC))
	p.undo = slices.Insert(p.undo, 0, pair.Remove)
	return p, nil
}

// fitting finds an interface that can be a port.
func (g *Gateway) fitting(name string) (info netdev.Info, err error) {
	if info, err = netdev.Lookup(name); err != nil {
		return info, notThere(err)
	}
	if err := errors.Join(fitPort(info), g.carries(info)); err != nil {
		return info, err
	}
	return info, nil
}

// openPort takes an interface as a port. Workers have it from the next snapshot on after
// takeIn; the caller closes it with closePort.
func (g *Gateway) openPort(m member, pair *netdev.Pair) (_ *port, err error) {
	info, err := g.fitting(m.name)
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
	if pair == nil {
		g.tellMTU(p, p.mtu, g.overhead(m.d.cfg))
	}
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
