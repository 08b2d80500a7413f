package underlay

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// setMACs gives a neighbour one MAC after another, each an event, and returns the last.
func (h *host) setMACs(addr net.IP, count int) (mac [6]byte) {
	h.t.Helper()
	n := netlink.Neigh{LinkIndex: h.index("u0"), Family: unix.AF_INET, IP: addr, State: unix.NUD_PERMANENT}
	for i := range count {
		mac = [6]byte{2, 0, 0, 0, byte(i >> 8), byte(i)}
		n.HardwareAddr = mac[:]
		h.must(h.nl.NeighSet(&n))
	}
	return mac
}

func TestBurstOfEventsIsBounded(t *testing.T) {
	us, _ := pair(t)
	us.route("u0", "100.64.0.0/16", "10.0.0.2", 0)
	start := time.Now()
	m := us.open(false)
	const remotes = 1000
	for i := range remotes {
		if err := m.Watch(netip.AddrFrom4([4]byte{100, 64, byte(i >> 8), byte(i)})); err != nil {
			t.Fatal(err)
		}
	}
	direct := func(mac [6]byte) bool {
		for _, p := range m.Paths() {
			if p.State != Direct || p.DstMAC != mac {
				return false
			}
		}
		return true
	}
	await(t, m, "all direct", func() bool { p := m.Paths(); return len(p) == remotes && direct(p[0].DstMAC) && p[0].State == Direct })
	before := m.Stats()
	if sweeps := uint64(time.Since(start) / sweepGap); before.Routes < remotes || before.Routes > (3+sweeps)*remotes || before.Hops > 100 {
		t.Errorf("%d remotes behind one gateway took %+v", remotes, before)
	}

	start = time.Now()
	mac := us.setMACs(net.IPv4(10, 0, 0, 2), 1000)
	await(t, m, "last mac everywhere", func() bool { return direct(mac) })
	after := m.Stats()
	passes, most := after.Passes-before.Passes, uint64(time.Since(start)/passGap)+2
	if passes > most {
		t.Errorf("%d passes for 1000 neighbour events, at most %d fit", passes, most)
	}
	// Only a sweep, of which each looks up every remote once, may have come between.
	if sweeps := uint64(time.Since(start)/sweepGap) + 1; after.Routes-before.Routes > sweeps*remotes {
		t.Errorf("neighbour events made %d route lookups", after.Routes-before.Routes)
	}
	t.Logf("1000 events in %v: %d passes, %d route lookups, %d neighbour reads, %d asks", time.Since(start), passes,
		after.Routes-before.Routes, after.Hops-before.Hops, after.Asks-before.Asks)

	// A route to few remotes has only those looked up.
	before = m.Stats()
	us.route("u0", "100.64.0.8/31", "10.0.0.2", 1400)
	awaitPath(t, m, "100.64.0.9", "own route", func(p Path) bool { return p.MTU == 1400 })
	after = m.Stats()
	if n := after.Routes - before.Routes; n > 2 && n%remotes > 2 {
		t.Errorf("a route to 2 remotes had %d looked up", n)
	}
	if p, _ := m.Path(netip.MustParseAddr("100.64.0.7")); p.MTU != 1500 {
		t.Errorf("path beside the new route: %+v", p)
	}
}

func TestManyRoutesAtOnceAreAllSeen(t *testing.T) {
	us, _ := pair(t)
	us.route("u0", "100.64.0.0/16", "10.0.0.2", 0)
	m := us.open(false)
	const remotes = 3 * maxPrefixes
	for i := range remotes {
		watch(t, m, netip.AddrFrom4([4]byte{100, 64, 0, byte(i)}).String())
	}
	for i := range remotes {
		us.route("u0", netip.AddrFrom4([4]byte{100, 64, 0, byte(i)}).String()+"/32", "10.0.0.2", 1300+i)
	}
	await(t, m, "every route's mtu", func() bool {
		for i, p := range m.Paths() {
			if p.MTU != min(1300+i, 1500) {
				return false
			}
		}
		return true
	})
}

func TestLostEventsAreReadAgain(t *testing.T) {
	us, _ := pair(t)
	m := us.open(false)
	watch(t, m, "10.0.0.2")
	awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
	m.mu.Lock() // the listener waits here, and its socket runs over
	us.setMACs(net.IPv4(10, 0, 0, 50), 8000)
	mac := us.setMACs(net.IPv4(10, 0, 0, 2), 10)
	us.addr("u0", "10.77.0.1/24")
	m.mu.Unlock()
	awaitPath(t, m, "10.0.0.2", "new mac", func(p Path) bool { return p.State == Direct && p.DstMAC == mac })
	await(t, m, "new address", func() bool { return len(m.Link().Addrs) == 2 })
	await(t, m, "overrun counted", func() bool { return m.Stats().Overruns > 0 })
}
