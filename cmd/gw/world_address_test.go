package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// leavesFrom waits until the status has another outer source, wants traffic to go on,
// and all packets from then on to come from there.
func (w *world) leavesFrom(t *testing.T, what, addr string) {
	t.Helper()
	eventually(t, func() string {
		if local := w.g.status().Underlay.Local; local != addr {
			return what + ": the outer source is still " + local
		}
		return ""
	})
	before := w.heard(t)
	w.goesOn(t, what)
	sent := w.sent(t, before)
	for _, p := range sent {
		if p.src != netip.MustParseAddr(addr) {
			t.Fatalf("%s: a packet from %s, want %s", what, p.src, addr)
		}
	}
	if len(sent) == 0 {
		t.Errorf("%s: no packets", what)
	}
}

// TestAddressChanges has the outer source be whatever the underlay has.
func TestAddressChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--remote", "10.65.132.200")
	a := w.left.host
	nobody := func() {
		t.Helper()
		must(t, a.SetNeighbour("ens18", netip.MustParseAddr("10.65.132.200"), net.HardwareAddr{2, 0, 0, 0, 2, 0}))
	}
	nobody()
	must(t, a.SetSysctl("net.ipv4.conf.ens18.promote_secondaries", "1"))
	w.leavesFrom(t, "at first", "10.65.132.187")
	must(t, a.AddAddress("ens18", "10.65.132.197/24"))
	w.leavesFrom(t, "with a secondary address", "10.65.132.187")
	must(t, a.DeleteAddress("ens18", "10.65.132.187/24"))
	w.leavesFrom(t, "without the primary address", "10.65.132.197")

	must(t, a.DeleteAddress("ens18", "10.65.132.197/24"))
	w.g.awaitProblem("underlay ens18: nothing is sent: ens18 has no global IPv4 address (ip address add ADDRESS/LEN dev ens18, or --local)")
	w.nothingSent(t)
	eventually(t, func() string {
		by, _, _ := verdicts(w.g.status())
		if by["no_route"] == 0 {
			return fmt.Sprintf("frames without a source have other verdicts: %v", by)
		}
		return ""
	})
	if n := len(w.g.status().Problems); n != 1 {
		t.Errorf("%d problems, want one for all remotes: %q", n, w.g.status().Problems)
	}
	if text := output(t, a, "status"); !strings.Contains(text, "underlay -:4789") {
		t.Errorf("the status does not show that there is no address:\n%s", text)
	}
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	w.leavesFrom(t, "with an address again", "10.65.132.187")

	// As ifdown(8) and ifup(8) do it.
	must(t, a.DeleteAddress("ens18", "10.65.132.187/24"))
	must(t, a.SetDown("ens18"))
	w.g.awaitProblem("underlay ens18 is down")
	must(t, a.SetUp("ens18"))
	nobody() // who went with the link
	must(t, a.AddAddress("ens18", "10.65.132.190/24"))
	w.leavesFrom(t, "down, and up with another address", "10.65.132.190")
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	must(t, a.DeleteAddress("ens18", "10.65.132.190/24"))
	w.leavesFrom(t, "the first address", "10.65.132.187")

	// A remote becomes this host itself.
	must(t, a.AddAddress("ens18", "10.65.132.200/24"))
	w.g.awaitProblem("remote 10.65.132.200 is no-route: 10.65.132.200 is an address of this host")
	must(t, a.DeleteAddress("ens18", "10.65.132.187/24"))
	eventually(t, func() string {
		if local := w.g.status().Underlay.Local; local != "10.65.132.200" {
			return "the outer source is " + local
		}
		return ""
	})
	answers(t, a, peerAddress)
	_, stderr, status := runGW(t, a, "fdb", "append", "00:00:00:00:00:00", "dev", "gw42", "dst", "10.65.132.200")
	if status == 0 || !strings.Contains(stderr, "is the local address") {
		t.Errorf("its own address as a remote: exit status %d: %s", status, stderr)
	}
	w.g.stop()
}

// TestLocalTakenAway has a source that was asked for. The kernel's device with `local`
// finds no route without it, whatever else the underlay has.
func TestLocalTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "--local", "10.65.132.187")
	a := w.left.host
	must(t, a.AddAddress("ens18", "10.7.0.1/24"))
	w.leavesFrom(t, "beside another address", "10.65.132.187")
	must(t, a.DeleteAddress("ens18", "10.65.132.187/24"))
	w.g.awaitProblem("underlay ens18: nothing is sent: local address 10.65.132.187 is on no interface of this host (ip address add 10.65.132.187/LEN dev ens18)")
	w.nothingSent(t)
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	w.leavesFrom(t, "back", "10.65.132.187")
	w.g.stop()
}
