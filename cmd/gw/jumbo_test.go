package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// Frames longer than a page:
//
//	box (9000) ── veth1 ── gw ── ens18 (9050) ── ens18 (9050) ── vxlan0 (9000)
//	                        └── gw42 (9000)

const wideMTU = 9000

// sizesOfJumbo are datagrams that are whole with an MTU of 9,000: around where the kernel's parts and a page end, and where the next
// one does, short ones among them.
func sizesOfJumbo() []int {
	var sizes []int
	for _, at := range []int{100, 1422, 3840, 4096, 7680, 8192, 8972} {
		for size := max(at-100, 0); size <= min(at+16, wideMTU-28); size++ {
			sizes = append(sizes, size)
		}
	}
	return slices.Concat(sizes, []int{1, 8972, 2, 8972, 20001, 65507})
}

// converseJumbo is everything that converse does, with the sizes that matter here, and short ones beside long ones.
func converseJumbo(t *testing.T, a, b end) {
	t.Helper()
	resolve(t, a, b)
	if n := min(a.mtu(t), b.mtu(t)); n != wideMTU {
		t.Errorf("the MTU between %s and %s is %d, want %d", a.dev, b.dev, n, wideMTU)
	}
	fullMTU(t, a, b)
	transfer(t, a, b, 32<<20)
	transfer(t, b, a, 32<<20)
	send(t, a, b, sizesOfJumbo())
	send(t, b, a, sizesOfJumbo())
	tenMegabytes(t, a, b)
	rightChecksums(t, a.host)
	rightChecksums(t, b.host)
}

// floodJumbo sends a frame of the full length to everyone.
func floodJumbo(t *testing.T, from end, to ...end) {
	t.Helper()
	src, err := from.host.MAC(from.dev)
	must(t, err)
	frame := append(named(net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, src, "to everyone from "+from.dev), bytes.Repeat([]byte{0x5a}, wideMTU+14-60)...)
	var taps []*lab.Capture
	for _, e := range to {
		tap, err := e.host.Capture(e.dev, func(f lab.Frame) bool { return !f.Outgoing && bytes.Equal(f.Data, frame) })
		must(t, err)
		taps = append(taps, tap)
	}
	must(t, from.host.SendFrame(from.dev, frame))
	for _, tap := range taps {
		_, err := tap.Wait(within(t), 1, nil)
		must(t, err)
		must(t, tap.Close())
	}
}

// The kernel's vxlan device, a container and the host itself exchange frames of 9,000 bytes through gw, by the driver and by
// the stack.
func TestJumbo(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "generic"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
			must(t, l.Veth(a, "ens18", b, "ens18", lab.VethOptions{MTU: wideMTU + 50}))
			must(t, a.AddAddress("ens18", under1.String()+"/24"))
			must(t, b.AddAddress("ens18", under2.String()+"/24"))
			must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: over2.String() + "/24"}))
			box, err := a.BridgePort("veth1", "box", over3.String()+"/24", lab.VethOptions{MTU: wideMTU})
			must(t, err)
			if mode == "generic" { // what its warning tells to do
				for _, feature := range []string{"tso", "gso", "tx-udp-segmentation"} {
					must(t, b.SetOffload("ens18", feature, false))
					must(t, box.SetOffload("veth0", feature, false))
				}
			}
			g := start(t, a, on("--remote", under2.String(), "--device", "gw42", "--address", over1.String()+"/24", "--port", "veth1", "--mode", mode)...)
			s := g.status()
			if s.Memory.FrameSize != 16384 || s.Underlay.MaxMTU < wideMTU+50 {
				t.Errorf("frames of %d bytes carry an MTU of %d", s.Memory.FrameSize, s.Underlay.MaxMTU)
			}
			if want := map[string]string{"auto": "native", "generic": "generic"}[mode]; s.Underlay.XDP != want || s.Ports[1].XDP != want {
				t.Errorf("XDP runs %s on the underlay and %s on the port, want %s", s.Underlay.XDP, s.Ports[1].XDP, want)
			}
			host, far, inBox := end{a, "gw42", over1, "ens18", under1}, end{b, "vxlan0", over2, "ens18", under2}, end{box, "veth0", over3, "", netip.Addr{}}
			converseJumbo(t, host, far)
			converseJumbo(t, inBox, far)
			converseJumbo(t, inBox, host)
			floodJumbo(t, far, host, inBox)
			floodJumbo(t, inBox, far, host)
			checkVerdicts(t, g)
			s = g.status()
			for _, q := range slices.Concat(s.Underlay.Queues, s.Ports[0].Queues, s.Ports[1].Queues) {
				if q.Kernel.RxInvalid+q.Kernel.TxInvalid+q.Foreign > 0 {
					t.Errorf("queue %+v", q)
				}
			}
			if by, _, _ := verdicts(s); by["too_big"] > 0 {
				t.Errorf("frames that fit were dropped: %v", by)
			}
			if len(s.Problems) > 0 {
				t.Errorf("problems: %q", s.Problems)
			}
			g.stop()
		})
	}
}

// A container may send more than the port's own MTU says: its end of the cable has a larger one, which native XDP minds. What
// is longer than the tunnel carries is answered, as ever.
func TestJumboPeer(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, a, b)
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: over2.String() + "/24"}))
	box, err := a.BridgePort("veth1", "box", over3.String()+"/24", lab.VethOptions{})
	must(t, err)
	must(t, box.SetMTU("veth0", wideMTU))
	g := start(t, a, on("--remote", under2.String(), "--port", "veth1")...)
	if s := g.status(); s.Memory.FrameSize != 16384 || s.Ports[0].XDP != "native" {
		t.Errorf("frames of %d bytes, XDP runs %s", s.Memory.FrameSize, s.Ports[0].XDP)
	}
	inBox, far := end{box, "veth0", over3, "", netip.Addr{}}, end{b, "vxlan0", over2, "ens18", under2}
	resolve(t, inBox, far)
	transfer(t, inBox, far, 1<<20)
	g.stop()
}

// fragmented keeps a host from listening to its own device, which says that smaller packets would do (skb_tunnel_check_pmtu).
func fragmented(r *netlink.Route) { r.MTU, r.MTULock = wideMTU, true }

// A kernel VTEP sends frames of 9,000 bytes over an underlay of 1,500, in fragments: gw needs frames that hold
// them, which the configuration says. With the usual ones each is a counted drop.
func TestJumboInFragments(t *testing.T) {
	t.Parallel()
	bed := func(t *testing.T, dataplane string) (g *vtep, box, far end) {
		l := newLab(t)
		a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
		cable(t, l, a, b)
		must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Remote: under1, MTU: wideMTU, Address: over2.String() + "/24"}))
		c, err := a.BridgePort("veth1", "box", over3.String()+"/24", lab.VethOptions{MTU: wideMTU})
		must(t, err)
		file := writeFile(t, "underlay: {iface: ens18}\ndataplane: {"+dataplane+"}\nmetrics: {listen: ''}\nvnis: [{vni: 42, remotes: ["+under2.String()+"], ports: [veth1]}]\n")
		g = start(t, a, "--config", file)
		far = end{b, "vxlan0", over2, "ens18", under2}
		editRoutes(t, b, "vxlan0", fragmented)
		return g, end{c, "veth0", over3, "", netip.Addr{}}, far
	}
	t.Run("large frames", func(t *testing.T) {
		t.Parallel()
		g, box, far := bed(t, "framesize: 16384")
		editRoutes(t, box.host, "veth0", func(r *netlink.Route) { r.MTU = 1450 }) // it sends what fits
		resolve(t, box, far)
		send(t, far, box, slices.Repeat([]int{8972, 1, 1472, 5000}, 100))
		eventually(t, func() string {
			if s := g.status().Underlay.Injected; s.Packets < 300 || s.TooLong > 0 {
				return fmt.Sprintf("by way of the kernel came %+v", s)
			}
			return ""
		})
		checkVerdicts(t, g)
		g.stop()
	})
	t.Run("usual frames", func(t *testing.T) {
		t.Parallel()
		l := newLab(t)
		a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
		cable(t, l, a, b)
		must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Remote: under1, MTU: wideMTU, Address: over2.String() + "/24"}))
		g := start(t, a, on("--remote", under2.String(), "--address", over1.String()+"/24")...)
		host, far := end{a, "gw42", over1, "ens18", under1}, end{b, "vxlan0", over2, "ens18", under2}
		editRoutes(t, b, "vxlan0", fragmented)
		resolve(t, host, far)
		lost, err := lab.TransferUDP(testContext(t), far.host, host.host, netip.AddrPortFrom(over1, 0).String(), []int{8972})
		must(t, err)
		if len(lost) != 1 {
			t.Errorf("a datagram that no frame holds arrived: %+v", lost)
		}
		eventually(t, func() string {
			if s := g.status().Underlay.Injected; s.TooLong == 0 {
				return "what was too long is not counted"
			}
			return ""
		})
		if text := output(t, a, g.with("status")...); !strings.Contains(text, "too_long 1") {
			t.Errorf("gw status does not tell:\n%s", text)
		}
		send(t, far, host, []int{1400}) // and what follows comes
		checkVerdicts(t, g)
		g.stop()
	})
}
