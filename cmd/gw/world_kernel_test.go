package main

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

// newBeside is newWorld with a kernel VTEP of VNI 43 at the far end, for another one
// beside gw.
func newBeside(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	must(t, w.right.host.KernelVXLAN(lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Remote: under1, Address: "172.17.43.3/24"}))
	return w
}

// beside is the kernel's device on the host of gw.
var beside = lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Local: under1, Remote: under2, Address: "172.17.43.2/24"}

// TestKernelDeviceComesAndGoes has VXLAN devices of the kernel take and leave the port
// while gw runs, one for a VNI and one for all, and neither loses a packet.
func TestKernelDeviceComesAndGoes(t *testing.T) {
	t.Parallel()
	w := newBeside(t)
	a := w.left.host
	ours := stream(t, a, peerAddress, 10*time.Millisecond, 0)
	for range 2 {
		must(t, a.KernelVXLAN(beside))
		answers(t, a, "172.17.43.3")
		pings(t, a, "172.17.43.3")
		must(t, a.DeleteLink("vxlan43"))

		must(t, a.Do(func() error {
			return netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: "any"}, FlowBased: true, Port: 4789, Learning: true})
		}))
		must(t, a.SetUp("any"))
		pings(t, a, peerAddress)
		must(t, a.DeleteLink("any"))
	}
	ours()
	w.goesOn(t, "alone again")

	// The other way round: gw goes and comes back.
	must(t, a.KernelVXLAN(beside))
	answers(t, a, "172.17.43.3")
	// What waits in veth's ring when a program comes or goes is lost (drivers/net/veth.c, veth_napi_del): one packet, where they come
	// so far apart that the ring is gone before the next.
	theirs := stream(t, a, "172.17.43.3", 200*time.Millisecond, 4)
	for range 2 {
		w.g.stop()
		pings(t, a, "172.17.43.3")
		w.start(t)
		pings(t, a, "172.17.43.3")
	}
	theirs()
	w.g.stop()
}

// TestUnderlayRenamed gives the interface another name.
func TestUnderlayRenamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := w.left.host
	ours := stream(t, a, peerAddress, 10*time.Millisecond, 0)
	rename := func() error {
		return netlink.LinkSetName(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "ens18"}}, "wan0")
	}
	err := a.Do(rename)
	if errors.Is(err, unix.EBUSY) { // before Linux 6.2 only what is down is renamed
		ours()
		must(t, a.SetDown("ens18"))
		must(t, a.Do(rename))
		err = a.SetUp("wan0")
	}
	must(t, err)
	eventually(t, func() string {
		if name := w.g.status().Underlay.Name; name != "wan0" {
			return "the status calls the underlay " + name
		}
		return ""
	})
	w.goesOn(t, "renamed")
	ours()
	must(t, w.right.host.SetDown("ens18"))
	w.g.awaitProblem("underlay wan0 is down")
	must(t, w.right.host.SetUp("ens18"))
	w.goesOn(t, "up again under another name")
	w.left.iface = "wan0"
	firstPings(t, w.left, w.right)
	for _, args := range [][]string{{"status"}, {"status", "--iface", "ens18"}, {"status", "--iface", "wan0"}} {
		output(t, a, args...)
	}
	w.g.stop()
}
