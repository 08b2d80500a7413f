package underlay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// dumpTries bounds how often a dump that changed under the reader is read again.
const dumpTries = 5

// link reads the interface; unix.ENODEV when it is gone.
func (c *conn) link(ifindex int) (m linkMessage, err error) {
	body := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(body[4:], uint32(ifindex))
	ok := false
	err = c.request(unix.RTM_GETLINK, 0, body, func(kind uint16, b []byte) {
		if kind == unix.RTM_NEWLINK {
			m, ok = decodeLink(b)
		}
	})
	if err == nil && !ok {
		err = errors.New("netlink answer about the interface cannot be read")
	}
	return m, err
}

// addresses reads the addresses of one family of the interface in the kernel's order, those of every interface for 0.
func (c *conn) addresses(family uint8, ifindex int) (list []addressMessage, err error) {
	body := make([]byte, unix.SizeofIfAddrmsg)
	body[0] = family
	binary.NativeEndian.PutUint32(body[4:], uint32(ifindex))
	for range dumpTries {
		list = list[:0]
		err = c.request(unix.RTM_GETADDR, unix.NLM_F_DUMP, body, func(kind uint16, b []byte) {
			// Without IPv6 the kernel takes its number for that of all families.
			if m, ok := decodeAddress(b); ok && b[0] == family && kind == unix.RTM_NEWADDR && (m.ifindex == ifindex || ifindex == 0) {
				list = append(list, m)
			}
		})
		if !errors.Is(err, errInterrupted) {
			break
		}
	}
	return list, err
}

// route asks which way a packet from local to dst takes out of the interface, as the kernel's vxlan device
// with `dev` does. With an interface given the kernel takes a destination without any route to be on the
// link (net/ipv4/route.c, ip_route_output_key_hash_rcu); with match set it names the routing table's entry instead, and
// answers EHOSTUNREACH when there is none. An ifindex of 0 is any interface; that of a VRF is any in its table. The table of an
// interface's VRF is found by the kernel (net/l3mdev/l3mdev.c, l3mdev_update_flow), which does not make up links there. Over IPv6 a
// source that is given makes the interface a preference (net/ipv6/route.c, ip6_route_output_flags_noref); the zero Addr leaves it out.
func (c *conn) route(ifindex int, local, dst netip.Addr, match bool) (m routeMessage, err error) {
	body := make([]byte, unix.SizeofRtMsg, 64)
	body[0], body[1] = family(dst), uint8(dst.BitLen())
	if match {
		binary.NativeEndian.PutUint32(body[8:], unix.RTM_F_FIB_MATCH)
	}
	body = attribute(body, unix.RTA_DST, dst.AsSlice())
	if local.IsValid() {
		body[2] = uint8(local.BitLen())
		body = attribute(body, unix.RTA_SRC, local.AsSlice())
	}
	if ifindex != 0 {
		body = attribute32(body, unix.RTA_OIF, uint32(ifindex))
	}
	ok := false
	err = c.request(unix.RTM_GETROUTE, 0, body, func(kind uint16, b []byte) {
		if kind == unix.RTM_NEWROUTE {
			m, ok = decodeRoute(b)
		}
	})
	if err == nil && !ok {
		err = fmt.Errorf("netlink answer about the route to %s cannot be read", dst)
	}
	return m, err
}

// neighbour reads one entry; no entry is no error.
func (c *conn) neighbour(ifindex int, addr netip.Addr) (neighbour, error) {
	n := neighbour{addr: addr, ifindex: ifindex}
	body := make([]byte, unix.SizeofNdMsg, 48)
	body[0] = family(addr)
	binary.NativeEndian.PutUint32(body[4:], uint32(ifindex))
	body = attribute(body, unix.NDA_DST, addr.AsSlice())
	err := c.request(unix.RTM_GETNEIGH, 0, body, func(kind uint16, b []byte) {
		if m, ok := decodeNeighbour(b); ok && kind == unix.RTM_NEWNEIGH && m.addr == addr && m.ifindex == ifindex {
			n = m
		}
	})
	if errors.Is(err, unix.ENOENT) {
		err = nil
	}
	return n, err
}

// use has the kernel resolve or confirm the entry n, as read before, and sets or clears the managed mark.
// NTF_USE keeps state and MAC as they are (net/core/neighbour.c, neigh_add and __neigh_update), and each
// flag that is left out is cleared, so the others are repeated. A missing entry is made only by a set, and
// only while it is still missing (EEXIST otherwise); clearing one that went away is ENOENT.
func (c *conn) use(n neighbour, managed bool) error {
	flags, ext := uint16(unix.NLM_F_ACK), n.ext&^ntfExtManaged
	if managed {
		ext |= ntfExtManaged
	}
	if !n.present {
		flags |= unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	body := make([]byte, unix.SizeofNdMsg, 48)
	body[0] = family(n.addr)
	binary.NativeEndian.PutUint32(body[4:], uint32(n.ifindex))
	body[10] = unix.NTF_USE | n.flags&(unix.NTF_EXT_LEARNED|unix.NTF_ROUTER)
	body = attribute(body, unix.NDA_DST, n.addr.AsSlice())
	if ext != 0 {
		body = attribute32(body, ndaFlagsExt, ext)
	}
	return c.request(unix.RTM_NEWNEIGH, flags, body, nil)
}

// unmanage clears the managed mark of one entry and leaves the entry; one that is fixed, not managed or
// gone is left alone.
func (c *conn) unmanage(ifindex int, addr netip.Addr) error {
	n, err := c.neighbour(ifindex, addr)
	if err == nil && n.managed() && !n.fixed() {
		err = c.use(n, false)
	}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// ClearManaged takes the managed mark off the entries of addrs on the interface, after a process that set
// them (see [Mirror.Managed]) was killed. Entries stay; PERMANENT and NOARP ones, those without the mark and
// those that are gone are left alone. It works in the calling thread's network namespace. The error joins
// those of every address.
func ClearManaged(ifindex int, addrs []netip.Addr) error {
	c, err := dial()
	if err != nil {
		return err
	}
	defer c.close()
	var failed []error
	for _, addr := range addrs {
		if err := c.unmanage(ifindex, addr.Unmap()); err != nil {
			failed = append(failed, fmt.Errorf("clear managed neighbour %s: %w", addr, err))
		}
	}
	return errors.Join(failed...)
}
