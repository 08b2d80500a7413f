package underlay

import (
	"errors"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// Link is the underlay interface as the kernel last described it.
type Link struct {
	Name  string
	Up    bool           // set up, with carrier
	Gone  bool           // deleted, or moved to another namespace; it does not come back under this index
	MAC   [6]byte        // source of outer frames
	MTU   int            // in bytes of IP packet
	MTU6  int            // that of IPv6 where routers want less, else 0
	Addrs []netip.Prefix // addresses in the kernel's order, IPv4 and its primary ones first; those of families in use
	Own   []netip.Addr   // addresses, of either family
	Admin bool           // set up, whatever the carrier

	Sources  Sources
	NoSource string // why a family in use has no outer source address and what to do, for people; else empty

	VRF      string // the VRF that it belongs to, whose routing table counts; empty for none
	vrfIndex int
}

// upFlags are what a link needs: set up, carrier now, and the kernel having acted upon the carrier.
const upFlags = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING

// readLink describes the interface and its addresses as they are now, after old. One that is gone keeps its name.
func (c *conn) readLink(ifindex int, want wish, old Link) (Link, error) {
	m, err := c.link(ifindex)
	var own []netip.Addr
	var list []addressMessage
	if err == nil {
		own, list, err = c.addressesOf(ifindex, want)
	}
	link := Link{Name: m.name, Own: own, Up: m.flags&upFlags == upFlags, Admin: m.flags&unix.IFF_UP != 0, MAC: m.mac, MTU: m.mtu}
	if err == nil && m.belongs == "vrf" {
		var vrf linkMessage
		if vrf, err = c.link(m.master); err == nil {
			link.VRF, link.vrfIndex = vrf.name, m.master
		} else if errors.Is(err, unix.ENODEV) { // left it meanwhile, of which an event tells
			err = nil
		}
	}
	if err == nil {
		link.Sources, err = c.sources(list, m.name, want, old.Sources)
		link.NoSource = link.Sources.trouble(want)
	}
	switch {
	case errors.Is(err, unix.ENODEV):
		return Link{Name: old.Name, Gone: true}, nil
	case err != nil:
		return Link{}, err
	}
	if want.six && m.mtu6 > 0 && m.mtu6 < m.mtu {
		link.MTU6 = m.mtu6
	}
	for _, a := range list {
		link.Addrs = append(link.Addrs, a.prefix)
	}
	return link, nil
}

func (l Link) equal(o Link) bool {
	return l.Name == o.Name && l.Up == o.Up && l.Gone == o.Gone && l.MAC == o.MAC && l.MTU == o.MTU && l.MTU6 == o.MTU6 &&
		l.Admin == o.Admin && l.Sources == o.Sources && l.NoSource == o.NoSource &&
		l.VRF == o.VRF && l.vrfIndex == o.vrfIndex && slices.Equal(l.Addrs, o.Addrs) && slices.Equal(l.Own, o.Own)
}

// downReason says what to do about a link that is not up.
func (l Link) downReason() string {
	if !l.Admin {
		return l.Name + " is down (ip link set " + l.Name + " up)"
	}
	return l.Name + " has no carrier"
}
