package gateway

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"

	"vxgw/config"
	"vxgw/netdev"
)

// Bounds of the MTU, in bytes of IP packet.
const (
	// maxDeviceMTU is where native XDP on a veth ends for a program that takes packets of a page at most: the
	// kernel keeps 320 bytes of its own behind the packet, in a page (drivers/net/veth.c, veth_xdp_set).
	maxDeviceMTU = 4096 - 256 - 14 - 320
	// minMTU is what an IPv4 link has at least (RFC 791).
	minMTU = 68
	// minMTU6 is the same for IPv6 (RFC 8200 section 5): the kernel has none below.
	minMTU6 = 1280
)

// fitUnderlay says why an interface cannot carry the tunnel, whatever its MTU.
func fitUnderlay(info netdev.Info) error {
	switch {
	case info.Loopback:
		return &config.Error{Problem: fmt.Sprintf("underlay %s is the loopback interface, which reaches no other VTEP (give the one that does)", info.Name)}
	case !info.Ethernet:
		return &config.Error{Problem: fmt.Sprintf("underlay %s is not an Ethernet interface (give the one below it, or a tap instead of a tun)", info.Name)}
	}
	return nil
}

// fitUnderlayMTU says why packets of an interface's MTU are not for the tunnel, of which
// the sockets carry most. It may become so while the gateway runs, which is a problem then and no end.
func fitUnderlayMTU(name string, mtu, most int) error {
	switch {
	case mtu > most:
		return tooLarge("underlay "+name, name, mtu, most)
	case mtu < minMTU+innerOverhead:
		return fmt.Errorf("underlay %s has an MTU of %d, of which the tunnel takes %d: too little is left (ip link set dev %s mtu 1500)", name, mtu, innerOverhead, name)
	}
	return nil
}

// tooLarge says that what is an interface has packets that its sockets do not carry.
func tooLarge(what, name string, mtu, most int) error {
	fits := most
	if most <= mostMTU(pageFrame) {
		fits = min(most, maxDeviceMTU) // which a veth, too, has in native mode
	}
	cure := fmt.Sprintf("ip link set dev %s mtu %d", name, fits)
	if size := frameFor(mtu); mtu <= mostMTU(size) {
		cure += fmt.Sprintf("; or start gw again, which takes larger frames then, without dataplane.framesize or with %d", size)
	}
	return fmt.Errorf("%s has an MTU of %d, and frames as they are carry %d: what is longer is lost (%s)", what, mtu, most, cure)
}

// fitPort says why an interface cannot be bridged.
func fitPort(info netdev.Info) error {
	switch {
	case info.Loopback:
		return &config.Error{Problem: "it is the loopback interface, which the host itself needs (leave it out)"}
	case !info.Ethernet:
		return &config.Error{Problem: "it is not an Ethernet interface, and so there are no frames to bridge (give a tap instead of a tun)"}
	}
	return checkMaster(info)
}

// checkMaster refuses an interface whose frames belong to another already: XDP would
// take them from under it. A VRF is no such owner.
func checkMaster(info netdev.Info) error {
	if info.Master == 0 {
		return nil
	}
	master, err := netlink.LinkByIndex(info.Master)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil // left it meanwhile
	}
	if err != nil {
		return fmt.Errorf("find what it belongs to: %w", err)
	}
	if master.Type() == "vrf" {
		return nil
	}
	return fmt.Errorf("it belongs to the %s %s, which would get no more frames from it (ip link set dev %s nomaster)",
		master.Type(), master.Attrs().Name, info.Name)
}

// fitDevice says why a device of v cannot have the MTU or the addresses asked for.
func (g *Gateway) fitDevice(dev *config.Device, v *config.VNI) error {
	mtu := g.mtuOf(dev, v)
	if most := g.mostDevice(); mtu > most {
		return fmt.Errorf("device %s: an MTU of %d, and frames as they are carry %d (start gw again, without dataplane.framesize or with %d)", dev.Name, mtu, most, max(frameFor(mtu), 2*pageFrame))
	}
	for _, a := range dev.Addresses {
		if a.Addr().Is6() && mtu < minMTU6 {
			return fmt.Errorf("address %s: device %s gets an MTU of %d, and IPv6 needs %d (give the underlay %d)", a, dev.Name, mtu, minMTU6, minMTU6+g.overhead(v))
		}
	}
	return nil
}

// warnOfTwins tells of kernel vxlan devices that will get no more frames since their
// VNIs are ours: one that was left up beside the gateway that replaces it is easily
// forgotten.
func (g *Gateway) warnOfTwins(info netdev.Info) error {
	links, err := netlink.LinkList()
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list this host's interfaces: %w", err)
	}
	for _, l := range links {
		v, ok := l.(*netlink.Vxlan)
		if !ok || v.Port != int(g.cfg.Underlay.DstPort) || v.VtepDevIndex != 0 && v.VtepDevIndex != info.Index {
			continue
		}
		for i := range g.cfg.VNIs {
			if vni := g.cfg.VNIs[i].VNI; int(vni) == v.VxlanId {
				g.log.Warn("a kernel vxlan device has a VNI of ours on the same port, and gets no more frames from this underlay",
					"vni", vni, "device", v.Name, "cure", "ip link del "+v.Name)
			}
		}
	}
	return nil
}
