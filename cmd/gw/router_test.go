package main

import (
	"net/netip"
	"testing"

	"vxgw/internal/lab"
)

// The remote is in another subnet, behind a router.
func TestAcrossRouter(t *testing.T) {
	t.Parallel()
	for _, far := range []string{"kernel", "gw"} {
		t.Run(far, func(t *testing.T) {
			l := newLab(t)
			a, b, r := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "router")
			must(t, l.Veth(a, "ens18", r, "left", lab.VethOptions{}))
			must(t, l.Veth(b, "ens18", r, "right", lab.VethOptions{}))
			must(t, r.SetSysctl("net.ipv4.ip_forward", "1"))
			must(t, a.AddAddress("ens18", "10.65.132.187/24"))
			must(t, r.AddAddress("left", "10.65.132.1/24"))
			must(t, r.AddAddress("right", "10.66.0.1/24"))
			must(t, b.AddAddress("ens18", "10.66.0.188/24"))
			all := netip.MustParsePrefix("0.0.0.0/0")
			must(t, a.AddRoute(lab.Route{Dst: all, Via: netip.MustParseAddr("10.65.132.1")}))
			must(t, b.AddRoute(lab.Route{Dst: all, Via: netip.MustParseAddr("10.66.0.1")}))
			wire, err := r.Capture("right", nil)
			must(t, err)

			remote := netip.MustParseAddr("10.66.0.188")
			g := start(t, a, "--iface", "ens18", "--vni", "42", "--remote", remote.String(), "--address", "172.17.1.2/24")
			left, right := end{a, "gw42", over1, "ens18", under1}, end{b, "vxlan0", over2, "ens18", remote}
			if far == "gw" {
				right.dev = "gw42"
				defer start(t, b, "--iface", "ens18", "--vni", "42", "--remote", under1.String(), "--address", "172.17.1.3/24").stop()
			} else {
				must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.3/24"}))
			}
			converse(t, left, right)
			checkPointToPoint(t, g, left, right)
			if s := g.status(); len(s.Remotes) != 1 || s.Remotes[0].NextHop != "10.65.132.1" {
				t.Errorf("remotes %+v: want the router as next hop", s.Remotes)
			}
			packets := outers(t, wire, under1)
			checkPorts(t, packets)
			for _, p := range packets {
				if p.ttl != 63 || !p.checksum {
					t.Fatalf("behind the router: %+v, want TTL 63", p)
				}
			}
			g.stop()
		})
	}
}
