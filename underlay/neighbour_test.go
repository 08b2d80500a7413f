package underlay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

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

func TestFixedAndForeignEntriesUntouched(t *testing.T) {
	us, _ := pair(t)
	us.sysctl("net/ipv4/neigh/u0/base_reachable_time_ms", "3600000") // nor is anybody asked meanwhile
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
		if err := ClearManaged(index, []netip.Addr{netip.MustParseAddr("fd00::1")}); err != nil {
			return fmt.Errorf("clear of an IPv6 neighbour that is not there: %v", err)
		}
		return ClearManaged(4711, []netip.Addr{netip.MustParseAddr("10.0.0.2")})
	})
}
