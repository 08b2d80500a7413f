package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// A link that goes down loses its global addresses of IPv6, and an interface whose MTU is too small loses all of IPv6, groups too.
// Traffic goes on when they are back.
func TestUnderlay6ComesBack(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	g, left := s.gw(t, 0, "--group", group6.String())
	right := s.kernel(t, 1, lab.VXLANConfig{Group: group6})
	resolve(t, left, right)
	h := s.hosts[0]
	from := func(local string) {
		t.Helper()
		eventually(t, func() string {
			if locals := g.status().Underlay.Locals; !slices.Contains(locals, local) {
				return fmt.Sprintf("local addresses %q, not %s", locals, local)
			}
			return ""
		})
	}
	goesOn := func(what string) {
		t.Helper()
		begin := time.Now()
		answers(t, h, over2.String())
		soon(t, what, time.Since(begin), goesOn)
		g.awaitHealth()
		must(t, right.host.FlushNeighbours(right.dev))
		answers(t, right.host, over1.String()) // by the group, which is joined again
		resolve(t, right, left)
	}
	must(t, h.SetDown("ens18"))
	g.awaitProblem("underlay ens18 is down")
	must(t, h.SetUp("ens18"))
	// The link-local address comes back by itself, and serves groups until there is a better one.
	must(t, h.AddAddress("ens18", six1.String()+"/64"))
	from(six1.String())
	goesOn("down and up")

	must(t, h.SetMTU("ens18", 1200))
	g.awaitProblem("underlay ens18: nothing is sent: ens18 has no global IPv6 address (ip address add ADDRESS/LEN dev ens18, or --local)")
	must(t, h.SetMTU("ens18", 1500))
	must(t, h.AddAddress("ens18", six1.String()+"/64"))
	from(six1.String())
	goesOn("with IPv6 again")

	must(t, h.DeleteAddress("ens18", six1.String()+"/64"))
	must(t, h.AddAddress("ens18", "2001:db8:65::200/64"))
	from("2001:db8:65::200")
	goesOn("with another address")
	g.stop()
}

// Routes of IPv6 are followed: over a router, whose address is link-local, with an MTU of their own, and to nowhere.
func TestRoutes6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	far := netip.MustParseAddr("2001:db8:99::1")
	h, peer := s.hosts[0], s.hosts[1]
	must(t, peer.AddAddress("lo", far.String()+"/128"))
	right := s.kernel(t, 1, lab.VXLANConfig{Remote: six1, Local: far})
	right.under = far
	g := start(t, h, on("--remote", far.String(), "--address", over1.String()+"/24")...)
	remote := func(what string, ok func(state, hop, reason string, mtu int) bool) {
		t.Helper()
		eventually(t, func() string {
			for _, r := range g.status().Remotes {
				if r.Address == far.String() && ok(r.State, r.NextHop, r.Reason, r.MTU) {
					return ""
				}
			}
			return fmt.Sprintf("%s: %+v", what, g.status().Remotes)
		})
	}
	remote("without a route", func(state, _, reason string, _ int) bool {
		return state == "no-route" && strings.Contains(reason, "no route to 2001:db8:99::1 from 2001:db8:65::187 through ens18")
	})
	via := linkLocal(t, peer)
	route := lab.Route{Dst: netip.PrefixFrom(far, 128), Via: via, Dev: "ens18"}
	must(t, h.AddRoute(route))
	remote("with a route", func(state, _, _ string, _ int) bool { return state != "no-route" })
	resolve(t, s.end(0, "gw42"), right)
	remote("by a router", func(state, hop, _ string, mtu int) bool {
		return state == "direct" && hop == via.String() && mtu == 1500
	})
	route.MTU = 1400
	must(t, h.AddRoute(route))
	remote("with an MTU", func(state, _, _ string, mtu int) bool { return state == "direct" && mtu == 1400 })
	tooLarge(t, [2]end{s.end(0, "gw42"), right}, 1400-70-28+15)
	ping(t, s.end(0, "gw42"), right, lab.PingOptions{Size: 1400 - 56 - 14 - 28, DontFragment: true})
	g.stop()
}

// An address whose duplicate address detection is under way is waited for, and one that another host has is refused with words.
func TestDuplicateAddress6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	h := s.hosts[0]
	must(t, h.SetSysctl("net.ipv6.conf.ens18.accept_dad", "1"))
	must(t, h.SetSysctl("net.ipv6.conf.ens18.dad_transmits", "1"))
	must(t, h.SetSysctl("net.ipv6.conf.all.accept_dad", "1"))
	add := func(address string) {
		must(t, h.DeleteAddress("ens18", six1.String()+"/64"))
		must(t, h.Do(func() error {
			link, err := netlink.LinkByName("ens18")
			if err != nil {
				return err
			}
			a, err := netlink.ParseAddr(address + "/64")
			if err != nil {
				return err
			}
			return netlink.AddrAdd(link, a)
		}))
	}
	add("2001:db8:65::187")
	g := start(t, h, on("--remote", six2.String())...)
	if locals := g.status().Underlay.Locals; locals[0] != six1.String() {
		t.Errorf("local addresses %q", locals)
	}
	g.stop()
	add(six2.String())
	_, stderr, status := runGW(t, h, on("--remote", six3.String(), "--local", six2.String())...)
	if want := "another host on the link has 2001:db8:65::188: duplicate address detection failed"; status != 2 || !strings.Contains(stderr, want) {
		t.Errorf("exit status %d: %s, want %q", status, stderr, want)
	}
}

// The words of gw fdb, gw remote and gw vni take addresses of IPv6, link-local ones with and without their zone.
func TestVerbs6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	h := s.hosts[0]
	g := start(t, h, on("--local", "2001:db8:65::187", "--address", over1.String()+"/24")...)
	output(t, h, "fdb", "append", "00:00:00:00:00:00", "dev", "gw42", "dst", six2.String())
	output(t, h, "fdb", "add", "02:00:00:00:77:01", "dev", "gw42", "dst", six3.String())
	output(t, h, "fdb", "replace", "02:00:00:00:77:01", "dev", "gw42", "dst", "2001:db8:65:0::189")
	output(t, h, "vni", "add", "43", "--group", group6.String(), "--no-device")
	g.awaitFDB("00:00:00:00:00:00 dev gw42 dst 2001:db8:65::188 via ens18 self permanent",
		"02:00:00:00:77:01 dev gw42 dst 2001:db8:65::189 self permanent",
		"00:00:00:00:00:00 dev gw43 dst ff05::100 via ens18 self permanent")
	if text := output(t, h, "fdb", "get", "02:00:00:00:77:01", "dev", "gw42"); !strings.Contains(text, "dst 2001:db8:65::189") {
		t.Errorf("gw fdb get: %s", text)
	}
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"remote add 2001:db8:65::187 --vni 42", 2, "is the local address"},
		{"remote add fe80::2 --vni 42", 2, "is link-local, and the local address 2001:db8:65::187 is not"},
		{"remote add ::1 --vni 42", 2, "is a loopback address"},
		{"remote add ff05::7 --vni 42", 2, "is multicast (give it as group)"},
		{"remote add 2001:db8:65::188 --vni 42", 1, "is a remote of vni 42 already"},
	} {
		if _, stderr, status := runGW(t, h, strings.Fields(c.args)...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("gw %s: exit status %d: %s, want %q", c.args, status, stderr, c.want)
		}
	}
	output(t, h, "fdb", "flush", "dev", "gw42", "dst", six3.String())
	output(t, h, "remote", "del", six2.String(), "--vni", "42")
	output(t, h, "vni", "del", "43")
	if have := g.fdb(); len(have) != 1 {
		t.Errorf("left: %q", have)
	}
	g.stop()

	// Without a local address that says otherwise, both scopes at once.
	g = start(t, h, on("--address", over1.String()+"/24", "--remote", six2.String())...)
	output(t, h, "remote", "add", "fe80::2%ens18", "--vni", "42")
	g.awaitFDB("00:00:00:00:00:00 dev gw42 dst fe80::2 via ens18 self permanent")
	if _, stderr, status := runGW(t, h, "remote", "add", "fe80::3%lo", "--vni", "42"); status != 2 || !strings.Contains(stderr, "is on the link of lo, and the underlay is ens18") {
		t.Errorf("a remote on another link: exit status %d: %s", status, stderr)
	}
	output(t, h, "remote", "del", "fe80::2%ens18", "--vni", "42")
	g.stop()
}

// What a killed gateway left of IPv6 is put back by gw cleanup: the kernel keeps no neighbour resolved for it.
func TestKilled6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	right := s.kernel(t, 1, lab.VXLANConfig{Remote: six1})
	h := s.hosts[0]
	before := dump(t, h)
	managed := func() (n int) {
		neighs, err := h.Neighbours("ens18")
		must(t, err)
		for _, one := range neighs {
			if one.FlagsExt&netlink.NTF_EXT_MANAGED != 0 && one.IP.Equal(six2.AsSlice()) {
				n++
			}
		}
		return n
	}
	g, left := s.gw(t, 0, "--remote", six2.String())
	ping(t, left, right, lab.PingOptions{})
	eventually(t, func() string {
		if managed() == 0 {
			return "no neighbour is kept resolved"
		}
		return ""
	})
	g.end(unix.SIGKILL)
	if managed() != 1 {
		t.Error("the killed gateway's neighbour is not kept resolved any more by itself")
	}
	_, stderr, status := runGW(t, h, "cleanup", "--iface", "ens18")
	if status != 0 {
		t.Errorf("gw cleanup: exit status %d: %s", status, stderr)
	}
	if managed() != 0 {
		t.Error("a neighbour is still kept resolved")
	}
	clean(t, before, h)
}
