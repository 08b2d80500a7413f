package underlay

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// leftoverBuffer is the room in bytes for packets that wait to be read: some 900 of two fragments each, whose
// memory the kernel counts and not their length.
const leftoverBuffer = 4 << 20

// Leftovers is a raw UDP socket on the underlay interface: it gets, beside the kernel, the UDP packets of one family that the kernel
// delivers to this host and that its filter lets through, fragments put together; and those that this host sends to the interface's own
// address. Read and Close are for any goroutine; only one reads.
type Leftovers struct {
	file   *os.File
	conn   syscall.RawConn // over IPv6, else nil
	closed atomic.Bool
}

// OpenLeftovers opens the socket in the calling thread's network namespace; needs CAP_NET_RAW. filter attaches the filter to
// a socket; what it would not let through never comes. name is for errors. With six the family is IPv6: a kernel that has
// none says unix.EAFNOSUPPORT.
func OpenLeftovers(ifindex int, name string, six bool, filter func(fd int) error) (*Leftovers, error) {
	family := unix.AF_INET
	if six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return nil, fmt.Errorf("open raw UDP socket for %s: %w", name, err)
	}
	if err := setUpLeftovers(fd, ifindex, six, filter); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up raw UDP socket on %s: %w", name, err)
	}
	l := &Leftovers{file: os.NewFile(uintptr(fd), "raw UDP socket on "+name)}
	if six {
		if l.conn, err = l.file.SyscallConn(); err != nil {
			return nil, errors.Join(fmt.Errorf("set up raw UDP socket on %s: %w", name, err), l.file.Close())
		}
	}
	return l, nil
}

func setUpLeftovers(fd, ifindex int, six bool, filter func(fd int) error) error {
	// Until it is bound and has its filter it gets all UDP of all interfaces: nothing is let through, then what
	// came before is thrown away.
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	err := errors.Join(
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &nothing}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, ifindex),
	)
	if err == nil && six {
		err = tellHeader(fd)
	} else if err == nil {
		// Or else the kernel would believe what ICMP says of the MTU of any UDP packet (raw_err in net/ipv4/raw.c),
		// asking for no socket that sent it.
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_OMIT)
	}
	if err != nil {
		return err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, leftoverBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, leftoverBuffer) // without CAP_NET_ADMIN: what rmem_max allows
	}
	var scratch [1]byte
	for err == nil || errors.Is(err, unix.EINTR) {
		_, err = unix.Read(fd, scratch[:])
	}
	if !errors.Is(err, unix.EAGAIN) {
		return err
	}
	return filter(fd)
}

// Read waits for a packet and puts it, from the IP header on, into buf. What does not fit is lost: a packet that fills
// buf may have been longer. After Close the error is [os.ErrClosed].
//
// The kernel has checked the IPv4 header, but may have written into its options since without making its checksum right
// again. An IPv6 header is made anew, without extension headers and flow label. The UDP checksum is unchecked.
func (l *Leftovers) Read(buf []byte) (n int, err error) {
	if l.conn == nil {
		return l.file.Read(buf)
	}
	failed := l.conn.Read(func(fd uintptr) bool {
		n, err = readHeadless(int(fd), buf, unix.IPPROTO_UDP)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err = errors.Join(failed, err); err != nil && l.closed.Load() {
		err = os.ErrClosed
	}
	return n, err
}

// Dropped returns how many packets found no room, at most: while the room is taken up, the kernel counts without asking the
// filter (raw_v4_input in net/ipv4/raw.c), so that other UDP packets to this host are among them. It starts again at 2³².
func (l *Leftovers) Dropped() (uint32, error) {
	conn, err := l.file.SyscallConn() // keeps Close from giving the descriptor's number to another file meanwhile
	if err != nil {
		return 0, err
	}
	var m socketMemory
	var failed error
	if err := conn.Control(func(fd uintptr) { m, failed = memoryOf(int(fd)) }); err != nil {
		return 0, err
	}
	return m.drops(), failed
}

// Close ends the Read that waits, and frees what was not read.
func (l *Leftovers) Close() error {
	l.closed.Store(true)
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close raw UDP socket: %w", err)
	}
	return nil
}
