package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// vrfTable is the routing table of the VRF in these tests.
const vrfTable = 100

// vrfWorld is a world whose far end is behind a router.
type vrfWorld struct {
	world
	router *lab.Host
}

// newVRFWorld has what puts the underlay into a VRF, with a default route there. The main table
// leads nowhere then.
func newVRFWorld(t *testing.T) (w *vrfWorld, into func()) {
	t.Helper()
	l := newLab(t)
	a, b, r := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "router")
	must(t, l.Veth(a, "ens18", r, "left", lab.VethOptions{}))
	must(t, l.Veth(b, "ens18", r, "right", lab.VethOptions{}))
	must(t, r.SetSysctl("net.ipv4.ip_forward", "1"))
	must(t, a.AddAddress("ens18", under1.String()+"/24"))
	must(t, r.AddAddress("left", router1.String()+"/24"))
	must(t, r.AddAddress("right", "10.66.0.1/24"))
	must(t, b.AddAddress("ens18", farUnder.String()+"/24"))
	must(t, b.AddRoute(lab.Route{Dst: anywhere, Via: netip.MustParseAddr("10.66.0.1")}))
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: peerAddress + "/24"}))
	wire, err := b.Capture("ens18", nil)
	must(t, err)
	needsDevice(t, a.VRF("red", vrfTable), "VRF")
	w = &vrfWorld{router: r, world: world{left: end{a, "gw42", over1, "ens18", under1}, right: end{b, "vxlan0", over2, "ens18", farUnder}, wire: wire}}
	return w, func() {
		must(t, a.SetMaster("ens18", "red"))
		must(t, a.AddRoute(lab.Route{Dst: anywhere, Via: router1, Table: vrfTable}))
		must(t, a.AddRoute(lab.Route{Dst: anywhere, Forbid: true}))
	}
}

// needsDevice skips a test whose devices the kernel does not know. make vmlab boots kernels that
// do, and there a test that is skipped has failed.
func needsDevice(t *testing.T, err error, what string) {
	t.Helper()
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("this kernel has no %s devices (make vmlab runs the test)", what)
	}
	must(t, err)
}

// The underlay is in a VRF, whose table alone knows the way: by the direct way, through the kernel
// for the first ping, in fragments, and to a group.
func TestVRF(t *testing.T) {
	t.Parallel()
	w, into := newVRFWorld(t)
	into()
	w.start(t)
	if s := w.g.status().Underlay; s.VRF != "red" {
		t.Errorf("the status has VRF %q", s.VRF)
	}
	if text := output(t, w.left.host, "status"); !strings.Contains(text, ":4789 in VRF red") {
		t.Errorf("gw status does not say it:\n%s", text)
	}
	direct := func(r control.Remote) bool { return r.State == "direct" && r.NextHop == router1.String() }
	w.awaitRemote(t, "at first", direct)
	converse(t, w.left, w.right)
	bulk(t, w.left, w.right)

	// What arrives in fragments comes by way of the kernel.
	before := w.g.status().Underlay.Injected.Packets
	link, err := w.left.host.MAC("ens18")
	must(t, err)
	tap, err := w.left.host.Capture("gw42", func(f lab.Frame) bool { return bytes.Equal(f.Data[6:12], farMAC) })
	must(t, err)
	inner := named(noMAC, farMAC, "in fragments")
	must(t, w.router.SendFrame("left", fragments(craft(link, 42, inner), 1, 32)...))
	got, err := tap.Wait(within(t), 1, nil)
	must(t, err)
	if !bytes.Equal(got[0].Data, inner) {
		t.Errorf("by way of the kernel came %q", got[0].Data)
	}
	eventually(t, func() string { // counted behind what is sent
		if n := w.g.status().Underlay.Injected.Packets - before; n != 1 {
			return fmt.Sprintf("%d packets came by way of the kernel, want 1", n)
		}
		return ""
	})

	// Routes of the table are followed, also those that forbid.
	must(t, w.left.host.AddRoute(lab.Route{Dst: farOnly, Forbid: true, Table: vrfTable}))
	w.awaitRemote(t, "forbidden", func(r control.Remote) bool {
		return r.State == "no-route" && strings.Contains(r.Reason, "in VRF red") && strings.Contains(r.Reason, "oif ens18")
	})
	must(t, w.left.host.DeleteRoute(lab.Route{Dst: farOnly, Forbid: true, Table: vrfTable}))
	w.awaitRemote(t, "allowed again", direct)
	pings(t, w.left.host, peerAddress)
	checkVerdicts(t, w.g)
	w.g.stop()
}

// The first ping goes through the kernel, which finds the next hop by the VRF's table and asks for it.
func TestVRFFirstPing(t *testing.T) {
	t.Parallel()
	w, into := newVRFWorld(t)
	into()
	onLink(t, w.router, "left", netlink.LinkSetARPOff)
	must(t, w.left.host.FlushNeighbours("ens18")) // the router may have asked for us before, for the far end
	// Nor is anybody given up, below or above, before the router answers at last.
	patient := func(dev string) { must(t, w.left.host.SetSysctl("net.ipv4.neigh."+dev+".mcast_solicit", "30")) }
	patient("ens18")
	w.g = start(t, w.left.host, on("--address", ourAddress+"/24", "--remote", farUnder.String())...)
	patient("gw42")
	answered := make(chan error, 1)
	go func() {
		res, err := w.left.host.Ping(testContext(t), over2, lab.PingOptions{Timeout: patience})
		if err == nil && res.Received != 1 {
			err = errors.New("it was lost")
		}
		answered <- err
	}()
	eventually(t, func() string {
		if sent := w.g.status().Workers[0].SlowSent; sent == 0 {
			return "nothing was sent through the kernel"
		}
		return ""
	})
	onLink(t, w.router, "left", netlink.LinkSetARPOn)
	if err := <-answered; err != nil {
		t.Errorf("the first ping: %v", err)
	}
	checkVerdicts(t, w.g)
	w.g.stop()
}

// The underlay comes into a VRF and leaves it while gw runs: the way follows.
func TestVRFWhileRunning(t *testing.T) {
	t.Parallel()
	w, into := newVRFWorld(t)
	out := lab.Route{Dst: farOnly, Via: router1}
	must(t, w.left.host.AddRoute(out))
	w.start(t)
	into()
	w.awaitVRF(t, "red") // or the way is still that of before
	w.awaitRemote(t, "in the VRF", func(r control.Remote) bool { return r.State == "direct" && r.NextHop == router1.String() })
	w.goesOn(t, "in the VRF")
	onLink(t, w.left.host, "ens18", netlink.LinkSetNoMaster)
	must(t, w.left.host.AddRoute(out))
	w.awaitVRF(t, "")
	w.awaitRemote(t, "out of it", func(r control.Remote) bool { return r.State == "direct" && r.NextHop == router1.String() })
	w.goesOn(t, "out of it")
	w.g.stop()
}

// awaitVRF waits until gw has heard that the underlay is in a VRF, or in none.
func (w *vrfWorld) awaitVRF(t *testing.T, vrf string) {
	t.Helper()
	eventually(t, func() string {
		if now := w.g.status().Underlay.VRF; now != vrf {
			return fmt.Sprintf("the status has VRF %q, not %q", now, vrf)
		}
		return ""
	})
}

// VTEPs find one another through a group that is joined on an interface in a VRF.
func TestVRFGroup(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, a, b)
	needsDevice(t, a.VRF("red", vrfTable, "ens18"), "VRF")
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: group, Address: peerAddress + "/24"}))
	g := start(t, a, on("--group", group.String(), "--address", ourAddress+"/24")...)
	pings(t, a, peerAddress)
	pings(t, b, ourAddress)
	eventually(t, func() string {
		var members string
		must(t, a.Do(func() error {
			text, err := os.ReadFile("/proc/thread-self/net/igmp")
			members = string(text)
			return err
		}))
		g4 := group.As4()
		if want := fmt.Sprintf("%02X%02X%02X%02X", g4[3], g4[2], g4[1], g4[0]); !strings.Contains(members, want) {
			return "group " + want + " is not joined:\n" + members
		}
		return ""
	})
	checkVerdicts(t, g)
	g.stop()
}

// The same over IPv6.
func TestVRF6(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	must(t, l.Veth(a, "ens18", b, "ens18", lab.VethOptions{}))
	needsDevice(t, a.VRF("red", vrfTable, "ens18"), "VRF")
	must(t, a.AddAddress("ens18", six1.String()+"/64"))
	must(t, b.AddAddress("ens18", six2.String()+"/64"))
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: six1, Local: six2, Address: peerAddress + "/24"}))
	g := start(t, a, on("--remote", six2.String(), "--address", ourAddress+"/24")...)
	converse(t, end{a, "gw42", over1, "ens18", six1}, end{b, "vxlan0", over2, "ens18", six2})
	g.awaitDirect(six2.String())
	if s := g.status(); len(s.Remotes) != 1 || s.Underlay.VRF != "red" {
		t.Errorf("remotes %+v in VRF %q", s.Remotes, s.Underlay.VRF)
	}
	checkVerdicts(t, g)
	g.stop()
}
