package underlay

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"

	"golang.org/x/sys/unix"
)

// bufferSize holds the largest datagram the kernel makes for a dump (32 KiB) or a link with many VFs.
const bufferSize = 64 << 10

// answerTimeout is how long a request may wait in seconds; the kernel answers within the system call.
const answerTimeout = 5

// eventBuffer is the room for events in bytes, so that a burst of a thousand is no overrun.
const eventBuffer = 1 << 20

// eventGroups are the multicast groups of rtnetlink that tell of anything a path depends on.
var eventGroups = [...]int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_IPV4_IFADDR,
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_NEXTHOP,
	unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV6_IFINFO,
}

// conn is a request socket. It belongs to the network namespace of the thread that opened it, and works
// from any thread afterwards. One goroutine at a time.
type conn struct {
	fd  int
	seq uint32
	out []byte // the request being built
	in  []byte // the datagram being read
}

// dial opens a request socket in the namespace of the calling thread.
func dial() (*conn, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	c := &conn{fd: fd, in: make([]byte, bufferSize)}
	err = errors.Join(
		unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: answerTimeout}),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1),
		unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1),
	)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("set up netlink socket: %w", err)
	}
	return c, nil
}

func (c *conn) close() { _ = unix.Close(c.fd) }

// subscribe opens a socket that receives the events of the calling thread's namespace. Read returns whole
// datagrams, or ENOBUFS when events were lost; Close ends a waiting Read.
func subscribe() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink event socket: %w", err)
	}
	err = unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	for _, group := range eventGroups {
		if err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_NETLINK, unix.NETLINK_ADD_MEMBERSHIP, group)
		}
	}
	if err == nil && unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, eventBuffer) != nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, eventBuffer) // without CAP_NET_ADMIN: what rmem_max allows
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("subscribe to netlink events: %w", err)
	}
	return os.NewFile(uintptr(fd), "netlink events"), nil
}

// request sends one message and hands each answer to each, which must not keep the bytes. A refusal is a
// unix.Errno, with the kernel's own sentence where it sends one. A dump that changed under the reader
// (NLM_F_DUMP_INTR) is errInterrupted.
func (c *conn) request(kind, flags uint16, body []byte, each func(kind uint16, body []byte)) error {
	c.seq++
	c.out = binary.NativeEndian.AppendUint32(c.out[:0], uint32(unix.NLMSG_HDRLEN+len(body)))
	c.out = binary.NativeEndian.AppendUint16(c.out, kind)
	c.out = binary.NativeEndian.AppendUint16(c.out, flags|unix.NLM_F_REQUEST)
	c.out = binary.NativeEndian.AppendUint32(c.out, c.seq)
	c.out = binary.NativeEndian.AppendUint32(c.out, 0)
	c.out = append(c.out, body...)
	if err := retry(func() error { return unix.Send(c.fd, c.out, 0) }); err != nil {
		return fmt.Errorf("send netlink request: %w", err)
	}
	for interrupted := false; ; {
		var n int
		err := retry(func() (err error) { n, err = unix.Read(c.fd, c.in); return err })
		if err != nil {
			return fmt.Errorf("read netlink answer: %w", err)
		}
		for m := range messages(c.in[:n]) {
			if m.seq != c.seq { // late answer to a request that timed out
				continue
			}
			interrupted = interrupted || m.flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case m.kind == unix.NLMSG_ERROR, m.kind == unix.NLMSG_DONE:
				if err := m.refusal(); err != nil || !interrupted {
					return err
				}
				return errInterrupted
			case each != nil:
				each(m.kind, m.body)
			}
			if m.flags&unix.NLM_F_MULTI == 0 {
				return nil
			}
		}
	}
}

// errInterrupted says that a table changed while it was being dumped.
var errInterrupted = errors.New("netlink dump interrupted by a change")

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}

// message is one netlink message; body aliases the datagram.
type message struct {
	kind, flags uint16
	seq         uint32
	body        []byte
}

// messages yields the messages of a datagram and stops at the first that does not fit in.
func messages(b []byte) iter.Seq[message] {
	return func(yield func(message) bool) {
		for len(b) >= unix.NLMSG_HDRLEN {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.NLMSG_HDRLEN || size > len(b) {
				return
			}
			m := message{
				kind:  binary.NativeEndian.Uint16(b[4:]),
				flags: binary.NativeEndian.Uint16(b[6:]),
				seq:   binary.NativeEndian.Uint32(b[8:]),
				body:  b[unix.NLMSG_HDRLEN:size:size],
			}
			if !yield(m) {
				return
			}
			b = b[min(align(size), len(b)):]
		}
	}
}

// refusal reads an NLMSG_ERROR or NLMSG_DONE: nil for an acknowledgement (net/netlink/af_netlink.c,
// netlink_ack, with NETLINK_CAP_ACK set).
func (m message) refusal() error {
	if len(m.body) < 4 {
		return nil
	}
	code := int32(binary.NativeEndian.Uint32(m.body))
	if code >= 0 {
		return nil
	}
	if m.kind == unix.NLMSG_ERROR && m.flags&unix.NLM_F_ACK_TLVS != 0 && len(m.body) >= 4+unix.NLMSG_HDRLEN {
		for kind, value := range attributes(m.body[4+unix.NLMSG_HDRLEN:]) {
			if kind == unix.NLMSGERR_ATTR_MSG {
				return fmt.Errorf("%w (%s)", unix.Errno(-code), unix.ByteSliceToString(value))
			}
		}
	}
	return unix.Errno(-code)
}

// attributes yields type and value of each route attribute and stops at the first that does not fit in.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			kind := binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if !yield(kind, b[unix.SizeofRtAttr:size:size]) {
				return
			}
			b = b[min(align(size), len(b)):]
		}
	}
}

// attribute appends one route attribute, padded.
func attribute(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, align(len(value))-len(value))...)
}

// attribute32 appends one route attribute of 32 bits in the machine's order.
func attribute32(b []byte, kind uint16, value uint32) []byte {
	return attribute(b, kind, binary.NativeEndian.AppendUint32(nil, value))
}

// align rounds up to the 4 bytes on which messages and attributes begin.
func align(n int) int { return (n + 3) &^ 3 }
