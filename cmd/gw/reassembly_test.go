package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/control"
	"vxgw/internal/lab"
)

// What the underlay's XDP program leaves to the kernel although it is ours:
//
//	node2: vxlan42, MTU 1500 ── ens18, MTU 1500 ── fragments ──> node1's kernel ── raw socket ──> gw ── veth1 ── box

// newFragmenter makes gw with a container whose frames do not fit the underlay, and a
// kernel VTEP that sends such frames in fragments.
func newFragmenter(t *testing.T, edit func(*lab.VXLANConfig)) (g *vtep, box, far end) {
	t.Helper()
	l := newLab(t)
	node1, node2 := newHost(t, l, "node1"), newHost(t, l, "node2")
	must(t, l.Veth(node1, "ens18", node2, "ens18", lab.VethOptions{}))
	must(t, node1.AddAddress("ens18", under1.String()+"/24"))
	must(t, node2.AddAddress("ens18", under2.String()+"/24"))
	c := newHost(t, l, "box")
	must(t, l.Veth(node1, "veth1", c, "veth0", lab.VethOptions{}))
	must(t, c.AddAddress("veth0", over1.String()+"/24"))
	// Not bound to ens18, a device may have its MTU.
	cfg := lab.VXLANConfig{Name: "vxlan42", VNI: 42, Remote: under1, MTU: 1500, Address: over2.String() + "/24"}
	if edit != nil {
		edit(&cfg)
	}
	must(t, node2.KernelVXLAN(cfg))
	// The device tells its own host that smaller packets would do (skb_tunnel_check_pmtu),
	// which is not to listen; and the container is to send what fits, and take what does not.
	editRoutes(t, node2, "vxlan42", func(r *netlink.Route) { r.MTU, r.MTULock = 1500, true })
	editRoutes(t, c, "veth0", func(r *netlink.Route) { r.MTU, r.AdvMSS = 1450, 1460 })
	g = start(t, node1, on("--remote", under2.String(), "--port", "veth1")...)
	return g, end{c, "veth0", over1, "", netip.Addr{}}, end{node2, "vxlan42", over2, "ens18", under2}
}

// editRoutes changes the routes by an interface.
func editRoutes(t *testing.T, h *lab.Host, dev string, edit func(*netlink.Route)) {
	t.Helper()
	must(t, h.Do(func() error {
		l, err := netlink.LinkByName(dev)
		if err != nil {
			return err
		}
		routes, err := netlink.RouteList(l, netlink.FAMILY_V4)
		if err != nil {
			return err
		}
		for _, r := range routes {
			edit(&r)
			if err := netlink.RouteReplace(&r); err != nil {
				return err
			}
		}
		return nil
	}))
}

// A kernel VTEP whose packets do not fit its underlay: the container gets all of them,
// and a kernel device beside gw, with another VNI on the same port, its own.
func TestFragmentsFromKernel(t *testing.T) {
	t.Parallel()
	t.Run("alone, with UDP checksums", func(t *testing.T) {
		g, box, far := newFragmenter(t, nil)
		bigFrames(t, g, box, far)
		if text := output(t, g.host, g.with("status")...); !strings.Contains(text, "Received by way of the kernel (fragments, IP options): ") {
			t.Errorf("gw status does not tell:\n%s", text)
		}
		g.stop()
	})
	t.Run("beside a kernel device, without", func(t *testing.T) {
		g, box, far := newFragmenter(t, func(c *lab.VXLANConfig) { c.NoUDPCSum = true })
		kernel := lab.VXLANConfig{Name: "vxlan43", VNI: 43, MTU: 1500, Remote: under2, Address: "172.17.43.1/24"}
		must(t, g.host.KernelVXLAN(kernel))
		kernel.Remote, kernel.Address = under1, "172.17.43.2/24"
		must(t, far.host.KernelVXLAN(kernel))
		ours := end{g.host, "vxlan43", netip.MustParseAddr("172.17.43.1"), "ens18", under1}
		theirs := end{far.host, "vxlan43", netip.MustParseAddr("172.17.43.2"), "ens18", under2}
		for _, e := range []end{ours, theirs} {
			editRoutes(t, e.host, "vxlan43", func(r *netlink.Route) { r.MTU, r.MTULock = 1500, true })
		}
		t.Run("both", func(t *testing.T) {
			t.Run("gw", func(t *testing.T) { t.Parallel(); bigFrames(t, g, box, far) })
			t.Run("kernel", func(t *testing.T) {
				t.Parallel()
				ping(t, ours, theirs, lab.PingOptions{Size: 1472, Count: 5, Interval: 1})
				transfer(t, ours, theirs, 1<<20)
				transfer(t, theirs, ours, 1<<20)
				send(t, theirs, ours, slices.Repeat([]int{1472}, 500))
			})
		})
		if by, _, _ := verdicts(g.status()); by["unknown_vni"] > 0 {
			t.Errorf("gw took fragments of the kernel's VNI: %v", by)
		}
		checkVerdicts(t, g)
		g.stop()
	})
}

// bigFrames has far send what the underlay carries in fragments only.
func bigFrames(t *testing.T, g *vtep, box, far end) {
	t.Helper()
	resolve(t, box, far)
	ping(t, far, box, lab.PingOptions{Size: 1472, Count: 20, Interval: 1})
	send(t, far, box, slices.Repeat([]int{1472, 1423, 1424, 1}, 2000))
	var s control.Injected
	eventually(t, func() string {
		s = g.status().Underlay.Injected
		if want := (control.Injected{Packets: 20 + 3*2000, Bytes: s.Bytes}); s != want {
			return fmt.Sprintf("by way of the kernel came %+v, want %+v", s, want)
		}
		return ""
	})
	transfer(t, far, box, 10<<20)
	transfer(t, box, far, 1<<20)
	if now := g.status().Underlay.Injected.Packets - s.Packets; now < uint64(little(10<<20)/1460*9/10) {
		t.Errorf("of the TCP stream %d packets came in fragments", now)
	}
	rightChecksums(t, box.host)
	rightChecksums(t, far.host)
	checkVerdicts(t, g)
}
