package gateway

import (
	"log/slog"
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/netdev"
)

// deviceLink is what the kernel tells of the host's side of a device.
func deviceLink(index int, mac string) netlink.LinkUpdate {
	hw, _ := net.ParseMAC(mac)
	return netlink.LinkUpdate{
		IfInfomsg: nl.IfInfomsg{IfInfomsg: unix.IfInfomsg{Index: int32(index), Flags: unix.IFF_UP | unix.IFF_LOWER_UP}},
		Header:    unix.NlMsghdr{Type: unix.RTM_NEWLINK},
		Link:      &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: index, MTU: 1450, HardwareAddr: hw}},
	}
}

// A device whose address is changed between its making and its taking in, as udev
// does, begins with the new one.
func TestAddressChangedBeforeTakeIn(t *testing.T) {
	g := newGateway(nil, slog.New(slog.DiscardHandler))
	d := &domain{cfg: &config.VNI{VNI: 42}, plane: &dataplane.Domain{VNI: 42}}
	p := &port{iface: &iface{info: netdev.Info{Index: 8, Name: "gw42-x"}}, domain: d, pair: &netdev.Pair{Name: "gw42", Index: 7, FarIndex: 8}}
	p.mac.Store(0x020000000001) // as openDevice has found it

	const changed = "02:00:00:00:00:02"
	u := deviceLink(7, changed)
	if g.portChanged(u) || g.deviceChanged(u) {
		t.Fatal("the change of an interface that is no port yet is news to workers")
	}
	g.takeIn([]*port{p})
	if have := macText(p.mac.Load()); have != changed {
		t.Errorf("the device is taken in with %s, has %s", have, changed)
	}
	if have := macText(d.plane.DeviceMAC); have != changed {
		t.Errorf("workers take %s for the device's address, it is %s", have, changed)
	}
	if g.deviceChanged(u) {
		t.Error("the same address is news")
	}
}

// The entry of a device's new address is made when workers know the device: it names an
// index that may be behind the end of their lists.
func TestAddressChangedBeforePublish(t *testing.T) {
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(_ *bed, cfg *config.Config) {
		cfg.VNIs[0].Device = &config.Device{Name: "gw42"}
	})
	var pair *netdev.Pair
	for _, p := range b.g.ports {
		if p.pair != nil {
			pair = p.pair
		}
	}
	must(t, b.g.order(func() (bool, error) {
		b.g.steward.requeued = true // as after takeIn
		if !b.g.deviceChanged(deviceLink(pair.Index, "02:00:00:00:00:02")) {
			t.Error("another address is no news")
		}
		if b.g.steward.requeued {
			t.Error("workers do not know the ports yet")
		}
		return true, nil
	}))
}
