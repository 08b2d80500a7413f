package underlay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
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
	want := Link{Name: "u0", Up: true, Admin: true, MAC: us.mac("u0"), MTU: 1500, Addrs: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}}
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

func TestGratuitousARPShowsNewMAC(t *testing.T) {
	us, peer := pair(t)
	m := us.open(false)
	watch(t, m, "10.0.0.2")
	awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
	peer.sysctl("net/ipv4/conf/p0/arp_notify", "1")
	peer.must(peer.nl.LinkSetHardwareAddr(peer.link("p0"), net.HardwareAddr{2, 0, 0, 0, 0xbe, 0xef}))
	awaitPath(t, m, "10.0.0.2", "new mac", func(p Path) bool { return p.State == Direct && p.DstMAC == [6]byte{2, 0, 0, 0, 0xbe, 0xef} })
}

func TestDeletedNeighbourIsAskedForAgain(t *testing.T) {
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			us, peer := pair(t)
			m := us.open(plain)
			watch(t, m, "10.0.0.2")
			awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
			for range 3 {
				peer.silent("p0", true)
				us.must(us.nl.NeighDel(&netlink.Neigh{LinkIndex: us.index("u0"), IP: net.IPv4(10, 0, 0, 2), Family: unix.AF_INET}))
				p := awaitPath(t, m, "10.0.0.2", "not direct", func(p Path) bool { return p.State != Direct })
				if p.State != Resolving && p.State != Failed || p.Reason == "" || p.DstMAC != [6]byte{} {
					t.Errorf("path of a deleted neighbour: %+v", p)
				}
				peer.silent("p0", false)
				awaitPath(t, m, "10.0.0.2", "direct again", inState(Direct))
			}
			if got := us.neigh("u0", "10.0.0.2").managed(); got == plain {
				t.Errorf("managed %v with plain %v", got, plain)
			}
			if got := len(m.Managed()) == 0; got != plain {
				t.Errorf("marks %v with plain %v", m.Managed(), plain)
			}
		})
	}
}

func TestSilentRemoteFailsWithReason(t *testing.T) {
	us, peer := pair(t)
	us.route("u0", "192.0.2.0/24", "10.0.0.8", 0)
	m := us.open(false)
	watch(t, m, "10.0.0.9", "192.0.2.1", "203.0.113.1", "10.0.0.1", "10.0.0.255")
	for addr, want := range map[string]struct {
		state  State
		reason string
	}{
		"10.0.0.9":    {Failed, "10.0.0.9 does not answer ARP on u0"},
		"192.0.2.1":   {Failed, "gateway 10.0.0.8 does not answer ARP on u0"},
		"203.0.113.1": {NoRoute, "no route to 203.0.113.1 through u0"},
		"10.0.0.1":    {NoRoute, "10.0.0.1 is an address of this host"},
		"10.0.0.255":  {NoRoute, "10.0.0.255 is a broadcast address"},
	} {
		p := awaitPath(t, m, addr, "unreachable", inState(want.state))
		if !strings.HasPrefix(p.Reason, want.reason) {
			t.Errorf("%s: reason %q, want %q", addr, p.Reason, want.reason)
		}
	}
	// The kernel takes what has no route to be on the link; so it is when somebody answers there.
	peer.addr("p0", "203.0.113.1/32")
	awaitPath(t, m, "203.0.113.1", "answered on the link", inState(Direct))
	peer.addr("p0", "10.0.0.9/24")
	awaitPath(t, m, "10.0.0.9", "appeared", inState(Direct))
}

func TestLinkDownAndUp(t *testing.T) {
	us, peer := pair(t)
	m := us.open(false)
	watch(t, m, "10.0.0.2", "239.1.1.1")
	for _, step := range []struct {
		name     string
		down, up func()
		reason   string
	}{
		{"carrier", func() { peer.down("p0") }, func() { peer.up("p0") }, "u0 has no carrier"},
		{"admin", func() { us.down("u0") }, func() { us.up("u0") }, "u0 is down (ip link set u0 up)"},
	} {
		awaitPath(t, m, "10.0.0.2", "direct before "+step.name, inState(Direct))
		step.down()
		for _, addr := range []string{"10.0.0.2", "239.1.1.1"} {
			p := awaitPath(t, m, addr, step.name+" down", inState(LinkDown))
			if p.Reason != step.reason || p.DstMAC != [6]byte{} {
				t.Errorf("%s down: %+v, want reason %q", step.name, p, step.reason)
			}
		}
		if m.Link().Up {
			t.Errorf("%s down: link still up", step.name)
		}
		step.up()
		awaitPath(t, m, "239.1.1.1", "direct after "+step.name, inState(Direct))
		awaitPath(t, m, "10.0.0.2", "direct after "+step.name, inState(Direct))
		await(t, m, "marked after "+step.name, func() bool { return len(m.Managed()) == 1 })
		if !us.neigh("u0", "10.0.0.2").managed() {
			t.Errorf("not managed after %s up", step.name)
		}
	}
	us.must(us.nl.LinkDel(us.link("u0")))
	p := awaitPath(t, m, "10.0.0.2", "gone", func(p Path) bool { return p.Reason == "u0 is gone" })
	if p.State != LinkDown || !m.Link().Gone {
		t.Errorf("after deletion: path %+v, link %+v", p, m.Link())
	}
}

func TestAddressChange(t *testing.T) {
	us, _ := pair(t)
	us.addr("u0", "10.9.9.9/24")
	m := us.open(false)
	watch(t, m, "10.0.0.2")
	awaitPath(t, m, "10.0.0.2", "direct", inState(Direct))
	us.delAddr("u0", "10.0.0.1/24")
	p := awaitPath(t, m, "10.0.0.2", "without source", inState(NoRoute))
	if !strings.Contains(p.Reason, "u0 has no address 10.0.0.1") {
		t.Errorf("reason %q does not name the lost source", p.Reason)
	}
	if got := m.Link().Addrs; !slices.Equal(got, []netip.Prefix{netip.MustParsePrefix("10.9.9.9/24")}) {
		t.Errorf("addresses %v", got)
	}
	us.addr("u0", "10.0.0.1/24")
	awaitPath(t, m, "10.0.0.2", "with source again", inState(Direct))
}

func TestMTU(t *testing.T) {
	us, peer := pair(t)
	far := newHost(t)
	cable(peer, far, "p1", "f0")
	peer.addr("p1", "192.0.2.2/24")
	far.addr("f0", "192.0.2.1/24")
	peer.must(peer.nl.LinkSetMTU(peer.link("p1"), 1280))
	peer.sysctl("net/ipv4/ip_forward", "1")
	us.route("u0", "192.0.2.0/24", "10.0.0.2", 0)
	m := us.open(false)
	watch(t, m, "10.0.0.2", "192.0.2.1", "239.1.1.1")
	mtu := func(want int) func(Path) bool {
		return func(p Path) bool { return p.State == Direct && p.MTU == want }
	}
	awaitPath(t, m, "192.0.2.1", "link mtu", mtu(1500))

	// A path MTU that the kernel learned from the router.
	us.do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		to := &unix.SockaddrInet4{Port: 9, Addr: [4]byte{192, 0, 2, 1}}
		if err := errors.Join(unix.Connect(fd, to), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO)); err != nil {
			return err
		}
		for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if got, _ := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MTU); got == 1280 {
				return nil
			}
			_ = unix.Send(fd, make([]byte, 1400), 0)
		}
		return errors.New("the kernel learned no path mtu")
	})
	us.must(us.nl.RuleAdd(func() *netlink.Rule { r := netlink.NewRule(); r.Priority, r.Table = 100, 100; return r }())) // any event that has all routes looked up
	awaitPath(t, m, "192.0.2.1", "path mtu", mtu(1280))

	us.must(us.nl.LinkSetMTU(us.link("u0"), 1270))
	awaitPath(t, m, "10.0.0.2", "smaller link", mtu(1270))
	awaitPath(t, m, "239.1.1.1", "smaller link", mtu(1270))
	if m.Link().MTU != 1270 {
		t.Errorf("link mtu %d", m.Link().MTU)
	}
	us.route("u0", "10.0.0.2/32", "", 1260)
	awaitPath(t, m, "10.0.0.2", "route mtu", mtu(1260))
}

func TestFixedAndForeignEntriesUntouched(t *testing.T) {
	us, _ := pair(t)
	index := us.index("u0")
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	for i, n := range []netlink.Neigh{
		{State: unix.NUD_PERMANENT},
		{State: unix.NUD_NOARP},
		{State: unix.NUD_REACHABLE, FlagsExt: ntfExtManaged},
		{State: unix.NUD_REACHABLE, Flags: unix.NTF_EXT_LEARNED},
	} {
		n.LinkIndex, n.Family, n.IP, n.HardwareAddr = index, unix.AF_INET, net.IPv4(10, 0, 0, byte(11+i)), mac
		us.must(us.nl.NeighSet(&n))
	}
	addrs := []string{"10.0.0.11", "10.0.0.12", "10.0.0.13", "10.0.0.14"}
	read := func() (list []neighbour) {
		for _, a := range addrs {
			n := us.neigh("u0", a)
			if !n.fixed() {
				n.state = 0 // moves on by itself, as nobody answers
			}
			list = append(list, n)
		}
		return list
	}
	before := read()
	m := us.open(false)
	watch(t, m, addrs...)
	for _, a := range addrs[:2] {
		if p := awaitPath(t, m, a, "direct", inState(Direct)); p.DstMAC != [6]byte(mac) {
			t.Errorf("%s: %+v", a, p)
		}
	}
	await(t, m, "marked", func() bool { return slices.Equal(m.Managed(), []netip.Addr{netip.MustParseAddr("10.0.0.14")}) })
	same := cmp.AllowUnexported(neighbour{})
	addr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
	during := slices.Clone(before)
	during[3].ext |= ntfExtManaged
	if diff := cmp.Diff(during, read(), same, addr); diff != "" {
		t.Errorf("entries while watched (-want +got):\n%s", diff)
	}
	us.must(us.nl.NeighSet(&netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, State: unix.NUD_PERMANENT, IP: net.IPv4(10, 0, 0, 14), HardwareAddr: mac}))
	await(t, m, "mark given up", func() bool { return len(m.Managed()) == 0 })
	before[3] = us.neigh("u0", "10.0.0.14")
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Fatal(err)
	}
	us.do(func() error {
		return ClearManaged(index, []netip.Addr{netip.MustParseAddr("10.0.0.11"), netip.MustParseAddr("10.0.0.77")})
	})
	if diff := cmp.Diff(before, read(), same, addr); diff != "" {
		t.Errorf("entries after close (-want +got):\n%s", diff)
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
		if n := us.neigh("u0", addr); !n.present || n.managed() {
			t.Errorf("%s after close: %+v, want present and not managed", addr, n)
		}
	}
	eventually(t, "goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
	if len(m.Managed()) != 0 || len(m.Paths()) != 3 {
		t.Errorf("after close: managed %v, paths %v", m.Managed(), m.Paths())
	}
}

func TestClearManagedAfterKill(t *testing.T) {
	us, _ := pair(t)
	index := us.index("u0")
	us.must(us.nl.NeighSet(&netlink.Neigh{LinkIndex: index, Family: unix.AF_INET, IP: net.IPv4(10, 0, 0, 2), Flags: unix.NTF_USE, FlagsExt: ntfExtManaged}))
	if !us.neigh("u0", "10.0.0.2").managed() {
		t.Fatal("entry was not made")
	}
	us.do(func() error { return ClearManaged(index, []netip.Addr{netip.MustParseAddr("10.0.0.2")}) })
	if n := us.neigh("u0", "10.0.0.2"); !n.present || n.managed() {
		t.Errorf("after clean-up: %+v", n)
	}
	us.do(func() error {
		if err := ClearManaged(index, []netip.Addr{netip.MustParseAddr("fd00::1")}); !errors.Is(err, errIPv6) {
			return fmt.Errorf("clear of an IPv6 neighbour: %v", err)
		}
		return ClearManaged(4711, []netip.Addr{netip.MustParseAddr("10.0.0.2")})
	})
}

func TestRefusals(t *testing.T) {
	us, _ := pair(t)
	index := us.index("u0")
	us.up("lo")
	us.do(func() error {
		for name, cfg := range map[string]Config{
			"IPv6 underlay is not supported": {Ifindex: index, Local: netip.MustParseAddr("fd00::1")},
			"no outer source address":        {Ifindex: index},
			"no such device":                 {Ifindex: 4711, Local: netip.MustParseAddr("10.0.0.1")},
			"not an Ethernet interface":      {Ifindex: 1, Local: netip.MustParseAddr("10.0.0.1")},
		} {
			if m, err := Open(cfg); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("open %+v: %v, %v; want %q", cfg, m, err, name)
			}
		}
		if a, err := FirstGlobal(index); err != nil || a != netip.MustParseAddr("10.0.0.1") {
			t.Errorf("first global address %v, %v", a, err)
		}
		if a, err := FirstGlobal(1); err == nil || !strings.Contains(err.Error(), "ip address add ADDRESS/LEN dev lo, or --local") {
			t.Errorf("first global address of lo: %v, %v", a, err)
		}
		if _, err := FirstGlobal(4711); !errors.Is(err, unix.ENODEV) {
			t.Errorf("first global address of nothing: %v", err)
		}
		return nil
	})
	m := us.open(false)
	for _, addr := range []netip.Addr{{}, netip.MustParseAddr("fd00::2"), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("255.255.255.255")} {
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
