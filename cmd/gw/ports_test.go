package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// bridged is the article's third scenario: two containers on node1, whose bridge
// is gw, and one on node2, behind a kernel bridge with a kernel VXLAN device. The
// underlay carries what the tunnel adds to the containers' MTU of 1500.
type bridged struct {
	node1, node2   *lab.Host
	one, two, far  end // of the containers; offloads at their defaults
	ports          []string
	farMAC, oneMAC string
}

func newBridged(t *testing.T) *bridged {
	t.Helper()
	l := newLab(t)
	b := &bridged{node1: newHost(t, l, "node1"), node2: newHost(t, l, "node2"), ports: []string{"veth1", "veth2"}}
	must(t, l.Veth(b.node1, "ens18", b.node2, "ens18", lab.VethOptions{MTU: 1550}))
	must(t, b.node1.AddAddress("ens18", "10.65.132.187/24"))
	must(t, b.node2.AddAddress("ens18", "10.65.132.188/24"))
	container := func(h *lab.Host, link, name, addr string) end {
		c, err := h.BridgePort(link, name, addr+"/24", lab.VethOptions{})
		must(t, err)
		return end{host: c, dev: "veth0", addr: netip.MustParseAddr(addr)}
	}
	b.one = container(b.node1, "veth1", "one", "172.17.1.11")
	b.two = container(b.node1, "veth2", "two", "172.17.1.12")
	b.far = container(b.node2, "veth3", "far", "172.17.1.13")
	must(t, b.node2.Bridge("br0", "veth3"))
	must(t, b.node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: group, Master: "br0"}))
	b.farMAC, b.oneMAC = b.far.mac(t), b.one.mac(t)
	return b
}

// Containers on two ports of one VNI talk to one another and, through the tunnel,
// to one behind the other host's bridge.
func TestPorts(t *testing.T) {
	t.Parallel()
	tried := []string{"copy", "auto"}
	if testing.Short() {
		tried = tried[:1] // which is what auto comes to on a veth
	}
	for _, mode := range tried {
		t.Run(mode, func(t *testing.T) {
			b := newBridged(t)
			g := start(t, b.node1, "--iface", "ens18", "--vni", "42", "--group", "224.1.1.1", "--port", "veth1", "--port", "veth2", "--mode", mode)
			wire, err := b.node2.Capture("ens18", nil)
			must(t, err)
			converse(t, b.one, b.two)
			if sent := outers(t, wire, under1); slices.ContainsFunc(sent, func(p outer) bool { return p.inner.dst[0]&1 == 0 }) {
				t.Error("frames between two local ports went into the tunnel")
			}
			converse(t, b.one, b.far)
			converse(t, b.far, b.two)
			for _, line := range []string{
				"00:00:00:00:00:00 dev gw42 dst 224.1.1.1 via ens18 self permanent",
				b.oneMAC + " dev veth1 master gw42",
				b.two.mac(t) + " dev veth2 master gw42",
				b.farMAC + " dev gw42 dst 10.65.132.188 self",
			} {
				if have := g.fdb(); !slices.Contains(have, line) {
					t.Errorf("gw fdb show lacks %q, has\n%s", line, strings.Join(have, "\n"))
				}
			}
			checkPorts(t, outers(t, wire, under1))
			checkVerdicts(t, g)
			checkModes(t, g, "native")
			if _, err := b.node1.Link("gw42"); err == nil {
				t.Error("gw made a device although it has ports")
			}
			g.stop()
		})
	}
}

// checkModes wants the underlay and each port bound as the status and the log say.
func checkModes(t *testing.T, g *vtep, xdp string) {
	t.Helper()
	s := g.status()
	bound := map[string]string{s.Underlay.Name: s.Underlay.XDP + "/" + modes(s.Underlay.Queues)}
	for _, p := range s.Ports {
		bound[p.Name] = p.XDP + "/" + modes(p.Queues)
	}
	for name, how := range bound {
		if how != xdp+"/copy" { // what a veth can do
			t.Errorf("%s is bound %s, want %s/copy", name, how, xdp)
		}
	}
	per := s.Underlay.Queues[0].PerSend
	if said := g.log.grep("more system calls"); (per > 0) != strings.Contains(said, fmt.Sprintf(`"frames_per_call":%d`, per)) {
		t.Errorf("%d frames per call, and the log says %q", per, said)
	}
}

// In generic mode the kernel leaves the segmentation offloads of a port's other end
// on. gw switches them off where it can reach them: in its own namespace.
func TestGenericMode(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	must(t, l.Veth(a, "ens18", b, "ens18", lab.VethOptions{MTU: 1550}))
	must(t, l.Veth(a, "veth1", a, "inside", lab.VethOptions{}))
	must(t, a.AddAddress("ens18", "10.65.132.187/24"))
	must(t, b.AddAddress("ens18", "10.65.132.188/24"))
	must(t, a.AddAddress("inside", "172.17.1.2/24"))
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.3/24"}))
	before, err := a.Offloads("inside")
	must(t, err)
	if !before["tx-tcp-segmentation"] {
		t.Fatal("a veth without segmentation offload: nothing to test")
	}

	g := start(t, a, "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.188", "--port", "veth1", "--mode", "generic")
	checkModes(t, g, "generic")
	if said := g.log.grep("segmentation offloads"); !strings.Contains(said, "ens18") || !strings.Contains(said, "ethtool -K") {
		t.Errorf("no warning that the underlay's other end, in another namespace, sends frames above the MTU: %q", said)
	}
	for _, feature := range []string{"tx-tcp-segmentation", "tx-udp-segmentation"} {
		must(t, b.SetOffload("ens18", feature, false)) // what the warning tells to do
	}
	converse(t, end{a, "inside", over1, "ens18", under1}, end{b, "vxlan0", over2, "ens18", under2})
	checkVerdicts(t, g)
	g.stop()
	after, err := a.Offloads("inside")
	must(t, err)
	for feature, on := range before {
		if after[feature] != on {
			t.Errorf("%s of inside was %v and is %v after gw", feature, on, after[feature])
		}
	}
}

// A veth cannot do zero-copy. Asked for it, gw fails, says so and leaves nothing.
func TestZeroCopyOnVeth(t *testing.T) {
	t.Parallel()
	b := newBridged(t)
	before := dump(t, b.node1)
	_, stderr, status := runGW(t, b.node1, "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.188", "--mode", "zerocopy")
	if status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	last := stderr[strings.LastIndex(strings.TrimSpace(stderr), "\n")+1:]
	for _, word := range []string{"gw: ", "ens18", "zero-copy", "not supported", "--mode copy"} {
		if !strings.Contains(last, word) {
			t.Errorf("the last line of %q lacks %q", stderr, word)
		}
	}
	clean(t, before, b.node1)
}
