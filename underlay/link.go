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
	Addrs []netip.Prefix // IPv4 addresses in the kernel's order, primary ones first
	Admin bool           // set up, whatever the carrier
}

// upFlags are what a link needs: set up, carrier now, and the kernel having acted upon the carrier.
const upFlags = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING

// readLink describes the interface and its addresses. An interface that is gone keeps its name.
func (c *conn) readLink(ifindex int, name string) (Link, error) {
	m, err := c.link(ifindex)
	if err == nil {
		var list []addressMessage
		if list, err = c.addresses(ifindex); err == nil {
			link := Link{Name: m.name, Up: m.flags&upFlags == upFlags, Admin: m.flags&unix.IFF_UP != 0, MAC: m.mac, MTU: m.mtu}
			for _, a := range list {
				link.Addrs = append(link.Addrs, a.prefix)
			}
			return link, nil
		}
	}
	if errors.Is(err, unix.ENODEV) {
		return Link{Name: name, Gone: true}, nil
	}
	return Link{}, err
}

func (l Link) equal(o Link) bool {
	return l.Name == o.Name && l.Up == o.Up && l.Gone == o.Gone && l.MAC == o.MAC && l.MTU == o.MTU &&
		l.Admin == o.Admin && slices.Equal(l.Addrs, o.Addrs)
}

// onLink says whether addr lies in one of the interface's own subnets.
func (l Link) onLink(addr netip.Addr) bool {
	return slices.ContainsFunc(l.Addrs, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// downReason says what to do about a link that is not up.
func (l Link) downReason() string {
	if !l.Admin {
		return l.Name + " is down (ip link set " + l.Name + " up)"
	}
	return l.Name + " has no carrier"
}
