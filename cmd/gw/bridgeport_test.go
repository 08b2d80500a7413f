package main

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// office is gw with a port that is the far end of a veth whose other end is a
// member of the host's own bridge, beside two containers; and behind the tunnel the
// kernel's bridge and vxlan device with one.
type office struct {
	node1, node2  *lab.Host
	one, two, far end
}

func newOffice(t *testing.T, underlayMTU int) *office {
	t.Helper()
	l := newLab(t)
	o := &office{node1: newHost(t, l, "node1"), node2: newHost(t, l, "node2")}
	must(t, l.Veth(o.node1, "ens18", o.node2, "ens18", lab.VethOptions{MTU: underlayMTU}))
	must(t, o.node1.AddAddress("ens18", "10.65.132.187/24"))
	must(t, o.node2.AddAddress("ens18", "10.65.132.188/24"))
	container := func(h *lab.Host, link, name, addr string) end {
		c, err := h.BridgePort(link, name, addr+"/24", lab.VethOptions{})
		must(t, err)
		return end{host: c, dev: "veth0", addr: netip.MustParseAddr(addr)}
	}
	o.one = container(o.node1, "veth1", "one", "172.17.1.11")
	o.two = container(o.node1, "veth2", "two", "172.17.1.12")
	o.far = container(o.node2, "veth3", "far", "172.17.1.13")
	must(t, l.Veth(o.node1, "uplink", o.node1, "port", lab.VethOptions{}))
	must(t, o.node1.Bridge("br0", "veth1", "veth2", "uplink"))
	must(t, o.node2.Bridge("br0", "veth3"))
	must(t, o.node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Master: "br0"}))
	return o
}

func TestPortBehindBridge(t *testing.T) {
	t.Parallel()
	o := newOffice(t, 1550)
	g := start(t, o.node1, on("--remote", "10.65.132.188", "--port", "port")...)
	converse(t, o.one, o.far)
	converse(t, o.one, o.two)
	resolve(t, o.far, o.two)
	transfer(t, o.far, o.two, 10<<20)

	// A frame to everyone comes to each of them once, and never back.
	ends := []end{o.one, o.two, o.far}
	taps := make([]*lab.Capture, len(ends))
	for i, e := range ends {
		c, err := e.host.Capture(e.dev, func(f lab.Frame) bool { return !f.Outgoing })
		must(t, err)
		taps[i] = c
	}
	count := func(tap *lab.Capture, frame []byte) (n int) {
		for _, f := range tap.Frames() {
			if bytes.Equal(f.Data, frame) {
				n++
			}
		}
		return n
	}
	everyone, nowhere := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, noMAC
	var sent [][]byte
	for i, e := range ends {
		src, err := e.host.MAC(e.dev)
		must(t, err)
		for _, dst := range []net.HardwareAddr{everyone, nowhere} {
			sent = append(sent, named(dst, src, "from "+e.addr.String()+" to "+dst.String()))
			must(t, e.host.SendFrame(e.dev, sent[len(sent)-1]))
		}
		for j := range ends {
			if j != i {
				ping(t, e, ends[j], lab.PingOptions{}) // behind them in every queue
				ping(t, ends[j], e, lab.PingOptions{})
			}
		}
	}
	// What is sent last comes behind all of it, in the captures too.
	for i, e := range ends {
		src, err := e.host.MAC(e.dev)
		must(t, err)
		last := named(everyone, src, "the last from "+e.addr.String())
		must(t, e.host.SendFrame(e.dev, last))
		for j, tap := range taps {
			if j != i {
				_, err := tap.Wait(within(t), 1, func(f lab.Frame) bool { return bytes.Equal(f.Data, last) })
				must(t, err)
			}
		}
	}
	for n, frame := range sent {
		for i, tap := range taps {
			want := 1
			if n/2 == i {
				want = 0
			}
			if got := count(tap, frame); got != want {
				t.Errorf("%q came %d times to %s, want %d", bytes.TrimRight(frame[14:], "\x00"), got, ends[i].addr, want)
			}
		}
	}
	fdb := g.fdb()
	for _, line := range []string{o.one.mac(t) + " dev port master gw42", o.two.mac(t) + " dev port master gw42", o.far.mac(t) + " dev gw42 dst 10.65.132.188 self"} {
		if !slices.Contains(fdb, line) {
			t.Errorf("gw fdb show lacks %q, has\n%s", line, strings.Join(fdb, "\n"))
		}
	}
	if s := g.status(); s.FDB.Moves > 0 {
		t.Errorf("%d addresses moved: frames came back another way", s.FDB.Moves)
	}
	checkVerdicts(t, g)
	g.stop()
}

// With an MTU of 1500 on both sides the answer to what does not fit comes through
// the bridge to its sender, and to nobody else.
func TestTooBigBehindBridge(t *testing.T) {
	t.Parallel()
	o := newOffice(t, 1500)
	g := start(t, o.node1, on("--remote", "10.65.132.188", "--port", "port")...)
	resolve(t, o.one, o.far)
	other, err := o.two.host.Capture(o.two.dev, func(f lab.Frame) bool {
		return !f.Outgoing && len(f.Data) > 34 && f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 1
	})
	must(t, err)
	transfer(t, o.one, o.far, 10<<20)
	if s := g.status(); s.Workers[0].Answers == 0 {
		t.Error("nobody was told that a frame was too big")
	}
	if seen := other.Frames(); len(seen) > 0 {
		t.Errorf("%d answers went to another container", len(seen))
	}
	converse(t, o.one, o.two) // what stays on the bridge keeps its MTU
	g.stop()
}
