package gateway

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/vxlan"
)

// Over real sockets: random frames from both sides, some in fragments, flooding, drops,
// links that go down and up. Afterwards each frame has one owner, and each packet
// received has one verdict.
func TestFramesSurviveLinkFlaps(t *testing.T) {
	b := newBed(t)
	b.direct()
	rnd := rand.New(rand.NewPCG(7, 8))
	port := packetSocket(t, b.container, "veth0", 0)
	wire := packetSocket(t, b.remote, "ens18", 0)
	for i := range 60_000 {
		b.keepUp(i)
		f := frame(byte([]int{0xff, 1, 2, 3}[rnd.IntN(4)]), byte(1+rnd.IntN(3)), 14+rnd.IntN(1400))
		send(t, port, f)
		switch p := b.packet(f); rnd.IntN(5) {
		case 0, 1:
			send(t, wire, p[:14+rnd.IntN(len(p)-13)])
		case 2:
			for _, piece := range fragments(p, uint16(i), 8*(1+rnd.IntN((len(p)-35)/8))) {
				send(t, wire, piece)
			}
		default:
			send(t, wire, p)
		}
		if i%15_000 == 7_000 {
			b.flap(i / 15_000)
		}
	}
	b.quiet()
	before := b.verdict(dataplane.ToRemote) + b.verdict(dataplane.Flooded)
	b.await("traffic goes on after the flaps", func() bool {
		send(t, port, frame(0xff, 1, 60))
		return b.verdict(dataplane.ToRemote)+b.verdict(dataplane.Flooded) > before
	})
	b.quiet()
	b.balanced(5_000)
}

// balanced closes the gateway: each packet received has one verdict, and they were some; each frame comes back, once.
func (b *bed) balanced(some uint64) {
	t := b.t
	t.Helper()
	s := b.g.Status()
	received, sum, verdicts := judged(&s)
	for end := time.Now().Add(patience); received != sum && time.Now().Before(end); { // a packet may have come between the counts
		time.Sleep(10 * time.Millisecond)
		s = b.g.Status()
		received, sum, verdicts = judged(&s)
	}
	if s.Underlay.Injected.Packets < some/10 {
		t.Errorf("few packets came in fragments: %+v", s.Underlay.Injected)
	}
	if received != sum || received < some {
		t.Errorf("%d packets received, %d verdicts: %v", received, sum, verdicts)
	}

	// Closing takes every frame back, each once.
	total, pool := b.g.plane.Memory.Frames(), b.g.plane.Depot.NewPool()
	b.close()
	back := map[uint64]bool{}
	for addr, ok := pool.Get(); ok; addr, ok = pool.Get() {
		if back[addr] {
			t.Fatalf("frame at %#x came back twice", addr)
		}
		back[addr] = true
	}
	if len(back) != total {
		t.Errorf("%d of %d frames came back", len(back), total)
	}
}

// judged adds up the packets received, and their verdicts.
func judged(s *control.Status) (received, sum uint64, verdicts map[string]uint64) {
	received, verdicts = s.Underlay.Injected.Packets, map[string]uint64{}
	for _, q := range s.Underlay.Queues {
		received += q.RxPackets
	}
	for _, p := range s.Ports {
		for _, q := range p.Queues {
			received += q.RxPackets
		}
	}
	for _, w := range s.Workers {
		for v, n := range w.Verdicts {
			verdicts[v] += n
			sum += n
		}
	}
	return received, sum, verdicts
}

// packet is an inner frame as the remote would send it.
func (b *bed) packet(inner []byte) []byte {
	b.t.Helper()
	return b.packetFrom(remoteAddr, inner)
}

// packetFrom is an inner frame as another VTEP would send it.
func (b *bed) packetFrom(vtep netip.Addr, inner []byte) []byte {
	b.t.Helper()
	link := b.g.mirror.Link()
	tpl, err := vxlan.NewTemplate(vxlan.TemplateConfig{
		SrcMAC: [6]byte{2, 0, 0, 0, 0, 99}, DstMAC: link.MAC, Src: vtep, Dst: netip.MustParseAddr("10.0.0.1"), DstPort: 4789, TTL: 64,
	})
	must(b.t, err)
	p := make([]byte, vxlan.Overhead+len(inner))
	tpl.Put((*[vxlan.Overhead]byte)(p), len(p)-vxlan.Overhead, 42, 0, 1)
	copy(p[vxlan.Overhead:], inner)
	return p
}

func send(t *testing.T, fd int, f []byte) {
	t.Helper()
	_, err := unix.Write(fd, f)
	if err != nil && !errors.Is(err, unix.ENETDOWN) && !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, unix.EINVAL) {
		t.Fatal(err)
	}
}

// flap takes a link down and up again, another one each time.
func (b *bed) flap(i int) {
	b.t.Helper()
	h, link := b.host, "ens18"
	switch i % 3 {
	case 1:
		h, link = b.container, "veth0"
	case 2:
		h, link = b.host, "veth1"
	}
	must(b.t, h.SetDown(link))
	time.Sleep(5 * time.Millisecond)
	must(b.t, h.SetUp(link))
}

// keepUp is called for each packet, or two, that is sent: workers who are kept from their CPUs are waited for before their rings
// are full, else most of what comes behind that is lost.
func (b *bed) keepUp(i int) {
	b.t.Helper()
	if i%800 == 0 && !b.g.plane.Alive(patience) {
		b.t.Fatal("a worker does nothing")
	}
}

// quiet waits until the workers have nothing left to do: each has looked, again and again.
func (b *bed) quiet() {
	b.t.Helper()
	last, looks := uint64(0), 0
	b.await("the workers are idle", func() bool {
		n := uint64(0)
		if !b.g.plane.Alive(patience) {
			return false
		}
		for _, w := range b.g.plane.Workers() {
			n += w.Counters.Rounds.Load()
		}
		if n != last {
			last, looks = n, 0
		}
		looks++
		return looks > 50
	})
}
