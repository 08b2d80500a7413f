package underlay

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// complaintBuffer is the room in bytes for messages that wait to be read. More than a few are an attack, or old by then.
const complaintBuffer = 64 << 10

// Complaints is a raw ICMP or ICMPv6 socket: it gets, beside the kernel, what routers say of UDP packets that were too big for them. The
// host's firewall and the kernel's limits come first; whether what is said is true is for the reader to judge. Read and Close are for any
// goroutine; only one reads.
type Complaints struct {
	file   *os.File
	conn   syscall.RawConn // over IPv6, else nil
	closed atomic.Bool
}

// OpenComplaints opens the socket in the calling thread's network namespace; needs CAP_NET_RAW. name is for errors. It is for every
// interface: an answer need not come the way the packet went. With six it is for IPv6: a kernel that has none says unix.EAFNOSUPPORT.
func OpenComplaints(name string, six bool) (*Complaints, error) {
	family, protocol, what, setUp := unix.AF_INET, unix.IPPROTO_ICMP, "raw ICMP socket for "+name, setUpComplaints
	if six {
		family, protocol, what, setUp = unix.AF_INET6, unix.IPPROTO_ICMPV6, "raw ICMPv6 socket for "+name, setUpComplaints6
	}
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", what, err)
	}
	if err := errors.Join(setUp(fd), unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, complaintBuffer)); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up %s: %w", what, err)
	}
	c := &Complaints{file: os.NewFile(uintptr(fd), what)}
	if six {
		if c.conn, err = c.file.SyscallConn(); err != nil {
			return nil, errors.Join(fmt.Errorf("set up %s: %w", what, err), c.file.Close())
		}
	}
	return c, nil
}

// setUpComplaints has the kernel spare us each ping with ICMP_FILTER (net/ipv4/raw.c, icmp_filter), and all else with a filter; what
// comes before both are set is judged as all else.
func setUpComplaints(fd int) error {
	const icmpFilter, unreachable = 1, 3
	return errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, -1^1<<unreachable),
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program(tooBigUDP)),
	)
}

// setUpComplaints6 is the same with ICMPV6_FILTER (net/ipv6/raw.c, icmpv6_filter).
func setUpComplaints6(fd int) error {
	const icmp6Filter, tooBig = 1, 2
	filter := unix.ICMPv6Filter{}
	for i := range filter.Data {
		filter.Data[i] = ^uint32(0)
	}
	filter.Data[0] &^= 1 << tooBig
	return errors.Join(
		unix.SetsockoptICMPv6Filter(fd, unix.IPPROTO_ICMPV6, icmp6Filter, &filter),
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, program(tooBigUDP6)),
		tellHeader(fd),
	)
}

func program(f []unix.SockFilter) *unix.SockFprog {
	return &unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
}

// tooBigUDP lets through what is of type 3 and code 4, and quotes UDP. Offsets are from the outer IPv4 header on.
var tooBigUDP = []unix.SockFilter{
	{Code: unix.BPF_LDX | unix.BPF_B | unix.BPF_MSH, K: 0}, // X = length of the header
	{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_IND, K: 0},  // type and code
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 3<<8 | 4, Jf: 3},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_IND, K: 8 + 9}, // protocol of what is quoted
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_UDP, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// tooBigUDP6 lets through what quotes UDP over IPv6. Offsets are from the ICMPv6 header on.
var tooBigUDP6 = []unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 0}, // type
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 2, Jf: 3},
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 8 + 6}, // next header of what is quoted
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.IPPROTO_UDP, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 16},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
}

// Read waits for a message and puts it, from the IP header on, into buf; what does not fit is lost. An IPv6 header is made
// anew. After Close the error is [os.ErrClosed]. The checksum is unchecked.
func (c *Complaints) Read(buf []byte) (n int, err error) {
	if c.conn == nil {
		return c.file.Read(buf)
	}
	failed := c.conn.Read(func(fd uintptr) bool {
		n, err = readHeadless(int(fd), buf, unix.IPPROTO_ICMPV6)
		return !errors.Is(err, unix.EAGAIN)
	})
	if err = errors.Join(failed, err); err != nil && c.closed.Load() {
		err = os.ErrClosed
	}
	return n, err
}

// Close ends the Read that waits.
func (c *Complaints) Close() error {
	c.closed.Store(true)
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("close %s: %w", c.file.Name(), err)
	}
	return nil
}
