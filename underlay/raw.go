package underlay

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// ErrBadPacket is what Send returns for bytes that are no IPv4 packet with a source address: the kernel would
// fill in a source of its own for 0.0.0.0.
var ErrBadPacket = errors.New("send outer packet: not an IPv4 packet with a source address")

// rawBuffer is the room in bytes for packets that wait for their neighbours in the kernel. Each neighbour
// queues about 90 full packets (unres_qlen_bytes), charged to the one socket.
const rawBuffer = 4 << 20

// Raw sends finished outer packets through the kernel, out of the underlay interface and no other. It is for
// one goroutine.
type Raw struct {
	fd int
	to *unix.SockaddrInet4
}

// OpenRaw opens the socket in the calling thread's network namespace; needs CAP_NET_RAW. name and
// ifindex are the same interface's, whose later renaming does no harm.
func OpenRaw(ifindex int, name string) (*Raw, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("open raw socket for %s: %w", name, err)
	}
	if err := unix.BindToDevice(fd, name); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("bind raw socket to %s: %w", name, err)
	}
	err = errors.Join( // the first is refused when name is another interface than ifindex
		unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(ifindex)}),
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 0), // it never reads: let nothing pile up
	)
	if err == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, rawBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, rawBuffer) // without CAP_NET_ADMIN: what wmem_max allows
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up raw socket on %s: %w", name, err)
	}
	return &Raw{fd: fd, to: &unix.SockaddrInet4{}}, nil
}

// Send hands one packet, which begins at its IPv4 header and stays the caller's, to the kernel. The kernel
// resolves, queues and sends it; it overwrites total length and header checksum and keeps all else
// (net/ipv4/raw.c, raw_send_hdrinc). It never blocks.
//
// Errors are ErrBadPacket or a bare unix.Errno: EMSGSIZE above the device's MTU, or above a smaller path MTU with
// DF set; ENETUNREACH or EHOSTUNREACH without a route; ENOBUFS or EAGAIN when queues are full; ENETDOWN, ENODEV or
// ENXIO when the interface is. That nobody answers ARP is no error here: see [Mirror].
func (r *Raw) Send(packet []byte) error {
	if len(packet) < 20 || packet[0]>>4 != 4 || [4]byte(packet[12:16]) == [4]byte{} {
		return ErrBadPacket
	}
	r.to.Addr = [4]byte(packet[16:20])
	for {
		if err := unix.Sendto(r.fd, packet, 0, r.to); err != unix.EINTR {
			return err
		}
	}
}

// Unsent returns how many bytes of memory hold packets that the kernel has taken and that have not left this host: they
// wait for their neighbour, in a queue, or for the driver; on a veth for the other end to receive them.
func (r *Raw) Unsent() int {
	n, err := unix.IoctlGetInt(r.fd, unix.SIOCOUTQ) // sk_wmem_alloc (net/ipv4/raw.c, raw_ioctl)
	if err != nil {
		return 0
	}
	return n
}

// Close closes the socket; packets that wait for a neighbour are still sent.
func (r *Raw) Close() error {
	if err := unix.Close(r.fd); err != nil {
		return fmt.Errorf("close raw socket: %w", err)
	}
	return nil
}
