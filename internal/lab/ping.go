package lab

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
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
}

// PingResult tells what came back.
type PingResult struct {
	Sent, Received int
	Duplicates     int             // further replies to a request that had one; not in Received
	Corrupt        int             // replies to us whose payload differs from what was sent; not in Received
	RTTs           []time.Duration // of the replies received, in order of arrival
	Errors         []error         // what the kernel said while sending or receiving (ICMP errors come back so), in order
}

// Ping sends ICMP echo requests from the host to a unicast address and collects the replies, IPv4 and IPv6. Lost replies are no error: compare Sent
// and Received. The error says that pinging was not possible at all, or that ctx ended.
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
		select {
		case <-p.all:
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(opts.Timeout):
		}
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

// pinger is one run of Ping. Sender and receiver share what mu guards.
type pinger struct {
	opts           PingOptions
	request, reply byte   // ICMP types
	ipv4           bool   // replies come with their IPv4 header
	id             uint16 // random: other pings on the host have their own
	payload        []byte // random, the same in every request
	all            chan struct{}
	mu             sync.Mutex
	sent           []time.Time // by sequence number
	answered       []bool
	res            PingResult
}

func newPinger(dst netip.Addr, opts PingOptions) *pinger {
	p := &pinger{opts: opts, request: 128, reply: 129, payload: make([]byte, opts.Size), all: make(chan struct{})} // RFC 4443 section 4
	if dst.Is4() {
		p.request, p.reply, p.ipv4 = 8, 0, true // RFC 792
	}
	var id [2]byte
	rand.Read(id[:])
	p.id = binary.BigEndian.Uint16(id[:])
	rand.Read(p.payload)
	return p
}

// send writes the requests, each at its time.
func (p *pinger) send(ctx context.Context, sock *os.File) error {
	tick := time.NewTicker(p.opts.Interval)
	defer tick.Stop()
	for seq := range p.opts.Count {
		if seq > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p.mu.Lock()
		p.sent = append(p.sent, time.Now())
		p.answered = append(p.answered, false)
		p.res.Sent++
		p.mu.Unlock()
		if _, err := sock.Write(p.echo(uint16(seq))); err != nil {
			p.mu.Lock()
			p.res.Errors = append(p.res.Errors, fmt.Errorf("send echo request %d: %w", seq, err))
			p.mu.Unlock()
		}
	}
	return nil
}

// echo builds a request. The kernel completes the checksum of ICMPv6, not that of ICMP.
func (p *pinger) echo(seq uint16) []byte {
	b := make([]byte, 8, 8+len(p.payload))
	b[0] = p.request
	binary.BigEndian.PutUint16(b[4:], p.id)
	binary.BigEndian.PutUint16(b[6:], seq)
	b = append(b, p.payload...)
	if p.ipv4 {
		binary.BigEndian.PutUint16(b[2:], icmpChecksum(b))
	}
	return b
}

// icmpChecksum is the internet checksum (RFC 1071) of b.
func icmpChecksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	if len(b)%2 == 1 {
		sum += uint32(b[len(b)-1]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// receive reads until the socket is closed and counts what is ours.
func (p *pinger) receive(sock *os.File) {
	buf := make([]byte, 1<<16)
	for {
		n, err := sock.Read(buf)
		var icmp unix.Errno // an ICMP error that the kernel reports once; anything else is the end
		if err != nil && !errors.As(err, &icmp) {
			return
		}
		now := time.Now()
		p.mu.Lock()
		if err != nil {
			p.res.Errors = append(p.res.Errors, fmt.Errorf("receive echo reply: %w", err))
		} else {
			p.match(buf[:n], now)
		}
		p.mu.Unlock()
	}
}

// match counts b if it answers one of our requests. p.mu is held.
func (p *pinger) match(b []byte, now time.Time) {
	if p.ipv4 {
		if len(b) < 20 || len(b) < int(b[0]&15)*4 {
			return
		}
		b = b[int(b[0]&15)*4:]
	}
	if len(b) < 8 || b[0] != p.reply || binary.BigEndian.Uint16(b[4:]) != p.id {
		return
	}
	seq := int(binary.BigEndian.Uint16(b[6:]))
	switch {
	case seq >= len(p.sent):
	case !bytes.Equal(b[8:], p.payload):
		p.res.Corrupt++
	case p.answered[seq]:
		p.res.Duplicates++
	default:
		p.answered[seq] = true
		p.res.Received++
		p.res.RTTs = append(p.res.RTTs, now.Sub(p.sent[seq]))
		if p.res.Received == p.opts.Count {
			close(p.all)
		}
	}
}
