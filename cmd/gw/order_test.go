package main

import (
	"encoding/binary"
	"fmt"
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

	ended, late := make(chan struct{}), 0
	go func() {
		defer close(ended)
		late = ascending(t, server)
	}()
	var sent uint64
	changes := 0
	for part := range uint64(5) { // a busy machine takes its time for all of it
		eventually(t, func() string {
			must(t, left.host.FlushNeighbours(left.iface))
			changes++
			for range 2000 {
				sent++
				_, err := client.Write(binary.BigEndian.AppendUint64(nil, sent))
				must(t, err)
			}
			if by, _, _ := verdicts(g.status()); by["to_kernel"] < 1000*(part+1) || by["to_remote"] < 4000*(part+1) {
				return fmt.Sprintf("the traffic did not change its way often enough in %d times: %v", changes, by)
			}
			return ""
		})
	}
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
	if late > farLate(changes) {
		t.Errorf("%d numbers came behind greater ones, in %d changes of the way", late, changes)
	}
	checkVerdicts(t, g)
	g.stop()
}

// endOfFlow marks the last number of a flow.
const endOfFlow = 1 << 63

// farLate is how often a flow to a VTEP of the kernel may be out of order while its way changes so often: what gw has
// sent through the kernel is received on another queue there than what it sends itself, and a CPU that is kept from its
// work for longer than the direct way waits (linger in dataplane/slowrun.go) lets it fall behind. Order that was not kept
// by gw would be so each time that the way changes.
func farLate(changes int) int { return max(1, changes/10) }

// ascending reads numbers until the last one, and returns how many came behind a greater one.
func ascending(t *testing.T, server *net.UDPConn) (late int) {
	buf, before := make([]byte, 64), uint64(0)
	for {
		server.SetReadDeadline(time.Now().Add(2 * patience))
		n, err := server.Read(buf)
		if err != nil || n != 8 {
			t.Errorf("read %d bytes after number %d: %v", n, before, err)
			return late
		}
		number := binary.BigEndian.Uint64(buf)
		if number <= before {
			t.Logf("number %d came after %d, at %v", number, before, server.LocalAddr())
			late++
		}
		if before = number; number >= endOfFlow {
			return late
		}
	}
}
