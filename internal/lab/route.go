package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Route is a unicast route.
type Route struct {
	Dst netip.Prefix // 0.0.0.0/0 or ::/0 is the default route
	Via netip.Addr   // zero: directly on the link
	Dev string       // may be empty when Via is given
	MTU int          // bytes; 0: the device's

	Table  int  // 0: the main one
	Forbid bool // of type unreachable, without Via and Dev
}

// AddRoute adds a route, or replaces the one to the same destination.
func (h *Host) AddRoute(r Route) error {
	return h.route(r, "add", h.nl.RouteReplace)
}

// DeleteRoute removes a route.
func (h *Host) DeleteRoute(r Route) error {
	return h.route(r, "delete", h.nl.RouteDel)
}

func (h *Host) route(r Route, what string, do func(*netlink.Route) error) error {
	n := &netlink.Route{
		Dst: &net.IPNet{IP: r.Dst.Addr().AsSlice(), Mask: net.CIDRMask(r.Dst.Bits(), r.Dst.Addr().BitLen())},
		MTU: r.MTU, Table: r.Table,
	}
	if r.Forbid {
		n.Type = unix.RTN_UNREACHABLE
	} else if r.Via.IsValid() {
		n.Gw = r.Via.AsSlice()
	} else if r.Dst.Addr().Is4() {
		n.Scope = netlink.SCOPE_LINK
	}
	if r.Dev != "" {
		l, err := h.Link(r.Dev)
		if err != nil {
			return err
		}
		n.LinkIndex = l.Attrs().Index
	}
	if err := do(n); err != nil {
		return fmt.Errorf("%s route to %s on %s: %w", what, r.Dst, h.name, err)
	}
	return nil
}

// Neighbours returns the ARP and ND entries of a link, permanent and NOARP ones included.
func (h *Host) Neighbours(link string) ([]netlink.Neigh, error) {
	var out []netlink.Neigh
	err := h.change(link, "list neighbours of", func(l netlink.Link) (err error) {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			n, err := dump(func() ([]netlink.Neigh, error) { return h.nl.NeighList(l.Attrs().Index, family) })
			if err != nil {
				return err
			}
			out = append(out, n...)
		}
		return nil
	})
	return out, err
}

// SetNeighbour adds a permanent entry, or makes an existing one permanent.
func (h *Host) SetNeighbour(link string, ip netip.Addr, mac net.HardwareAddr) error {
	return h.change(link, "set neighbour "+ip.String()+" on", func(l netlink.Link) error {
		return h.nl.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, IP: ip.AsSlice(), HardwareAddr: mac})
	})
}

// SetRouter is SetNeighbour for one that is a router.
func (h *Host) SetRouter(link string, ip netip.Addr, mac net.HardwareAddr) error {
	return h.change(link, "set router "+ip.String()+" on", func(l netlink.Link) error {
		return h.nl.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, State: netlink.NUD_PERMANENT, Flags: netlink.NTF_ROUTER, IP: ip.AsSlice(), HardwareAddr: mac})
	})
}

// DeleteNeighbour removes the entry of an address. It is no error if there is none.
func (h *Host) DeleteNeighbour(link string, ip netip.Addr) error {
	return h.change(link, "delete neighbour "+ip.String()+" of", func(l netlink.Link) error {
		err := h.nl.NeighDel(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: ip.AsSlice()})
		if errors.Is(err, unix.ENOENT) {
			return nil
		}
		return err
	})
}

// FlushNeighbours removes what a link has learned; permanent and NOARP entries stay, as with `ip neigh flush`.
func (h *Host) FlushNeighbours(link string) error {
	neighs, err := h.Neighbours(link)
	if err != nil {
		return err
	}
	for _, n := range neighs {
		if n.State&(netlink.NUD_PERMANENT|netlink.NUD_NOARP) != 0 {
			continue
		}
		ip, _ := netip.AddrFromSlice(n.IP)
		if err := h.DeleteNeighbour(link, ip.Unmap()); err != nil {
			return err
		}
	}
	return nil
}

// dump repeats a netlink dump that a change interrupted until it is one picture.
func dump[T any](list func() ([]T, error)) ([]T, error) {
	for {
		out, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return out, err
		}
	}
}
