package main

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

// The article's addresses.
var (
	under1, under2, under3 = netip.MustParseAddr("10.65.132.187"), netip.MustParseAddr("10.65.132.188"), netip.MustParseAddr("10.65.132.189")
	over1, over2, over3    = netip.MustParseAddr("172.17.1.2"), netip.MustParseAddr("172.17.1.3"), netip.MustParseAddr("172.17.1.4")
)

// A kernel VTEP and gw, offloads at their defaults: on one cable the kernel takes
// the segmentation offloads away from the sender, behind a switch it does not.
func TestPointToPointWithKernel(t *testing.T) {
	t.Parallel()
	for _, between := range []string{"cable", "switch"} {
		t.Run(between, func(t *testing.T) {
			l := newLab(t)
			a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
			if between == "cable" {
				must(t, l.Veth(a, "ens18", b, "ens18", lab.VethOptions{}))
			} else {
				_, err := l.Switch("switch", lab.SwitchPort{Host: a, Link: "ens18"}, lab.SwitchPort{Host: b, Link: "ens18"})
				must(t, err)
			}
			must(t, a.AddAddress("ens18", "10.65.132.187/24"))
			must(t, b.AddAddress("ens18", "10.65.132.188/24"))
			must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.3/24"}))
			wire, err := b.Capture("ens18", nil)
			must(t, err)
			largest := func() (n int) {
				for _, o := range outers(t, wire, under2) {
					n = max(n, len(o.packet))
				}
				return n
			}

			g := start(t, a, "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.188", "--address", "172.17.1.2/24")
			left, right := end{a, "gw42", over1, "ens18", under1}, end{b, "vxlan0", over2, "ens18", under2}
			converse(t, left, right)
			tenMegabytes(t, left, right)
			checkPointToPoint(t, g, left, right)
			if n := largest(); between == "switch" && n <= 1500 {
				t.Errorf("the kernel's largest packet has %d bytes: segmentation was not left to the link", n)
			}
			packets := outers(t, wire, under1)
			checkPorts(t, packets)
			for _, p := range packets {
				if p.ttl != 64 || p.df || p.udpSum != 0 || !p.checksum || p.vni != 42 {
					t.Fatalf("packet %+v: want TTL 64, no DF, no UDP checksum, a right header checksum", p)
				}
			}
			checkKernelAgrees(t, right, left)
			if by, _, _ := verdicts(g.status()); by["to_kernel"] == 0 || by["to_remote"] < by["to_kernel"] {
				t.Errorf("the way through the kernel is for first packets: %v", by)
			}
			g.stop()
		})
	}
}

// gw at both ends. The switch between them is where a tap can see their packets.
func TestPointToPointBothGW(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	s, err := l.Switch("switch", lab.SwitchPort{Host: a, Link: "ens18"}, lab.SwitchPort{Host: b, Link: "ens18"})
	must(t, err)
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	must(t, b.AddAddress("ens18", "10.65.132.188/24"))
	wire, err := s.Capture(s.PortName(a, "ens18"), nil)
	must(t, err)

	ga := start(t, a, "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.188", "--address", "172.17.1.2/24")
	gb := start(t, b, "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.187", "--address", "172.17.1.3/24")
	left, right := end{a, "gw42", over1, "ens18", under1}, end{b, "gw42", over2, "ens18", under2}
	converse(t, left, right)
	tenMegabytes(t, left, right)
	checkPointToPoint(t, ga, left, right)
	checkPointToPoint(t, gb, right, left)
	checkPorts(t, outers(t, wire, under1))
	checkPorts(t, outers(t, wire, under2))
	ga.stop()
	gb.stop()
}

// checkPointToPoint compares all that gw fdb show prints, as text and as JSON,
// and the verdicts.
func checkPointToPoint(t *testing.T, g *vtep, self, peer end) {
	t.Helper()
	text := []string{
		"00:00:00:00:00:00 dev gw42 dst " + peer.under.String() + " via ens18 self permanent",
		self.mac(t) + " dev gw42 master gw42 permanent",
		learned(t, "gw42", peer),
	}
	slices.Sort(text)
	if diff := cmp.Diff(text, g.fdb()); diff != "" {
		t.Errorf("gw fdb show (-want +got):\n%s", diff)
	}
	want := []map[string]any{
		{"mac": "00:00:00:00:00:00", "ifname": "gw42", "dst": peer.under.String(), "viaIf": "ens18", "flags": []any{"self"}, "state": "permanent", "vni": 42.0},
		{"mac": self.mac(t), "ifname": "gw42", "flags": []any{}, "master": "gw42", "state": "permanent", "vni": 42.0},
		{"mac": peer.mac(t), "ifname": "gw42", "dst": peer.under.String(), "flags": []any{"self"}, "state": "", "vni": 42.0},
	}
	slices.SortFunc(want, func(a, b map[string]any) int { return strings.Compare(a["mac"].(string), b["mac"].(string)) })
	got := g.fdbJSON()
	for _, e := range got {
		if e["mac"] != peer.mac(t) {
			continue
		}
		if age, ok := e["age"].(float64); !ok || age < 0 || age > g.status().Uptime {
			t.Errorf("age of %v", e)
		}
		delete(e, "age")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gw fdb show -j (-want +got):\n%s", diff)
	}
	checkVerdicts(t, g)
}

// checkVerdicts adds up: every received frame has one verdict. Frames may come in
// while the status is written, so it is asked until two sums agree.
func checkVerdicts(t *testing.T, g *vtep) {
	t.Helper()
	eventually(t, func() string {
		byName, sum, received := verdicts(g.status())
		if received == 0 || sum != received {
			return cmp.Diff(received, sum) + cmp.Diff(nil, byName)
		}
		return ""
	})
}

// checkKernelAgrees wants the kernel's table to have what it learned from gw.
func checkKernelAgrees(t *testing.T, kernel, peer end) {
	t.Helper()
	entries, err := kernel.host.FDB(kernel.dev)
	must(t, err)
	want := learned(t, kernel.dev, peer)
	if !slices.ContainsFunc(entries, func(e lab.FDBEntry) bool { return e.String() == want }) {
		t.Errorf("the kernel's table has %v, not %q", entries, want)
	}
}
