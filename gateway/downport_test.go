package gateway

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/dataplane"
)

// A frame that the kernel does not take, since the port is down, does not keep its worker
// awake, and leaves when the port is up again, in order.
func TestFrameWaitsForPort(t *testing.T) {
	b := newBedWith(t, (*Gateway).steps) // no steward yet: workers do not hear that the port is down
	from, tap := packetSocket(t, b.remote, "ens18", 0), packetSocket(t, b.container, "veth0", unix.ETH_P_ALL)
	must(t, unix.SetsockoptInt(tap, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1))
	must(t, b.host.SetDown("veth1"))
	send(t, from, b.packet(frame(0xff, 9, 61)))
	b.await("the frame is given to the port", func() bool { return b.copies(dataplane.ToPort) == 1 })
	sleeps := func() uint64 { return b.g.plane.Workers()[0].Counters.Sleeps.Load() }
	b.await("the worker rests", func() bool {
		before := sleeps()
		time.Sleep(50 * dataplane.RetryMillis * time.Millisecond)
		return sleeps() == before
	})

	must(t, b.host.SetUp("veth1"))
	must(t, b.host.Do(b.g.startSteward))
	for _, want := range []int{61, 62} {
		if want == 62 {
			// The steward hears first that the port was down, and drops what comes meanwhile. What comes behind that tells the end.
			must(t, b.host.SetMTU("veth1", 1440))
			b.await("workers know that the port is up", func() bool {
				p := b.g.plane.Snapshot().Ports[0]
				return p.MTU == 1440 && p.Up
			})
			send(t, from, b.packet(frame(0xff, 9, 62)))
		}
		b.await("the frame comes out of the port", func() bool {
			var buf [2048]byte
			n, _, err := unix.Recvfrom(tap, buf[:], unix.MSG_DONTWAIT)
			ours := err == nil && n > 14 && buf[12] == 0x88 && buf[13] == 0xb5
			if ours && n != want {
				t.Fatalf("a frame of %d bytes came, want %d", n, want)
			}
			return ours
		})
	}
}

// copies is how many copies of frames had verdict v.
func (b *bed) copies(v dataplane.Verdict) uint64 {
	return b.g.plane.Workers()[0].Counters.Copies[v].Load()
}
