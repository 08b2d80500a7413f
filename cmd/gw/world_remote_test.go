package main

import (
	"fmt"
	"net"
	"testing"
	"time"

	"vxgw/control"
	"vxgw/internal/lab"
)

// TestRemoteGoneAndBack takes the far end's interface away, with its VTEP, and gives
// it another one with another hardware address. There is no carrier to lose: gw finds
// out by ARP.
func TestRemoteGoneAndBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	s, err := l.Switch("switch", lab.SwitchPort{Host: a, Link: "ens18"})
	must(t, err)
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	// The kernel's times, which are minutes for who was heard of a moment ago. There are enough probes for a far end that gets no
	// CPU for a while: it is asked twice a second.
	for key, value := range map[string]string{
		"base_reachable_time_ms": "500", "delay_first_probe_time": "0", "retrans_time_ms": "300", "interval_probe_time_ms": "500",
		"ucast_solicit": "10", "mcast_solicit": "10",
	} {
		must(t, a.SetSysctl("net.ipv4.neigh.ens18."+key, value))
	}
	inner := net.HardwareAddr{2, 0, 0, 0, 3, 1} // of the far end on the overlay, which stays
	arrive := func() {
		must(t, s.Connect(lab.SwitchPort{Host: b, Link: "ens18"}))
		must(t, b.AddAddress("ens18", "10.65.132.188/24"))
		must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: peerAddress + "/24", MAC: inner}))
	}
	arrive()
	w := &world{left: end{a, "gw42", over1, "ens18", under1}, right: end{b, "vxlan0", over2, "ens18", under2}}
	w.start(t)
	for range 2 {
		old := w.remote(t).MAC
		must(t, b.DeleteLink("vxlan0"))
		must(t, b.DeleteLink("ens18"))
		w.g.awaitProblem("remote 10.65.132.188 is failed: 10.65.132.188 does not answer ARP on ens18")
		arrive()
		begin := time.Now()
		w.awaitRemote(t, "back with another MAC", func(r control.Remote) bool { return r.State == "direct" && r.MAC != old })
		w.goesOn(t, "back")
		soon(t, "back", time.Since(begin), goesOn)
	}
	w.g.stop()
}

// TestMTUChanges narrows and widens the underlay while TCP goes over it. gw42 follows; the kernel's device would not.
func TestMTUChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.left.host
	finish := longTransfer(t, a, w.right.host, peerAddress, 7001)
	under := func(mtu int) {
		t.Helper()
		must(t, a.SetMTU("ens18", mtu))
		w.awaitRemote(t, "another MTU", func(r control.Remote) bool { return r.State == "direct" && r.MTU == mtu })
		if s := w.g.status(); s.Underlay.MTU != mtu {
			t.Errorf("the underlay's MTU is %d in the status, not %d", s.Underlay.MTU, mtu)
		}
		w.awaitMTU(t, mtu-50)
	}
	ends := [2]end{w.left, w.right}
	for _, mtu := range []int{1300, 1400, 1200} {
		under(mtu)
		must(t, a.SetSysctl("net.ipv4.route.flush", "1")) // what was learned before
		tooLarge(t, ends, mtu-50-28+1)
		ping(t, w.left, w.right, lab.PingOptions{Size: mtu - 50 - 28, DontFragment: true})
	}
	finish()
	must(t, w.right.host.SetMTU("ens18", 1300))
	must(t, w.right.host.SetMTU("ens18", 1500))
	if mtu := w.right.mtu(t); mtu != 1450 {
		t.Errorf("the kernel's device has an MTU of %d now", mtu)
	}
	under(1500)
	if mtu := w.left.mtu(t); mtu != 1450 {
		t.Errorf("gw42 has an MTU of %d now", mtu)
	}
	must(t, a.SetSysctl("net.ipv4.route.flush", "1"))
	fullMTU(t, w.left, w.right)
	w.g.stop()
}

// TestPortMTUChanges narrows and widens a bridged port.
func TestPortMTUChanges(t *testing.T) {
	t.Parallel()
	h, peer, _ := newTriangle(t)
	g := start(t, h, everything()...)
	pings(t, peer, guestAddress)
	port := func(mtu int) {
		t.Helper()
		must(t, h.SetMTU("veth1", mtu))
		eventually(t, func() string {
			for _, p := range g.status().Ports {
				if p.Name == "veth1" && p.MTU == mtu {
					return ""
				}
			}
			return "the status has another MTU for veth1"
		})
	}
	size := lab.PingOptions{Size: 1400, Timeout: answerTime}
	from, to := end{host: peer}, end{addr: mustAddr(guestAddress)}
	port(1300)
	r, err := peer.Ping(testContext(t), to.addr, size)
	must(t, err)
	if r.Received != 0 {
		t.Errorf("a frame too big for the port: %+v", r)
	}
	eventually(t, func() string {
		s := g.status()
		if by, _, _ := verdicts(s); by["too_big"] == 0 {
			return fmt.Sprintf("a frame too big for the port: verdicts %v", by)
		}
		return ""
	})
	port(1450)
	to.host = h
	ping(t, from, to, size)
	g.stop()
}
