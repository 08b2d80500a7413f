package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"vxgw/control"
	"vxgw/internal/lab"
)

// Two gateways in one network namespace, with the same VNI, UDP port and group on two
// underlays: what one holds is refused to the other with the cure, each receives only
// its own, commands want to know which one is meant, and one's end is not the other's.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, first, second := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "node3")
	cable(t, l, h, first)
	must(t, l.Veth(h, "ens19", second, "ens18", lab.VethOptions{}))
	must(t, h.AddAddress("ens19", "10.65.133.187/24"))
	must(t, second.AddAddress("ens18", "10.65.133.188/24"))
	must(t, l.Veth(h, "veth1", first, "veth1", lab.VethOptions{MTU: 1450}))
	peer := func(h *lab.Host, over, under string) end {
		must(t, h.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: group, Address: over + "/24"}))
		return end{h, "vxlan0", netip.MustParseAddr(over), "ens18", netip.MustParseAddr(under)}
	}
	far1, far2 := peer(first, "172.17.1.3", "10.65.132.188"), peer(second, "172.17.2.3", "10.65.133.188")

	a := begun(t, h, "ens18", "--iface", "ens18", "--vni", "42", "--group", group.String(), "--address", "172.17.1.2/24", "--port", "veth1", "--device", "gw42")
	other := func(more ...string) []string {
		return append([]string{"--iface", "ens19", "--vni", "42", "--group", group.String(), "--device", "blue"}, more...)
	}
	quiet := func(more ...string) []string { return other(append(more, "--metrics", "")...) }
	refuse(t, h, []refusal{
		{name: "metrics", args: other(), status: 1, want: []string{"127.0.0.1:9478", "in use", "another gw", "--metrics"}},
		{name: "device", args: append(quiet()[:6], "--device", "gw42", "--metrics", ""), status: 1, want: []string{"vni 42", "gw42", "--device"}},
		{name: "underlay", args: append(on(), "--device", "blue"), status: 1, want: []string{"ens18", "held by process", "one gw per underlay"}},
		{name: "control socket", args: quiet("--control", socketOf(t, h, "ens18")), status: 1, want: []string{socketOf(t, h, "ens18"), "another gw answers", "--control"}},
		{name: "port", args: quiet("--port", "veth1"), status: 1, want: []string{"port veth1", "is on veth1 already", "stop its owner"}},
		{name: "its underlay as a port", args: quiet("--port", "ens18"), status: 1, want: []string{"port ens18", "(underlay) is on ens18 already", "stop its owner"}},
		{name: "its device's far end as a port", args: quiet("--port", "gw42-x"), status: 1, want: []string{"port gw42-x", "is on gw42-x already"}},
	})
	b := begun(t, h, "ens19", other("--address", "172.17.2.2/24", "--metrics", "127.0.0.1:9479")...)

	for _, args := range [][]string{{"status"}, {"stats"}, {"fdb", "show"}, {"status", "--wait", "1s"}} {
		_, stderr, status := runGW(t, h, args...)
		if line := onlyLine(t, stderr); status != 2 || !strings.Contains(line, "--iface ens18 or --iface ens19") {
			t.Errorf("gw %v, of two: exit status %d, %q", args, status, line)
		}
	}
	for iface, g := range map[string]*vtep{"ens18": a, "ens19": b} {
		if text := output(t, h, "stats", "--iface", iface); !strings.Contains(text, "\n"+iface+" ") {
			t.Errorf("gw stats --iface %s:\n%s", iface, text)
		}
		if u := g.status().Underlay; u.Name != iface {
			t.Errorf("the gw on %s says it is on %s", iface, u.Name)
		}
	}

	near1 := end{h, "gw42", netip.MustParseAddr("172.17.1.2"), "ens18", under1}
	near2 := end{h, "blue", netip.MustParseAddr("172.17.2.2"), "ens19", netip.MustParseAddr("10.65.133.187")}
	resolve(t, near1, far1)
	resolve(t, near2, far2)
	before := received(a.status())
	ping(t, near2, far2, lab.PingOptions{Count: 50, Interval: 5 * time.Millisecond})
	ping(t, far2, near2, lab.PingOptions{Count: 50, Interval: 5 * time.Millisecond})
	if n := received(a.status()) - before; n > 20 { // the peer of its own may say something
		t.Errorf("the gw on ens18 received %d frames of the other's", n)
	}
	t.Run("both at once", func(t *testing.T) {
		t.Run("first", func(t *testing.T) { t.Parallel(); transfer(t, near1, far1, 4<<20); transfer(t, far1, near1, 4<<20) })
		t.Run("second", func(t *testing.T) { t.Parallel(); transfer(t, near2, far2, 4<<20); transfer(t, far2, near2, 4<<20) })
	})
	for _, g := range []*vtep{a, b} {
		checkVerdicts(t, g)
		if s := g.status(); len(s.Remotes) != 2 || len(s.Problems) > 0 {
			t.Errorf("remotes %+v, problems %q: want the group and the one peer", s.Remotes, s.Problems)
		}
	}

	a.stop()
	ping(t, near2, far2, lab.PingOptions{Count: 20, Interval: 5 * time.Millisecond})
	if text := output(t, h, "stats"); !strings.Contains(text, "\nens19 ") {
		t.Errorf("gw stats, of the only one:\n%s", text)
	}
	b.stop()
}

// begun starts gw and waits for it, beside another one in the same namespace.
func begun(t *testing.T, h *lab.Host, iface string, args ...string) *vtep {
	t.Helper()
	g := prepare(t, h, args...)
	g.control = socketOf(t, h, iface)
	g.begin()
	g.ready()
	return g
}

// received is how many frames came out of tunnels.
func received(s control.Status) uint64 { return s.VNIs[0].RxPackets }
