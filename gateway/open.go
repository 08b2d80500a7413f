package gateway

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/netdev"
	"vxgw/underlay"
	"vxgw/vxlan"
)

// port is a local interface that is bridged.
type port struct {
	*iface
	domain *domain
	pair   *netdev.Pair // nil unless gw made it
	number uint32
	up     bool // up and mtu are the steward's; others read the snapshot
	mtu    int
	gone   atomic.Bool // removed or moved away while the gateway runs; its sockets are dead for good
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
	g.local = u.Local
	if !g.local.IsValid() {
		if g.local, err = underlay.FirstGlobal(info.Index); err != nil {
			return &config.Error{Problem: err.Error()}
		}
	} else if err := checkLocal(g.local, u.Iface); err != nil {
		return err
	}
	if err := checkRemotes(g.cfg, g.local); err != nil {
		return err
	}
	if err := g.warnOfTwins(info); err != nil {
		return err
	}
	ports := 0 // queues of them
	for i := range g.cfg.VNIs {
		v := &g.cfg.VNIs[i]
		if v.Device != nil {
			ports++
		}
		for _, p := range v.Ports {
			i, err := netdev.Lookup(p.Name)
			if err != nil {
				return notThere(fmt.Errorf("vni %d: port: %w", v.VNI, err))
			}
			ports += i.RxQueues
		}
	}
	if err := g.newPlane(info.RxQueues, ports); err != nil {
		return err
	}
	if err := g.recordManaged(info); err != nil {
		return err
	}
	g.mirror, err = underlay.Open(underlay.Config{Ifindex: info.Index, Name: u.Iface, Local: u.Local, Log: g.log})
	if err != nil {
		return err
	}
	g.onClose(g.mirror.Close)
	g.steer, err = bpf.LoadUnderlay(bpf.UnderlayConfig{Port: u.DstPort, Queues: info.RxQueues, MaxVNIs: max(len(g.cfg.VNIs), 1)})
	if err != nil {
		return err
	}
	if err := g.steerTo(); err != nil {
		g.steer.Close()
		return err
	}
	if g.wire, err = g.openIface(info, g.steer, u.Mode, dataplane.Underlay); err != nil {
		return err
	}
	g.onClose(func() error { return g.closeIface(g.wire) })
	return g.calmOffloads(g.wire)
}

// steerTo tells the underlay's program what is ours.
func (g *Gateway) steerTo() error {
	if err := g.steer.AddAddr(g.local); err != nil {
		return err
	}
	for i := range g.cfg.VNIs {
		v := &g.cfg.VNIs[i]
		if err := g.steer.AddVNI(v.VNI); err != nil {
			return err
		}
		if v.Group.IsValid() {
			if err := g.steer.AddAddr(v.Group); err != nil {
				return err
			}
		}
	}
	return nil
}

// openDomains makes the bridge domains with their devices and ports.
func (g *Gateway) openDomains() error {
	mtu := g.mirror.Link().MTU - innerOverhead
	for i := range g.cfg.VNIs {
		v := &g.cfg.VNIs[i]
		d := &domain{cfg: v, index: uint16(i)}
		if v.Group.IsValid() {
			d.groups = []netip.Addr{v.Group}
		}
		d.plane = &dataplane.Domain{Index: d.index, VNI: v.VNI, Learning: v.Learning, Tunnel: g.tunnel(&v.Tunnel)}
		g.domains = append(g.domains, d)
		if v.Device != nil {
			if err := g.openDevice(d, mtu); err != nil {
				return fmt.Errorf("vni %d: %w", v.VNI, err)
			}
		}
		for _, p := range v.Ports {
			if err := g.openPort(d, p.Name, nil, mtu); err != nil {
				return fmt.Errorf("vni %d: port %s: %w", v.VNI, p.Name, err)
			}
		}
	}
	return nil
}

// innerOverhead is what the tunnel takes from the underlay's MTU.
const innerOverhead = vxlan.Overhead

// openDevice makes the interface by which the host itself is on the overlay.
func (g *Gateway) openDevice(d *domain, mtu int) error {
	dev := d.cfg.Device
	mtu = min(mtu, maxDeviceMTU)
	if err := fitDevice(dev, mtu); err != nil {
		return err
	}
	pair, err := netdev.CreatePair(g.journal, dev.Name, netdev.PairOptions{MTU: mtu, Addresses: dev.Addresses, Queues: 1})
	if err != nil {
		return err
	}
	g.onClose(pair.Remove)
	host, err := netdev.Lookup(pair.Name)
	if err != nil {
		return err
	}
	d.plane.DeviceMAC = macInt(host.MAC)
	return g.openPort(d, pair.Far, pair, mtu)
}

// openPort takes an interface as a port of d.
func (g *Gateway) openPort(d *domain, name string, pair *netdev.Pair, mtu int) error {
	info, err := netdev.Lookup(name)
	if err != nil {
		return notThere(err)
	}
	if err := fitPort(info); err != nil {
		return err
	}
	if info.MTU > mtu {
		g.log.Warn("the port's MTU is larger than what the tunnel carries: larger packets are dropped, and their senders told by ICMP",
			"port", name, "mtu", info.MTU, "tunnel", mtu,
			"cure", fmt.Sprintf("ip link set dev %s mtu %d, and at its other end; or give the underlay %d", name, mtu, info.MTU+innerOverhead))
	}
	p := &port{domain: d, pair: pair, number: uint32(len(g.ports))}
	mode := g.cfg.Underlay.Mode
	if mode == config.ModeZeroCopy || pair != nil {
		mode = config.ModeAuto // what is asked of the underlay's NIC is not asked of every port
	}
	p.up, p.mtu = info.Up, info.MTU
	if p.iface, err = g.takePort(info, mode, pair != nil, p.number); err != nil {
		return err
	}
	g.onClose(func() error { return g.closeIface(p.iface) })
	g.ports = append(g.ports, p)
	d.plane.FloodPorts = append(d.plane.FloodPorts, p.number)
	return g.calmOffloads(p.iface)
}
