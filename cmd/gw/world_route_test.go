package main

import (
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

var (
	anywhere = netip.MustParsePrefix("0.0.0.0/0")
	farUnder = netip.MustParseAddr("10.66.0.188")
	farOnly  = netip.PrefixFrom(farUnder, 32)
	router1  = netip.MustParseAddr("10.65.132.1")
	router2  = netip.MustParseAddr("10.65.132.2")
)

// newRouted is a world whose far end is behind two routers, on a segment of its own;
// its own packets go by the first one.
func newRouted(t *testing.T) *world {
	t.Helper()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	near := []lab.SwitchPort{{Host: a, Link: "ens18"}}
	far := []lab.SwitchPort{{Host: b, Link: "ens18"}}
	var routers []*lab.Host
	for _, name := range []string{"r1", "r2"} {
		r := newHost(t, l, name)
		routers = append(routers, r)
		near, far = append(near, lab.SwitchPort{Host: r, Link: "left"}), append(far, lab.SwitchPort{Host: r, Link: "right"})
	}
	for name, ports := range map[string][]lab.SwitchPort{"near": near, "far": far} {
		_, err := l.Switch(name, ports...)
		must(t, err)
	}
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	must(t, b.AddAddress("ens18", farUnder.String()+"/24"))
	for i, r := range routers {
		must(t, r.SetSysctl("net.ipv4.ip_forward", "1"))
		must(t, r.SetSysctl("net.ipv4.conf.all.rp_filter", "0"))
		must(t, r.AddAddress("left", []netip.Addr{router1, router2}[i].String()+"/24"))
		must(t, r.AddAddress("right", []string{"10.66.0.1/24", "10.66.0.2/24"}[i]))
	}
	must(t, a.AddRoute(lab.Route{Dst: anywhere, Via: router1}))
	must(t, b.AddRoute(lab.Route{Dst: anywhere, Via: netip.MustParseAddr("10.66.0.1")}))
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: peerAddress + "/24"}))
	must(t, a.SetSysctl("net.ipv4.neigh.ens18.retrans_time_ms", "300")) // whoever does not answer ARP is given up soon
	wire, err := b.Capture("ens18", nil)
	must(t, err)
	w := &world{left: end{a, "gw42", over1, "ens18", under1}, right: end{b, "vxlan0", over2, "ens18", farUnder}, wire: wire}
	w.start(t)
	return w
}

// by wants packets to take the way of a router with an MTU.
func (w *world) by(t *testing.T, what string, router netip.Addr, mtu int) {
	t.Helper()
	w.awaitRemote(t, what, func(r control.Remote) bool {
		return r.State == "direct" && r.NextHop == router.String() && r.MTU == mtu
	})
	w.goesOn(t, what)
	right, err := w.left.host.Neighbours("ens18")
	must(t, err)
	for _, n := range right {
		if n.IP.Equal(router.AsSlice()) && n.HardwareAddr.String() != w.remote(t).MAC {
			t.Errorf("%s: packets go to %s, and %s is at %s", what, w.remote(t).MAC, router, n.HardwareAddr)
		}
	}
}

// ipNet is a prefix as package netlink has it.
func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// special makes a route that leads nowhere.
func special(t *testing.T, h *lab.Host, dst netip.Prefix, kind int) (remove func()) {
	t.Helper()
	r := &netlink.Route{Type: kind, Dst: ipNet(dst)}
	must(t, h.Do(func() error { return netlink.RouteAdd(r) }))
	return func() {
		t.Helper()
		must(t, h.Do(func() error { return netlink.RouteDel(r) }))
	}
}

// TestRoutesChange has the way to the far end move, narrow, end and come back.
func TestRoutesChange(t *testing.T) {
	t.Parallel()
	w := newRouted(t)
	a := w.left.host
	w.by(t, "by the default route", router1, 1500)
	must(t, a.AddRoute(lab.Route{Dst: anywhere, Via: router2}))
	w.by(t, "by another router", router2, 1500)

	narrow := lab.Route{Dst: farOnly, Via: router1, MTU: 1400}
	must(t, a.AddRoute(narrow))
	w.by(t, "by a route of its own", router1, 1400)
	tooLarge(t, [2]end{w.left, w.right}, 1350-28+1)
	ping(t, w.left, w.right, lab.PingOptions{Size: 1350 - 28, DontFragment: true})
	must(t, a.DeleteRoute(narrow))
	w.by(t, "by the default route again", router2, 1500)

	for name, kind := range map[string]int{"a blackhole": unix.RTN_BLACKHOLE, "of type unreachable": unix.RTN_UNREACHABLE, "of type prohibit": unix.RTN_PROHIBIT} {
		remove := special(t, a, farOnly, kind)
		w.g.awaitProblem("remote 10.66.0.188 is no-route: no route to 10.66.0.188 from 10.65.132.187 through ens18: the route is " + name)
		w.nothingSent(t)
		remove()
		w.by(t, "without the route that is "+name, router2, 1500)
	}

	// Without any route the kernel takes the remote to be on the link, and asks there.
	must(t, a.DeleteRoute(lab.Route{Dst: anywhere, Via: router2}))
	w.g.awaitProblem("remote 10.66.0.188 is no-route: no route to 10.66.0.188 through ens18, and nobody on the link answers ARP for it")
	w.nothingSent(t)
	must(t, a.AddRoute(lab.Route{Dst: anywhere, Via: router2}))
	w.by(t, "with a default route again", router2, 1500)

	const table = 100
	must(t, a.Do(func() error {
		return netlink.RouteAdd(&netlink.Route{Table: table, Dst: ipNet(anywhere), Gw: router1.AsSlice()})
	}))
	rule := netlink.NewRule()
	rule.Priority, rule.Table, rule.Src = 1000, table, ipNet(netip.PrefixFrom(under1, 32))
	must(t, a.Do(func() error { return netlink.RuleAdd(rule) }))
	w.by(t, "by a rule", router1, 1500)
	must(t, a.Do(func() error { return netlink.RuleDel(rule) }))
	w.by(t, "without the rule", router2, 1500)
	w.g.stop()
}
