package netdev

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// leastMTU6 is below which MTU the kernel takes IPv6 from an interface, with its settings (IPV6_MIN_MTU of linux/ipv6.h).
const leastMTU6 = 1280

// farMTU is the MTU of the far end for one of the host's end. It never loses IPv6, which would come back
// without what keeps it silent.
func farMTU(mtu int) int { return max(mtu, leastMTU6) }

// MTU returns that of the host's end.
func (p *Pair) MTU() (int, error) {
	link, err := netlink.LinkByIndex(p.Index)
	if err != nil {
		return 0, fmt.Errorf("find device %s: %w", p.Name, err)
	}
	return link.Attrs().MTU, nil
}

// SetMTU sets that of both ends, in bytes. An end that does not take it leaves the other as it is. The far end, by which frames
// for the host come, is never the smaller one.
func (p *Pair) SetMTU(mtu int) error {
	host, err := netlink.LinkByIndex(p.Index)
	if err != nil {
		return fmt.Errorf("find device %s: %w", p.Name, err)
	}
	far, err := netlink.LinkByIndex(p.FarIndex)
	if err != nil {
		return fmt.Errorf("find %s: %w", p.Far, err)
	}
	old := far.Attrs().MTU
	if farMTU(mtu) > old {
		if err := netlink.LinkSetMTU(far, farMTU(mtu)); err != nil {
			return fmt.Errorf("set the MTU of %s to %d: %w", p.Far, farMTU(mtu), withCure(err))
		}
	}
	if err := netlink.LinkSetMTU(host, mtu); err != nil {
		_ = netlink.LinkSetMTU(far, old)
		return fmt.Errorf("set the MTU of %s to %d: %w", p.Name, mtu, withCure(err))
	}
	if farMTU(mtu) < old {
		if err := netlink.LinkSetMTU(far, farMTU(mtu)); err != nil {
			return fmt.Errorf("set the MTU of %s to %d: %w", p.Far, farMTU(mtu), withCure(err))
		}
	}
	return nil
}
