package lab

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The flow: openPing makes a raw socket connected to the destination. Ping sends Count requests at their times while
// one goroutine reads: match recognises our replies, and the last one due ends the wait.

// PingOptions say how to ping. The zero value sends one request and waits for a second.
type PingOptions struct {
	Count        int           // requests, at most 65536; 0: 1
	Interval     time.Duration // between requests; 0: 100 ms
	Timeout      time.Duration // for the last reply after the last request; 0: 1 s
	Size         int           // bytes of ICMP payload, as `ping -s` has it; 0: 56
	DontFragment bool          // set DF and never fragment; too big for the path's MTU is an error in PingResult.Errors
	Device       string        // bind to this link; needed for a link-local destination
	Refused      bool          // an error is what Timeout is for; behind the first one replies have a second
}

// PingResult tells what came back.
type PingResult struct {
	Sent, Received int
	Duplicates     int             // further replies to a request that had one; not in Received
	Corrupt        int             // replies to us whose payload differs from what was sent; not in Received
	RTTs           []time.Duration // of the replies received, in order of arrival
	Errors         []error         // what the kernel said while sending or receiving (ICMP errors come back so), in order
}

// Ping sends ICMP echo requests from the host to a unicast address and collects the replies, IPv4 and IPv6. Lost
// replies are no error: compare Sent and Received. The error says that pinging was not possible at all, or that ctx
// ended.
func (h *Host) Ping(ctx context.Context, dst netip.Addr, opts PingOptions) (PingResult, error) {
	opts.Count = cmp.Or(opts.Count, 1)
	opts.Interval = cmp.Or(opts.Interval, 100*time.Millisecond)
	opts.Timeout = cmp.Or(opts.Timeout, time.Second)
	opts.Size = cmp.Or(opts.Size, 56)
	if opts.Count < 0 || opts.Count > 1<<16 || opts.Size < 0 || opts.Interval < 0 {
		return PingResult{}, fmt.Errorf("ping %s from %s: count, size or interval out of range", dst, h.name)
	}
	sock, err := h.openPing(dst, opts)
	if err != nil {
		return PingResult{}, fmt.Errorf("ping %s from %s: %w", dst, h.name, err)
	}
	defer sock.Close()

	p := newPinger(dst, opts)
	var wg sync.WaitGroup
	wg.Go(func() { p.receive(sock) })
	err = p.send(ctx, sock)
	if err == nil {
		err = p.await(ctx)
	}
	sock.Close() // ends receive
	wg.Wait()
	if err != nil {
		return p.res, fmt.Errorf("ping %s from %s: %w", dst, h.name, err)
	}
	return p.res, nil
}

// openPing returns a raw ICMP socket of the host that sends to dst and hears from dst.
func (h *Host) openPing(dst netip.Addr, opts PingOptions) (*os.File, error) {
	family, proto := unix.AF_INET, unix.IPPROTO_ICMP
	if dst.Is6() {
		family, proto = unix.AF_INET6, unix.IPPROTO_ICMPV6
	}
	var fd int
	err := h.Do(func() (err error) {
		fd, err = unix.Socket(family, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open icmp socket: %w", err)
	}
	if err := h.setUpPing(fd, dst, opts); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "icmp"), nil
}

func (h *Host) setUpPing(fd int, dst netip.Addr, opts PingOptions) error {
	level, option, discover := unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_WANT
	if dst.Is6() {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER
	}
	if opts.DontFragment {
		discover = unix.IP_PMTUDISC_DO // the IPv6 constants have the same values
	}
	if err := unix.SetsockoptInt(fd, level, option, discover); err != nil {
		return fmt.Errorf("set path mtu discovery: %w", err)
	}
	var zone uint32
	if opts.Device != "" {
		l, err := h.Link(opts.Device)
		if err != nil {
			return err
		}
		zone = uint32(l.Attrs().Index)
		if err := unix.BindToDevice(fd, opts.Device); err != nil {
			return fmt.Errorf("bind to %s: %w", opts.Device, err)
		}
	}
	var to unix.Sockaddr = &unix.SockaddrInet6{Addr: dst.As16(), ZoneId: zone}
	if dst.Is4() {
		to = &unix.SockaddrInet4{Addr: dst.As4()}
	}
	if err := unix.Connect(fd, to); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}
