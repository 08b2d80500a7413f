package underlay

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// complaintBuffer is the room in bytes for messages that wait to be read. More than a few are an attack, or old by then.
const complaintBuffer = 64 << 10

// Complaints is a raw ICMP socket: it gets, beside the kernel, what routers say of UDP packets that were too big for them. The host's
// firewall and the kernel's limits come first; whether what is said is true is for the reader to judge. Read and Close are for any goroutine.
type Complaints struct{ file *os.File }

// OpenComplaints opens the socket in the calling thread's network namespace; needs CAP_NET_RAW. name is for errors. It is for every
// interface: an answer need not come the way the packet went.
func OpenComplaints(name string) (*Complaints, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP)
	if err != nil {
		return nil, fmt.Errorf("open raw ICMP socket for %s: %w", name, err)
	}
	// ICMP_FILTER spares the kernel a copy of each ping (net/ipv4/raw.c, icmp_filter); what comes before both are set is judged as
	// all else.
	const icmpFilter, unreachable = 1, 3
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_RAW, icmpFilter, -1^1<<unreachable),
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(tooBigUDP)), Filter: &tooBigUDP[0]}),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, complaintBuffer),
	)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("set up raw ICMP socket for %s: %w", name, err)
	}
	return &Complaints{os.NewFile(uintptr(fd), "raw ICMP socket for "+name)}, nil
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

// Read waits for a message and puts it, from the IPv4 header on, into buf; what does not fit is lost. After Close the error
// is [os.ErrClosed]. Its checksum is unchecked.
func (c *Complaints) Read(buf []byte) (int, error) { return c.file.Read(buf) }

// Close ends the Read that waits.
func (c *Complaints) Close() error {
	if err := c.file.Close(); err != nil {
		return fmt.Errorf("close raw ICMP socket: %w", err)
	}
	return nil
}
