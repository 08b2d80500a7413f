package underlay

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPathOf(t *testing.T) {
	up := Link{Name: "u0", Up: true, Admin: true, MTU: 1500, Sources: Sources{Four: netip.MustParseAddr("10.0.0.1")}}
	remote, gateway := netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.254")
	group := netip.MustParseAddr("239.129.2.3")
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	onLink := route{known: true, kind: unix.RTN_UNICAST}
	via := route{known: true, kind: unix.RTN_UNICAST, gateway: gateway, mtu: 1400}
	in := func(state uint16) neighbour { return neighbour{present: true, state: state, mac: mac} }
	for _, c := range []struct {
		name    string
		link    Link
		remote  netip.Addr
		route   route
		n       neighbour
		trouble string
		want    Path // Reason: a part of it
	}{
		{"gone", Link{Name: "u0", Gone: true}, remote, onLink, in(unix.NUD_REACHABLE), "", Path{State: LinkDown, Reason: "u0 is gone"}},
		{"down", Link{Name: "u0"}, remote, onLink, in(unix.NUD_REACHABLE), "", Path{State: LinkDown, Reason: "ip link set u0 up"}},
		{"no carrier", Link{Name: "u0", Admin: true}, group, onLink, neighbour{}, "", Path{State: LinkDown, Reason: "no carrier"}},
		{"not asked", up, remote, route{}, neighbour{}, "", Path{State: Resolving, Reason: "not looked up"}},
		{"group", up, group, onLink, neighbour{}, "", Path{State: Direct, MTU: 1500, DstMAC: [6]byte{1, 0, 0x5e, 1, 2, 3}}},
		{"group without route", up, group, route{known: true, err: "none"}, neighbour{}, "", Path{State: Direct, MTU: 1500, DstMAC: [6]byte{1, 0, 0x5e, 1, 2, 3}}},
		{"no source", Link{Name: "u0", Up: true, Sources: Sources{no4: "no address"}}, group, onLink, neighbour{}, "", Path{State: NoRoute, Reason: "no address"}},
		{"refused", up, remote, route{known: true, err: "no route"}, neighbour{}, "", Path{State: NoRoute, Reason: "no route"}},
		{"own", up, remote, route{known: true, kind: unix.RTN_LOCAL}, neighbour{}, "", Path{State: NoRoute, Reason: "of this host"}},
		{"blackhole", up, remote, route{known: true, kind: unix.RTN_BLACKHOLE}, neighbour{}, "", Path{State: NoRoute, Reason: "is a blackhole"}},
		{"IPv6 router", up, remote, route{known: true, kind: unix.RTN_UNICAST, gateway: netip.MustParseAddr("fe80::1")}, neighbour{}, "", Path{State: NoRoute, Reason: "fe80::1: an IPv6"}},
		{"missing", up, remote, onLink, neighbour{}, "", Path{State: Resolving, NextHop: remote, MTU: 1500, Reason: "waiting for 10.0.0.2"}},
		{"incomplete", up, remote, via, neighbour{present: true, state: unix.NUD_INCOMPLETE}, "", Path{State: Resolving, Gateway: gateway, NextHop: gateway, MTU: 1400, Reason: "waiting for 10.0.0.254"}},
		{"reachable", up, remote, via, in(unix.NUD_REACHABLE), "", Path{State: Direct, Gateway: gateway, NextHop: gateway, MTU: 1400, DstMAC: mac}},
		{"stale", up, remote, onLink, in(unix.NUD_STALE), "", Path{State: Direct, NextHop: remote, MTU: 1500, DstMAC: mac}},
		{"delay", up, remote, onLink, in(unix.NUD_DELAY), "", Path{State: Direct, NextHop: remote, MTU: 1500, DstMAC: mac}},
		{"probe", up, remote, onLink, in(unix.NUD_PROBE), "", Path{State: Direct, NextHop: remote, MTU: 1500, DstMAC: mac}},
		{"permanent", up, remote, onLink, in(unix.NUD_PERMANENT), "", Path{State: Direct, NextHop: remote, MTU: 1500, DstMAC: mac}},
		{"noarp", up, remote, onLink, in(unix.NUD_NOARP), "", Path{State: Direct, NextHop: remote, MTU: 1500, DstMAC: mac}},
		{"failed", up, remote, onLink, in(unix.NUD_FAILED), "", Path{State: Failed, NextHop: remote, MTU: 1500, Reason: "10.0.0.2 does not answer"}},
		{"gateway failed", up, remote, via, in(unix.NUD_FAILED), "", Path{State: Failed, Gateway: gateway, NextHop: gateway, MTU: 1400, Reason: "gateway 10.0.0.254 does not"}},
		{"assumed failed", up, remote, route{known: true, kind: unix.RTN_UNICAST, assumed: true}, in(unix.NUD_FAILED), "", Path{State: NoRoute, NextHop: remote, MTU: 1500, Reason: "no route to 10.0.0.2"}},
		{"trouble", up, remote, onLink, neighbour{}, "table full", Path{State: Resolving, NextHop: remote, MTU: 1500, Reason: "table full"}},
		{"route above link", up, remote, route{known: true, kind: unix.RTN_UNICAST, mtu: 9000}, in(unix.NUD_STALE), "", Path{State: Direct, NextHop: remote, MTU: 1500, DstMAC: mac}},
	} {
		got := pathOf(c.link, c.remote, c.route, c.n, c.trouble)
		if (got.Reason == "") != (got.State == Direct) || !strings.Contains(got.Reason, c.want.Reason) {
			t.Errorf("%s: reason %q, want %q", c.name, got.Reason, c.want.Reason)
		}
		c.want.Remote, got.Reason, c.want.Reason = c.remote, "", ""
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestStateNames(t *testing.T) {
	for s, want := range map[State]string{Resolving: "resolving", Direct: "direct", Failed: "failed", NoRoute: "no-route", LinkDown: "link-down", 99: "state 99"} {
		if s.String() != want {
			t.Errorf("state %d is %q, want %q", uint8(s), s, want)
		}
	}
}

func TestEntriesOfOthers(t *testing.T) {
	for _, c := range []struct {
		n     neighbour
		fixed bool
	}{
		{neighbour{}, false},
		{neighbour{present: true, state: unix.NUD_STALE}, false},
		{neighbour{present: true, state: unix.NUD_FAILED, ext: ntfExtManaged, flags: unix.NTF_EXT_LEARNED}, false},
		{neighbour{present: true, state: unix.NUD_PERMANENT}, true},
		{neighbour{present: true, state: unix.NUD_NOARP}, true},
		{neighbour{present: true, state: unix.NUD_STALE, ext: ntfExtValidated}, true},
	} {
		if c.n.fixed() != c.fixed {
			t.Errorf("%+v: fixed is %v", c.n, !c.fixed)
		}
	}
}
