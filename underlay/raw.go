package underlay

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrBadPacket is what Send returns for bytes that are no IP packet with a source address: the kernel would
// fill in a source of its own for 0.0.0.0.
var ErrBadPacket = errors.New("send outer packet: not an IP packet with a source address")

// errNo6 is what Send returns for IPv6 where the kernel has none.
var errNo6 = errors.New("send outer packet: this kernel has no IPv6")

// rawBuffer is the room in bytes for packets that wait for their neighbours in the kernel. Each neighbour
// queues about 90 full packets (unres_qlen_bytes), charged to the one socket.
const rawBuffer = 4 << 20

// Raw sends finished outer packets through the kernel, out of the underlay interface and no other. It is for
// one goroutine.
type Raw struct {
	four, six int // sockets; six is -1 where the kernel has no IPv6
	to4       *unix.SockaddrInet4
	to6       *unix.SockaddrInet6
}

// OpenRaw opens the sockets in the calling thread's network namespace; needs CAP_NET_RAW. name and
// ifindex are the same interface's, whose later renaming does no harm.
func OpenRaw(ifindex int, name string) (*Raw, error) {
	four, err := openRaw(unix.AF_INET, ifindex, name)
	if err != nil {
		return nil, err
	}
	six, err := openRaw(unix.AF_INET6, ifindex, name)
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		_ = unix.Close(four)
		return nil, err
	}
	// The scope is for link-local addresses; others do not look at it.
	return &Raw{four, six, &unix.SockaddrInet4{}, &unix.SockaddrInet6{ZoneId: uint32(ifindex)}}, nil
}

// openRaw opens the socket of one family, or returns -1.
func openRaw(family, ifindex int, name string) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return -1, fmt.Errorf("open raw socket for %s: %w", name, err)
	}
	if err := unix.BindToDevice(fd, name); err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("bind raw socket to %s: %w", name, err)
	}
	if family == unix.AF_INET6 { // the first is refused when name is another interface than ifindex
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, ifindex),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0),
		)
	} else {
		err = errors.Join(
			unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifindex)}),
			unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
		)
	}
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0) // it never reads: let nothing pile up
	}
	if err == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, rawBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, rawBuffer) // without CAP_NET_ADMIN: what wmem_max allows
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, fmt.Errorf("set up raw socket on %s: %w", name, err)
	}
	return fd, nil
}

// Send hands one packet, which begins at its IP header and stays the caller's, to the kernel. The kernel
// resolves, queues and sends it; of IPv4 it overwrites total length and header checksum, and keeps all else
// (net/ipv4/raw.c, raw_send_hdrinc; net/ipv6/raw.c, rawv6_send_hdrinc). It never blocks.
//
// Errors are ErrBadPacket or a bare unix.Errno: EMSGSIZE above the device's MTU, or above a smaller path MTU with
// DF set; ENETUNREACH or EHOSTUNREACH without a route; ENOBUFS or EAGAIN when queues are full; ENETDOWN, ENODEV or
// ENXIO when the interface is. That nobody answers ARP is no error here: see [Mirror].
func (r *Raw) Send(packet []byte) error {
	fd, to := r.four, unix.Sockaddr(r.to4)
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4 && [4]byte(packet[12:16]) != [4]byte{}:
		r.to4.Addr = [4]byte(packet[16:20])
	case len(packet) >= 40 && packet[0]>>4 == 6 && [16]byte(packet[8:24]) != [16]byte{}:
		if r.six < 0 {
			return errNo6
		}
		r.to6.Addr = [16]byte(packet[24:40])
		fd, to = r.six, r.to6
	default:
		return ErrBadPacket
	}
	for {
		if err := unix.Sendto(fd, packet, 0, to); err != unix.EINTR {
			return err
		}
	}
}

// Unsent returns how many bytes of memory hold packets that the kernel has taken and that have not left this host: they
// wait for their neighbour, in a queue, or for the driver; on a veth for the other end to receive them.
func (r *Raw) Unsent() (sum int) {
	for _, fd := range []int{r.four, r.six} {
		if n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ); err == nil { // sk_wmem_alloc (net/ipv4/raw.c, raw_ioctl)
			sum += n
		}
	}
	return sum
}

// Close closes the sockets; packets that wait for a neighbour are still sent.
func (r *Raw) Close() error {
	err := unix.Close(r.four)
	if r.six >= 0 {
		err = errors.Join(err, unix.Close(r.six))
	}
	if err != nil {
		return fmt.Errorf("close raw socket: %w", err)
	}
	return nil
}
