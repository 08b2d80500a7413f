package underlay

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// A raw IPv6 socket delivers what is behind the IPv6 header and its extension headers (rawv6_rcv in net/ipv6/raw.c). What the header
// said comes beside it (RFC 3542), and is made a header again.

// ip6Len is the length of an IPv6 header.
const ip6Len = 40

// tellHeader has a raw IPv6 socket tell what the headers said.
func tellHeader(fd int) error {
	return errors.Join(
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVHOPLIMIT, 1),
		unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVTCLASS, 1),
	)
}

// readHeadless reads one packet of a protocol, or returns EAGAIN, and puts an IPv6 header in front of it.
func readHeadless(fd int, buf []byte, protocol uint8) (n int, err error) {
	var beside [128]byte
	var body []byte
	if len(buf) > ip6Len {
		body = buf[ip6Len:]
	}
	n, m, _, from, err := unix.Recvmsg(fd, body, beside[:], 0)
	if err != nil || body == nil {
		return 0, err
	}
	h := buf[:ip6Len]
	clear(h)
	h[0], h[6] = 0x60, protocol
	binary.BigEndian.PutUint16(h[4:], uint16(n))
	if a, ok := from.(*unix.SockaddrInet6); ok {
		copy(h[8:24], a.Addr[:])
	}
	for rest := beside[:m]; len(rest) >= unix.CmsgLen(0); {
		header, data, next, err := unix.ParseOneSocketControlMessage(rest)
		if err != nil {
			break
		}
		rest = next
		if header.Level != unix.IPPROTO_IPV6 {
			continue
		}
		switch {
		case header.Type == unix.IPV6_PKTINFO && len(data) >= 16:
			copy(h[24:40], data[:16])
		case header.Type == unix.IPV6_HOPLIMIT && len(data) >= 4:
			h[7] = uint8(binary.NativeEndian.Uint32(data))
		case header.Type == unix.IPV6_TCLASS && len(data) >= 4:
			class := uint8(binary.NativeEndian.Uint32(data))
			h[0], h[1] = h[0]|class>>4, class<<4
		}
	}
	return ip6Len + n, nil
}
