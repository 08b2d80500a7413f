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

	Source   netip.Addr // outer source address; the zero Addr while there is none
	NoSource string     // why there is none and what to do, for people; empty when there is
}

// upFlags are what a link needs: set up, carrier now, and the kernel having acted upon the carrier.
const upFlags = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING

// readLink describes the interface and its addresses as they are now, after old. One that is gone keeps its name.
// local is the outer source that was asked for, or the zero Addr.
func (c *conn) readLink(ifindex int, local netip.Addr, old Link) (Link, error) {
	m, err := c.link(ifindex)
	var list []addressMessage
	if err == nil {
		list, err = c.addresses(ifindex)
	}
	link := Link{Name: m.name, Up: m.flags&upFlags == upFlags, Admin: m.flags&unix.IFF_UP != 0, MAC: m.mac, MTU: m.mtu}
	if err == nil {
		link.Source, link.NoSource, err = c.source(list, m.name, local, old.Source)
	}
	switch {
	case errors.Is(err, unix.ENODEV):
		return Link{Name: old.Name, Gone: true}, nil
	case err != nil:
		return Link{}, err
	}
	for _, a := range list {
		link.Addrs = append(link.Addrs, a.prefix)
	}
	return link, nil
}

func (l Link) equal(o Link) bool {
	return l.Name == o.Name && l.Up == o.Up && l.Gone == o.Gone && l.MAC == o.MAC && l.MTU == o.MTU &&
		l.Admin == o.Admin && l.Source == o.Source && l.NoSource == o.NoSource && slices.Equal(l.Addrs, o.Addrs)
}

// downReason says what to do about a link that is not up.
func (l Link) downReason() string {
	if !l.Admin {
		return l.Name + " is down (ip link set " + l.Name + " up)"
	}
	return l.Name + " has no carrier"
}
