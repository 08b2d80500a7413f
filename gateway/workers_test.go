package gateway

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"vxgw/netdev"
)

// TestPortUp takes a port to be up as soon as it has a carrier, and not before.
func TestPortUp(t *testing.T) {
	const carrier = unix.IFF_UP | unix.IFF_LOWER_UP
	for _, c := range []struct {
		name  string
		flags uint32
		up    bool
	}{
		{"settled", carrier | unix.IFF_RUNNING, true},
		{"carrier not acted upon", carrier, true},
		{"carrier loss not acted upon", unix.IFF_UP | unix.IFF_RUNNING, false},
		{"waiting for leave", carrier | unix.IFF_DORMANT, false},
		{"no carrier", unix.IFF_UP, false},
		{"set down", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &port{iface: &iface{info: netdev.Info{Index: 7, Name: "veth1"}}, up: !c.up, mtu: 1500}
			g := newGateway(nil, slog.New(slog.DiscardHandler))
			g.ports = []*port{p}
			u := netlink.LinkUpdate{
				IfInfomsg: nl.IfInfomsg{IfInfomsg: unix.IfInfomsg{Index: 7, Flags: c.flags}},
				Header:    unix.NlMsghdr{Type: unix.RTM_NEWLINK},
				Link:      &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 7, MTU: 1500}},
			}
			if !g.portChanged(u) || p.up != c.up {
				t.Errorf("up %v, want %v", p.up, c.up)
			}
			if g.portChanged(u) {
				t.Error("the same state is news")
			}
		})
	}
}

// A port that leaves a Linux bridge is still there, whatever the bridge says of it.
func TestPortLeavesBridge(t *testing.T) {
	p := &port{iface: &iface{info: netdev.Info{Index: 7, Name: "veth1"}}, up: true, mtu: 1500}
	g := newGateway(nil, slog.New(slog.DiscardHandler))
	g.ports = []*port{p}
	g.steward.links[7] = linkState{up: true, mtu: 1500}
	for _, kind := range []uint16{unix.RTM_NEWLINK, unix.RTM_DELLINK} {
		u := netlink.LinkUpdate{
			IfInfomsg: nl.IfInfomsg{IfInfomsg: unix.IfInfomsg{Family: unix.AF_BRIDGE, Index: 7}},
			Header:    unix.NlMsghdr{Type: kind},
			Link:      &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: 7, MTU: 1400}},
		}
		if g.portChanged(u) || g.deviceChanged(u) || p.gone.Load() || !p.up {
			t.Errorf("after message %d: gone %v, up %v", kind, p.gone.Load(), p.up)
		}
		if now := g.steward.links[7]; now != (linkState{up: true, mtu: 1500}) {
			t.Errorf("after message %d the state is %+v", kind, now)
		}
	}
}

// However many parts fail at once, and although nobody asks for their errors, each ends.
func TestManyFail(t *testing.T) {
	g := newGateway(nil, slog.New(slog.DiscardHandler))
	first := errors.New("first")
	<-g.run("part", func() error { return first })
	for range 2 * cap(g.failed) {
		select {
		case <-g.run("part", func() error { return errors.New("another") }):
		case <-time.After(20 * time.Second):
			t.Fatal("a part that failed does not end")
		}
	}
	if err := <-g.Failed(); !errors.Is(err, first) {
		t.Errorf("the first error is %v", err)
	}
}
