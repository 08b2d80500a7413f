package gateway

import (
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/dataplane"
	"vxgw/fdb"
)

// deviceChanged follows the hardware address of the host's side of a device, which
// its owner may change: its permanent entry moves with it, and so does what gives a
// loop away. It reports whether there is something to publish.
func (g *Gateway) deviceChanged(u netlink.LinkUpdate) bool {
	mac := linkMAC(u)
	if mac == 0 || u.Header.Type != unix.RTM_NEWLINK || ofBridge(u) {
		return false
	}
	for _, p := range g.ports {
		if p == nil || p.pair == nil || p.pair.Index != int(u.Index) {
			continue
		}
		d := p.domain
		if mac == d.plane.DeviceMAC {
			return false
		}
		g.introduce()
		key, old := fdb.MakeKey(d.index, mac), fdb.MakeKey(d.index, d.plane.DeviceMAC)
		if err := g.enter(key, fdb.PortDest(p.number), fdb.Static, permanent); err != nil {
			g.log.Error("cannot enter the device's new address", "device", p.label(), "mac", macText(mac), "err", err)
		}
		if err := g.leave(old, g.plane.FDB.Lookup(old)); err != nil {
			g.log.Error("cannot remove the device's old address", "device", p.label(), "mac", macText(old.MAC()), "err", err)
		}
		g.log.Info("the device has another address", "device", p.label(), "mac", macText(mac))
		p.mac.Store(mac)
		g.redraw(d, func(p *dataplane.Domain) { p.DeviceMAC = mac })
		return true
	}
	return false
}

// takeMAC has a device begin with the address that its host's side has now: its owner,
// udev for one, may have changed it since the device was made.
func (p *port) takeMAC(links map[int]linkState) {
	if p.pair == nil {
		return
	}
	if now := links[p.pair.Index]; now.mac != 0 {
		p.mac.Store(now.mac)
	}
}

// linkMAC is the hardware address that u tells, 0 if it is none of Ethernet.
func linkMAC(u netlink.LinkUpdate) uint64 {
	if mac := u.Attrs().HardwareAddr; len(mac) == 6 {
		return macInt(mac)
	}
	return 0
}
