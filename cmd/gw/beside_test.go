package main

import (
	"net/netip"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// A kernel VXLAN device with another VNI works on the same address and port,
// whichever comes up first, and stays when gw goes.
func TestKernelDeviceBeside(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"gw", "kernel"} {
		t.Run(first+" first", func(t *testing.T) {
			l := newLab(t)
			a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
			must(t, l.Veth(a, "ens18", b, "ens18", lab.VethOptions{}))
			must(t, a.AddAddress("ens18", "10.65.132.187/24"))
			must(t, b.AddAddress("ens18", "10.65.132.188/24"))
			must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan42", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.3/24"}))
			must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Remote: under1, Address: "172.17.43.3/24"}))

			beside := lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Local: under1, Remote: under2, Address: "172.17.43.2/24"}
			if first == "kernel" {
				must(t, a.KernelVXLAN(beside))
			}
			g := start(t, a, "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.188", "--address", "172.17.1.2/24")
			if first == "gw" {
				must(t, a.KernelVXLAN(beside))
			}
			ours, theirs := end{a, "gw42", over1, "ens18", under1}, end{b, "vxlan42", over2, "ens18", under2}
			kernel, far := end{a, "vxlan43", netip.MustParseAddr("172.17.43.2"), "ens18", under1}, end{b, "vxlan43", netip.MustParseAddr("172.17.43.3"), "ens18", under2}
			resolve(t, ours, theirs)
			resolve(t, kernel, far)
			firstPings(t, ours, theirs)
			firstPings(t, kernel, far)
			t.Run("both at once", func(t *testing.T) {
				t.Run("gw", func(t *testing.T) { t.Parallel(); bulk(t, ours, theirs) })
				t.Run("kernel", func(t *testing.T) { t.Parallel(); bulk(t, kernel, far) })
			})
			if by, _, _ := verdicts(g.status()); by["unknown_vni"] > 0 {
				t.Errorf("gw took packets of the kernel's VNI: %v", by)
			}
			checkVerdicts(t, g)
			checkKernelAgrees(t, kernel, far)
			checkKernelAgrees(t, theirs, ours)
			g.stop()
			resolve(t, kernel, far)
		})
	}
}

// TestKernelDeviceTwin has one with the same VNI, left up by who moves over to gw.
func TestKernelDeviceTwin(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	must(t, h.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under2}))
	must(t, h.KernelVXLAN(lab.VXLANConfig{Name: "vxlan1", VNI: 43, Dev: "ens18", Remote: under2}))
	g := start(t, h, on("--remote", "10.65.132.188")...)
	said := g.log.grep("a VNI of ours")
	if !strings.Contains(said, "ip link del vxlan0") || strings.Contains(said, "vxlan1") {
		t.Errorf("the log says %q, want a warning of vxlan0 alone", said)
	}
	g.stop()
}
