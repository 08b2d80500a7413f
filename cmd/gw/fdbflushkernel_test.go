package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// Each flush leaves what the kernel's device leaves with the same words.
func TestFDBFlushAsKernel(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	other := netip.MustParseAddr("10.65.132.190")
	w.gw(t, "append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189")
	fill := func() {
		for i, e := range []lab.TunnelEntry{
			{Dst: under3}, {Dst: under3, State: "static"}, {Dst: under3, State: "dynamic"},
			{Dst: under3, Port: 8472}, {Dst: under3, VNI: 100, State: "static"}, {Dst: under3, Port: 8472, VNI: 100, State: "dynamic"},
			{Dst: other, Port: 8472, State: "static"}, {Dst: other, VNI: 101}, {Dst: other, State: "dynamic"},
		} {
			e.MAC = net.HardwareAddr{2, 0, 0, 0, 1, byte(i)}
			w.do(t, tunnelChange{"replace", e})
		}
	}
	for _, c := range []struct {
		words  string
		filter lab.TunnelEntry
		src    uint32
	}{
		{"dst 10.65.132.189", lab.TunnelEntry{Dst: under3}, 0},
		{"port 8472", lab.TunnelEntry{Port: 8472}, 0},
		{"port 4789", lab.TunnelEntry{Port: 4789}, 0},
		{"port 4790", lab.TunnelEntry{Port: 4790}, 0},
		{"vni 100", lab.TunnelEntry{VNI: 100}, 0},
		{"vni 42", lab.TunnelEntry{VNI: 42}, 0},
		{"src_vni 42", lab.TunnelEntry{}, 42},
		{"src_vni 43", lab.TunnelEntry{}, 43},
		{"permanent", lab.TunnelEntry{State: "permanent"}, 0},
		{"nopermanent", lab.TunnelEntry{State: "nopermanent"}, 0},
		{"static", lab.TunnelEntry{State: "static"}, 0},
		{"nostatic", lab.TunnelEntry{State: "nostatic"}, 0},
		{"dynamic", lab.TunnelEntry{State: "dynamic"}, 0},
		{"nodynamic", lab.TunnelEntry{State: "nodynamic"}, 0},
		{"dst 10.65.132.189 port 8472 vni 100", lab.TunnelEntry{Dst: under3, Port: 8472, VNI: 100}, 0},
		{"dst 10.65.132.190 vni 42 nodynamic", lab.TunnelEntry{Dst: other, VNI: 42, State: "nodynamic"}, 0},
		{"", lab.TunnelEntry{}, 0},
	} {
		fill()
		w.gw(t, "flush dev gw42 self "+c.words)
		must(t, w.kernel.FlushTunnel("vxlan0", c.filter, c.src))
		if !t.Run(fmt.Sprintf("flush %s", c.words), func(t *testing.T) { w.sameTable(t, noFloods) }) {
			return
		}
	}
	w.goesTo(t, noMAC, under3) // flooded, as ever
	w.stop()
}

// noFloods leaves out what is flooded to, which the kernel's device flushes and gw keeps.
func noFloods(line string) bool { return !strings.HasPrefix(line, zeroMAC.String()) }
