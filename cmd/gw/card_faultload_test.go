//go:build vmlab

package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// load is datagrams from one host to another, each with its number and a checksum, some at a time for as long as they
// arrive. Those that get lost are not sent again: it goes on without them.
type load struct {
	name             string
	at               *lab.Host
	in, out          net.PacketConn
	to               net.Addr
	burst, ahead     int          // datagrams at once, and not arrived, at most
	sent, lost       atomic.Int64 // or tried to send
	received         atomic.Int64
	doubled, damaged atomic.Int64
	seen             []uint8 // by number
	quit             chan struct{}
	done             sync.WaitGroup
}

const (
	loadPause  = 5 * time.Millisecond   // between bursts
	loadGiveUp = 100 * time.Millisecond // without an arrival: what is under way is lost
	loadMost   = 1 << 22                // datagrams
	loadSize   = 1000                   // bytes of payload of the largest
)

// newLoad has datagrams go from one host to an address of another until stop.
func newLoad(t *testing.T, from, to *lab.Host, addr string, burst, ahead int) *load {
	t.Helper()
	l := &load{name: from.Name() + " to " + to.Name(), at: to, burst: burst, ahead: ahead, seen: make([]uint8, loadMost), quit: make(chan struct{})}
	must(t, to.Do(func() (err error) {
		l.in, err = net.ListenPacket("udp4", addr+":0")
		return err
	}))
	t.Cleanup(func() { l.in.Close() })
	must(t, l.in.(*net.UDPConn).SetReadBuffer(4<<20))
	must(t, from.Do(func() (err error) {
		l.out, err = net.ListenPacket("udp4", ":0")
		return err
	}))
	t.Cleanup(func() { l.out.Close() })
	l.to = l.in.LocalAddr()
	l.done.Go(l.send)
	go l.receive()
	t.Cleanup(l.end)
	return l
}

func (l *load) send() {
	payload := make([]byte, loadSize)
	last, since := int64(0), time.Now()
	for n := int64(0); n < loadMost; {
		select {
		case <-l.quit:
			return
		case <-time.After(loadPause):
		}
		if got := l.received.Load(); got != last {
			last, since = got, time.Now()
		} else if time.Since(since) > loadGiveUp {
			l.lost.Store(n - got)
			since = time.Now()
		}
		_ = l.out.SetWriteDeadline(time.Now().Add(loadPause)) // some cards hold the sender up when the other end is full
		for i := 0; i < l.burst && n < loadMost && n-l.received.Load()-l.lost.Load() < int64(l.ahead); i++ {
			size := 16 + int(n*37)%(loadSize-15)
			fill(payload[:size], n)
			_, _ = l.out.WriteTo(payload[:size], l.to) // what is on the way is taken away meanwhile
			n++
			l.sent.Store(n)
		}
	}
}

// fill makes datagram number n: the number, what follows from it, a checksum.
func fill(b []byte, n int64) {
	binary.BigEndian.PutUint64(b, uint64(n))
	for i := 8; i < len(b)-4; i++ {
		b[i] = byte(int(n)*7 + i)
	}
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.ChecksumIEEE(b[:len(b)-4]))
}

func (l *load) receive() {
	b := make([]byte, 1<<16)
	for {
		size, _, err := l.in.ReadFrom(b)
		if err != nil {
			return // closed
		}
		n := uint64(1 << 63)
		if size >= 16 {
			n = binary.BigEndian.Uint64(b)
		}
		switch {
		case n >= loadMost || size != 16+int(n*37)%(loadSize-15) || binary.BigEndian.Uint32(b[size-4:]) != crc32.ChecksumIEEE(b[:size-4]):
			l.damaged.Add(1)
		case l.seen[n] > 0:
			l.doubled.Add(1)
		default:
			l.seen[n] = 1
			l.received.Add(1)
		}
	}
}

// end ends the sending.
func (l *load) end() {
	select {
	case <-l.quit:
	default:
		close(l.quit)
	}
	l.done.Wait()
}

func (l *load) String() string {
	return fmt.Sprintf("%s: sent %d, received %d, doubled %d, damaged %d", l.name, l.sent.Load(), l.received.Load(), l.doubled.Load(), l.damaged.Load())
}

// loads are several of them.
type loads []*load

// goOn waits until some more of each have arrived, and wants none twice, and none damaged.
func (all loads) goOn(t *testing.T, what string) {
	t.Helper()
	for _, l := range all {
		from := l.received.Load()
		eventually(t, func() string {
			if l.received.Load() >= from+100 {
				return ""
			}
			return what + ": traffic does not go on: " + l.String()
		})
		if l.doubled.Load()+l.damaged.Load() > 0 {
			t.Errorf("%s: %s", what, l)
		}
	}
}

// stop ends them.
func (all loads) stop(t *testing.T) {
	t.Helper()
	for _, l := range all {
		l.end()
	}
	for _, l := range all {
		if l.doubled.Load()+l.damaged.Load() > 0 {
			t.Error(l)
		}
		rightChecksums(t, l.at)
	}
}
