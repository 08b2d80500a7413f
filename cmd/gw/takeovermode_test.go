package main

import (
	"fmt"
	"net/netip"
	"testing"

	"vxgw/internal/lab"
)

// TestTakeOverMode follows a gateway that has XDP in the stack with one that has it in the drivers, and the other way round. What the
// first has switched off at the other end of a port the kernel keeps off for the second, whose end puts it back, without a warning.
func TestTakeOverMode(t *testing.T) {
	t.Parallel()
	l, h, peer := newUnderlay(t)
	must(t, l.Veth(h, "veth2", h, "veth3", lab.VethOptions{MTU: 1450}))
	must(t, peer.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: netip.MustParseAddr("224.1.1.1"), Address: peerAddress + "/24"}))
	before := dump(t, h)
	files := map[string]string{}
	for mode, xdp := range map[string]string{"generic": "generic", "auto": "native"} {
		files[xdp] = write(t, fmt.Sprintf("underlay: {iface: ens18, mode: %s}\nmetrics: {listen: \"\"}\nvnis:\n  - {vni: 42, group: 224.1.1.1, device: {addresses: [172.17.1.2/24]}, ports: [veth2]}\n", mode))
	}
	off := func(feature string) bool {
		t.Helper()
		now, err := h.Offloads("veth3")
		must(t, err)
		return !now[feature]
	}
	g := start(t, h, "--config", files["generic"])
	for i, xdp := range []string{"native", "native", "generic", "native"} {
		g = follow(t, g, "--config", files[xdp], "--takeover")
		wrong := amiss
		if xdp == "generic" {
			wrong = []string{`"ERROR"`, "cannot put back"} // it warns of the underlay, whose other end is out of reach
		}
		if said := g.log.grep(wrong...); said != "" {
			t.Errorf("turn %d, %s: it says %s", i, xdp, said)
		}
		if got := g.status().Underlay.XDP; got != xdp || !off("tx-tcp-segmentation") || off("tx-generic-segmentation") != (xdp == "generic") {
			t.Errorf("turn %d: XDP is %s, want %s; TSO is off: %v, GSO: %v", i, got, xdp, off("tx-tcp-segmentation"), off("tx-generic-segmentation"))
		}
		pings(t, h, peerAddress)
	}
	output(t, h, "port", "del", "veth2")
	for _, feature := range []string{"tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-tcp-ecn-segmentation", "tx-tcp-mangleid-segmentation", "tx-udp-segmentation"} {
		if off(feature) {
			t.Errorf("%s of the other end is not back after the port has gone", feature)
		}
	}
	if said := g.log.grep(amiss...); said != "" {
		t.Errorf("it says %s", said)
	}
	g.stop()
	clean(t, before, h)
}
