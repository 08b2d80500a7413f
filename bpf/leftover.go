package bpf

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// FilterLeftovers makes a socket take nothing but what the program left to the
// kernel although it is ours. The socket is of AF_INET or, with six, AF_INET6, of
// SOCK_RAW and IPPROTO_UDP, and bound to the interface. It then gets, from the IPv4
// header on or over IPv6 from the UDP header on, each packet to the port, an address
// of AddAddr and a VNI of AddVNI (or none: see [Underlay]) that the kernel delivers to
// this host:
//
//   - that came in fragments: the kernel has put it together.
//   - with IP options: the kernel has judged them, and filled in the route or the
//     time where they ask for it. The header's checksum is then wrong
//     (net/ipv4/ip_options.c, is_changed), after the kernel has checked it.
//   - with IPv6 extension headers: the kernel has judged and removed them.
//   - with a VLAN tag that has only a priority.
//   - on a queue without a socket. Where a kernel VXLAN device has a socket on the
//     port, GRO may have joined several packets to one, as long as 64 KiB.
//   - that came in a form which the program could not see through, such as IPsec in
//     transport mode.
//
// What the program gave to an AF_XDP socket never comes here, so nothing comes twice.
// Nor does what this host itself sends, to an address of its own or to a group: the
// program never sees that either. The kernel does with the packet what it would do
// without the socket: a VXLAN device with the VNI takes it too, and where no socket
// has the port, the sender gets an ICMP port unreachable. What the kernel drops before
// (nftables, rp_filter, wrong IPv4 headers) does not come.
//
// The filter stays with the socket, and follows AddVNI, DeleteVNI, AddAddr and
// DeleteAddr at once. It may be called for any number of sockets, which work on
// after Close.
func (u *Underlay) FilterLeftovers(fd int, six bool) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	filter := u.filter
	if six {
		filter = u.filter6
	}
	err := os.ErrClosed
	if u.owned != nil {
		err = withCure(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ATTACH_BPF, filter.FD()))
	}
	if err != nil {
		return fmt.Errorf("attach BPF program leftover to a socket: %w", err)
	}
	return nil
}
