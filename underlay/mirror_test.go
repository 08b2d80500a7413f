package underlay

import (
	"errors"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnLinkRemoteResolves(t *testing.T) {
	us, peer := pair(t)
	m := us.open(false)
	watch(t, m, "10.0.0.2", "10.0.0.2", "239.1.2.3")
	p := awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
	remote := netip.MustParseAddr("10.0.0.2")
	if want := (Path{Remote: remote, State: Direct, NextHop: remote, DstMAC: peer.mac("p0"), MTU: 1500}); p != want {
		t.Errorf("path %+v, want %+v", p, want)
	}
	group := awaitPath(t, m, "239.1.2.3", "direct", inState(Direct))
	if want := (Path{Remote: group.Remote, State: Direct, DstMAC: [6]byte{1, 0, 0x5e, 1, 2, 3}, MTU: 1500}); group != want {
		t.Errorf("group %+v, want %+v", group, want)
	}
	await(t, m, "marked", func() bool { return slices.Equal(m.Managed(), []netip.Addr{remote}) })
	if n := us.neigh("u0", "10.0.0.2"); !n.managed() {
		t.Errorf("entry %+v is not managed", n)
	}
	link := m.Link()
	want := Link{Name: "u0", Up: true, Admin: true, MAC: us.mac("u0"), MTU: 1500, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")},
		Own:     []netip.Addr{netip.MustParseAddr("10.0.0.1")},
		Sources: Sources{Four: netip.MustParseAddr("10.0.0.1")}}
	if !link.equal(want) {
		t.Errorf("link %+v, want %+v", link, want)
	}
	if len(m.Paths()) != 2 {
		t.Errorf("paths %+v, want two", m.Paths())
	}
	m.Unwatch(remote)
	if _, ok := m.Path(remote); ok {
		t.Error("path after unwatch")
	}
	await(t, m, "mark gone", func() bool { return len(m.Managed()) == 0 })
	if n := us.neigh("u0", "10.0.0.2"); !n.present || n.managed() {
		t.Errorf("entry after unwatch %+v, want present and not managed", n)
	}
}

func TestGatewaySharedAndReplaced(t *testing.T) {
	us, peer := pair(t)
	peer.addr("p0", "10.0.0.3/24")
	us.route("u0", "192.0.2.0/24", "10.0.0.2", 0)
	m := us.open(false)
	watch(t, m, "192.0.2.1", "192.0.2.2")
	via := func(gateway string) func(Path) bool {
		return func(p Path) bool {
			return p.State == Direct && p.Gateway == netip.MustParseAddr(gateway) && p.NextHop == p.Gateway && p.DstMAC == peer.mac("p0")
		}
	}
	awaitPath(t, m, "192.0.2.1", "direct", via("10.0.0.2"))
	awaitPath(t, m, "192.0.2.2", "direct", via("10.0.0.2"))
	m.Unwatch(netip.MustParseAddr("192.0.2.2"))
	us.route("u0", "198.51.100.0/24", "10.0.0.2", 1400) // a later event: the unwatch was followed
	watch(t, m, "198.51.100.1")
	awaitPath(t, m, "198.51.100.1", "with route mtu", func(p Path) bool { return p.State == Direct && p.MTU == 1400 })
	if !us.neigh("u0", "10.0.0.2").managed() {
		t.Error("mark gone while a remote still uses the next hop")
	}

	us.route("u0", "192.0.2.0/24", "10.0.0.3", 0)
	awaitPath(t, m, "192.0.2.1", "moved", via("10.0.0.3"))
	us.route("u0", "198.51.100.0/24", "10.0.0.3", 1300)
	awaitPath(t, m, "198.51.100.1", "moved", func(p Path) bool { return via("10.0.0.3")(p) && p.MTU == 1300 })
	await(t, m, "marks moved", func() bool { return slices.Equal(m.Managed(), []netip.Addr{netip.MustParseAddr("10.0.0.3")}) })
	if us.neigh("u0", "10.0.0.2").managed() || !us.neigh("u0", "10.0.0.3").managed() {
		t.Error("marks in the kernel did not move with the route")
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	us, peer := pair(t)
	peer.addr("p0", "10.0.0.3/24")
	before := runtime.NumGoroutine()
	m := us.open(false)
	watch(t, m, "10.0.0.2", "10.0.0.3", "10.0.0.99")
	awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
	awaitPath(t, m, "10.0.0.3", "direct", inState(Direct))
	await(t, m, "marked", func() bool { return len(m.Managed()) == 3 })
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"10.0.0.2", "10.0.0.3", "10.0.0.99"} {
		// The kernel forgets one that does not answer when it likes.
		if n := us.neigh("u0", addr); n.managed() || !n.present && addr != "10.0.0.99" {
			t.Errorf("%s after close: %+v, want present and not managed", addr, n)
		}
	}
	eventually(t, "goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
	if len(m.Managed()) != 0 || len(m.Paths()) != 3 {
		t.Errorf("after close: managed %v, paths %v", m.Managed(), m.Paths())
	}
}

func TestRefusals(t *testing.T) {
	us, _ := pair(t)
	index := us.index("u0")
	us.up("lo")
	us.do(func() error {
		for name, cfg := range map[string]Config{
			"are not of the families":   {Ifindex: index, Local: netip.MustParseAddr("fd00::1")},
			"no outer source address":   {Ifindex: index, Local: netip.MustParseAddr("224.1.1.1")},
			"no such device":            {Ifindex: 4711, Local: netip.MustParseAddr("10.0.0.1")},
			"not an Ethernet interface": {Ifindex: 1, Local: netip.MustParseAddr("10.0.0.1")},
		} {
			if m, err := Open(cfg); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("open %+v: %v, %v; want %q", cfg, m, err, name)
			}
		}
		if s, why, err := FindSources(Config{Ifindex: index, Four: true}); err != nil || why != "" || s != (Sources{Four: netip.MustParseAddr("10.0.0.1")}) {
			t.Errorf("first global address %+v, %v", s, err)
		}
		if s, why, err := FindSources(Config{Ifindex: 1, Four: true}); err != nil || s.Four.IsValid() || !strings.Contains(why, "ip address add ADDRESS/LEN dev lo, or --local") {
			t.Errorf("first global address of lo: %+v, %s, %v", s, why, err)
		}
		if _, _, err := FindSources(Config{Ifindex: 4711, Four: true}); !errors.Is(err, unix.ENODEV) {
			t.Errorf("first global address of nothing: %v", err)
		}
		return nil
	})
	m := us.open(false)
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("::"), netip.MustParseAddr("::1"), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("255.255.255.255")} {
		if err := m.Watch(addr); err == nil {
			t.Errorf("watch %v: no error", addr)
		}
	}
	m.Unwatch(netip.MustParseAddr("10.0.0.77"))
	if err := m.Watch(netip.MustParseAddr("::ffff:10.0.0.2")); err != nil {
		t.Errorf("watch a mapped address: %v", err)
	}
	awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
}
