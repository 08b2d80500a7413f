package underlay

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

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
		eventually(t, "managed after "+step.name+" up", func() bool { return us.neigh("u0", "10.0.0.2").managed() })
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
	awaitPath(t, m, "10.0.0.2", "without source, which the reason names", func(p Path) bool {
		return p.State == NoRoute && strings.Contains(p.Reason, "local address 10.0.0.1 is on no interface")
	})
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
