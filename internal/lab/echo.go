package lab

import (
	"bytes"
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

// pinger is one run of Ping. Sender and receiver share what mu guards.
type pinger struct {
	opts           PingOptions
	request, reply byte          // ICMP types
	ipv4           bool          // replies come with their IPv4 header
	id             uint16        // random: other pings on the host have their own
	payload        []byte        // random, the same in every request
	all, refused   chan struct{} // closed by the last reply that is due, and by the first error
	mu             sync.Mutex
	sent           []time.Time // by sequence number
	answered       []bool
	res            PingResult
}

func newPinger(dst netip.Addr, opts PingOptions) *pinger {
	p := &pinger{opts: opts, request: 128, reply: 129, payload: make([]byte, opts.Size), all: make(chan struct{}), refused: make(chan struct{})} // RFC 4443 section 4
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
			p.fail(fmt.Errorf("send echo request %d: %w", seq, err))
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
			p.fail(fmt.Errorf("receive echo reply: %w", err))
		} else {
			p.match(buf[:n], now)
		}
		p.mu.Unlock()
	}
}

// fail notes an error down. p.mu is held.
func (p *pinger) fail(err error) {
	if p.res.Errors = append(p.res.Errors, err); len(p.res.Errors) == 1 {
		close(p.refused)
	}
}

// await waits for what is still due when all requests are sent.
func (p *pinger) await(ctx context.Context) error {
	end, refused := time.After(p.opts.Timeout), p.refused
	if !p.opts.Refused {
		refused = nil
	}
	for {
		select {
		case <-refused:
			end, refused = time.After(time.Second), nil
		case <-p.all:
			return nil
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
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
