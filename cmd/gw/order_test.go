package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// A flow keeps its order while its packets change between the way through the
// kernel and the direct one, over and over.
func TestOrderAcrossSlowPath(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	g, left := s.gw(t, 0, "--remote", under2.String())
	right := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
	resolve(t, left, right)

	var server *net.UDPConn
	must(t, right.host.Do(func() (err error) {
		server, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(right.addr, 0)))
		return err
	}))
	defer server.Close()
	var client net.Conn
	must(t, left.host.Do(func() (err error) {
		client, err = net.Dial("udp", server.LocalAddr().String())
		return err
	}))
	defer client.Close()

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ascending(t, server, farLate)
	}()
	var sent uint64
	eventually(t, func() string {
		must(t, left.host.FlushNeighbours(left.iface))
		for range 2000 {
			sent++
			_, err := client.Write(binary.BigEndian.AppendUint64(nil, sent))
			must(t, err)
		}
		if by, _, _ := verdicts(g.status()); by["to_kernel"] < 5000 || by["to_remote"] < 20000 {
			return "the traffic did not change its way often enough"
		}
		return ""
	})
	// The last one is repeated until it is there: any may be lost, where an entry
	// is forgotten that packets wait for.
	for done := false; !done; {
		client.Write(binary.BigEndian.AppendUint64(nil, sent|endOfFlow))
		select {
		case <-ended:
			done = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	checkVerdicts(t, g)
	g.stop()
}

// endOfFlow marks the last number of a flow.
const endOfFlow = 1 << 63

// farLate is how often a flow to a VTEP of the kernel may be out of order: what gw has sent through the kernel is received
// on another queue there than what it sends itself, and a CPU that is kept from its work for longer than
// the direct way waits (grace in dataplane/slowrun.go) lets it fall behind. Order that was not kept by gw would be so
// each time that the way changes.
const farLate = 1

// ascending reads numbers until the last one and wants each to be greater than the
// one before, but for so many that came late with what followed them.
func ascending(t *testing.T, server *net.UDPConn, late int) {
	buf, before := make([]byte, 64), uint64(0)
	for {
		server.SetReadDeadline(time.Now().Add(2 * patience))
		n, err := server.Read(buf)
		if err != nil || n != 8 {
			t.Errorf("read %d bytes after number %d: %v", n, before, err)
			return
		}
		number := binary.BigEndian.Uint64(buf)
		if number <= before {
			if late--; late < 0 {
				t.Errorf("number %d came after %d, at %v", number, before, server.LocalAddr())
			}
		}
		if before = number; number >= endOfFlow {
			return
		}
	}
}
