package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// The underlay is a VLAN of an interface that others share.

// vlanWorld is two hosts with VLANs 100 and 200 on one cable, and addresses on the cable itself.
type vlanWorld struct {
	a, b        *lab.Host
	left, right end
	wire        *lab.Capture // at the other end of the cable
}

// underlayVLAN is the one that carries the tunnel.
const underlayVLAN = 100

func newVLANWorld(t *testing.T, far lab.VXLANConfig) *vlanWorld {
	t.Helper()
	l := newLab(t)
	w := &vlanWorld{a: newHost(t, l, "node1"), b: newHost(t, l, "node2")}
	must(t, l.Veth(w.a, "ens18", w.b, "ens18", lab.VethOptions{}))
	for i, h := range []*lab.Host{w.a, w.b} {
		needsDevice(t, h.VLAN("ens18", "ens18.100", underlayVLAN), "VLAN")
		must(t, h.VLAN("ens18", "ens18.200", 200))
		must(t, h.AddAddress("ens18.100", []netip.Addr{under1, under2}[i].String()+"/24"))
		must(t, h.AddAddress("ens18.100", []netip.Addr{six1, six2}[i].String()+"/64"))
		must(t, h.AddAddress("ens18.200", fmt.Sprintf("10.99.0.%d/24", i+1)))
		must(t, h.AddAddress("ens18", fmt.Sprintf("10.98.0.%d/24", i+1)))
	}
	far.Name, far.VNI, far.Dev, far.Address = "vxlan0", 42, "ens18.100", peerAddress+"/24"
	must(t, w.b.KernelVXLAN(far))
	var err error
	w.wire, err = w.b.Capture("ens18", func(f lab.Frame) bool { return !f.Outgoing })
	must(t, err)
	w.left, w.right = end{w.a, "gw42", over1, "ens18.100", under1}, end{w.b, "vxlan0", over2, "ens18.100", under2}
	return w
}

// others has the VLAN beside and the untagged hosts talk, as ever.
func (w *vlanWorld) others(t *testing.T) {
	t.Helper()
	pings(t, w.a, "10.99.0.2")
	pings(t, w.b, "10.99.0.1")
	pings(t, w.a, "10.98.0.2")
	pings(t, w.b, "10.98.0.1")
}

func onVLAN(more ...string) []string {
	return append([]string{"--iface", "ens18.100", "--vni", "42", "--metrics", "", "--address", ourAddress + "/24"}, more...)
}

func TestVLANUnderlay(t *testing.T) {
	t.Parallel()
	told := control.TagsMetadata
	if !tagsTold(t) {
		told = control.TagsLost // the other end is in another namespace
	}
	for _, c := range []struct {
		name, mode string
		within     bool // the far end leaves the tag in the frame
		tags       string
		long       bool // packets come by way of the kernel
	}{
		{"auto", "auto", false, told, told == control.TagsLost},
		{"tag in the frame", "copy", true, told, false},
		{"generic", "generic", false, control.TagsLost, true},
		{"generic, tag in the frame", "generic", true, control.TagsLost, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newVLANWorld(t, lab.VXLANConfig{Remote: under1})
			if c.within {
				must(t, w.b.SetOffload("ens18", "txvlan", false))
			}
			if c.mode == "generic" {
				for _, offload := range []string{"tso", "gso", "tx-udp-segmentation"} {
					must(t, w.b.SetOffload("ens18", offload, false))
				}
			}
			g := start(t, w.a, onVLAN("--remote", under2.String(), "--mode", c.mode)...)
			u := g.status().Underlay
			if u.Name != "ens18.100" || u.Below != "ens18" || u.VLAN != underlayVLAN || u.Tags != c.tags || u.MTU != 1500 {
				t.Errorf("the status has %+v, want tags %s", u, c.tags)
			}
			if text := output(t, w.a, "status"); !strings.Contains(text, ":4789 by VLAN 100 of ens18") {
				t.Errorf("gw status does not say it:\n%s", text)
			}
			converse(t, w.left, w.right)
			w.others(t)
			w.foreign(t, g)
			if n := g.status().Underlay.Injected.Packets; (n > 100) != c.long {
				t.Errorf("%d packets came by way of the kernel", n)
			}
			heardBehind(t, w.wire, w.a, "ens18")
			tagged := 0
			for _, f := range w.wire.Frames() {
				if len(f.Data) > atInner && bytes.Equal(f.Data[atSrc:atDst], under1.AsSlice()) && f.Data[atTTL+1] == 17 {
					tagged++
					if !f.Tagged || f.VLAN != underlayVLAN || f.VLANType != 0x8100 {
						t.Fatalf("a packet of the tunnel leaves with tag %t %#x %d", f.Tagged, f.VLANType, f.VLAN)
					}
				}
			}
			if tagged < 100 {
				t.Errorf("%d packets of the tunnel were seen", tagged)
			}
			checkVerdicts(t, g)
			g.stop()
			w.others(t)
		})
	}
}

// foreign sends packets that would be gw's but for their tags.
func (w *vlanWorld) foreign(t *testing.T, g *vtep) {
	t.Helper()
	mac, err := w.a.MAC("ens18.100")
	must(t, err)
	tap, err := w.a.Capture("gw42", func(f lab.Frame) bool { return bytes.Equal(f.Data[6:12], farMAC) })
	must(t, err)
	before, _, _ := verdicts(g.status())
	send := func(name string, tag ...byte) []byte {
		inner := named(noMAC, farMAC, name)
		must(t, w.b.SendFrame("ens18", slices.Insert(craft(mac, 42, inner), 12, tag...)))
		return inner
	}
	send("untagged")
	send("of another VLAN", 0x81, 0, 0, 200)
	send("of a VLAN that nobody has", 0x81, 0, 0, 101)
	send("with a service tag", 0x88, 0xa8, 0, underlayVLAN)
	send("with two tags", 0x81, 0, 0, underlayVLAN, 0x81, 0, 0, underlayVLAN)
	ours := send("with a priority", 0x81, 0, 5<<5, underlayVLAN)
	got, err := tap.Wait(within(t), 1, nil)
	must(t, err)
	if !bytes.Equal(got[0].Data, ours) {
		t.Errorf("first came %q", got[0].Data[14:])
	}
	if now, _, _ := verdicts(g.status()); now["flooded"]-before["flooded"] > 2 { // an ARP request may be among them
		t.Errorf("verdicts %v before, %v now", before, now)
	}
}

// The first packets to a next hop go through the kernel and its VLAN device; fragments come back by them.
func TestVLANUnderlayLongWay(t *testing.T) {
	t.Parallel()
	w := newVLANWorld(t, lab.VXLANConfig{Remote: under1})
	g := start(t, w.a, onVLAN("--remote", under2.String())...)
	eventually(t, func() string { // gw is told of a next hop that is gone, and asks for it, while the kernel does so too
		firstPings(t, w.left, w.right)
		if g.status().Workers[0].SlowSent == 0 {
			return "no packet was sent through the kernel"
		}
		return ""
	})
	mac, err := w.a.MAC("ens18.100")
	must(t, err)
	tap, err := w.a.Capture("gw42", func(f lab.Frame) bool { return bytes.Equal(f.Data[6:12], farMAC) })
	must(t, err)
	before := g.status().Underlay.Injected.Packets
	inner := named(noMAC, farMAC, "in fragments")
	for _, f := range fragments(craft(mac, 42, inner), 1, 32) {
		must(t, w.b.SendFrame("ens18", slices.Insert(f, 12, 0x81, 0, 0, underlayVLAN)))
	}
	got, err := tap.Wait(within(t), 1, nil)
	must(t, err)
	if !bytes.Equal(got[0].Data, inner) {
		t.Errorf("by way of the kernel came %q", got[0].Data[14:])
	}
	eventually(t, func() string { // counted behind what is sent
		if g.status().Underlay.Injected.Packets == before {
			return "no packet came by way of the kernel"
		}
		return ""
	})
	if failed := g.status().Workers[0].SlowFailed; failed > 0 {
		t.Errorf("%d packets that were to be sent through the kernel failed", failed)
	}
	checkVerdicts(t, g)
	g.stop()
}

// The same over IPv6.
func TestVLANUnderlay6(t *testing.T) {
	t.Parallel()
	w := newVLANWorld(t, lab.VXLANConfig{Remote: six1, Local: six2})
	w.left.under, w.right.under = six1, six2
	g := start(t, w.a, onVLAN("--remote", six2.String())...)
	converse(t, w.left, w.right)
	w.others(t)
	heardBehind(t, w.wire, w.a, "ens18")
	if sent := outers(t, w.wire, six1); len(sent) < 100 {
		t.Errorf("%d packets were sent over IPv6", len(sent))
	}
	checkVerdicts(t, g)
	g.stop()
}

// VTEPs find one another through a group that is joined in the VLAN.
func TestVLANUnderlayGroup(t *testing.T) {
	t.Parallel()
	w := newVLANWorld(t, lab.VXLANConfig{Group: group})
	g := start(t, w.a, onVLAN("--group", group.String())...)
	converse(t, w.left, w.right)
	checkVerdicts(t, g)
	g.stop()
}

// One gateway per cable: another one on it is told who has it, by either name, and so is a port. What a
// killed one leaves is taken back by either.
func TestVLANUnderlayShared(t *testing.T) {
	t.Parallel()
	w := newVLANWorld(t, lab.VXLANConfig{Remote: under1})
	g := start(t, w.a, onVLAN("--remote", under2.String())...)
	pings(t, w.a, peerAddress)
	other := func(iface string, more ...string) []string {
		return append([]string{"--iface", iface, "--vni", "43", "--metrics", ""}, more...)
	}
	must(t, w.a.VLAN("ens18.200", "stacked", 5))
	refuse(t, w.a, []refusal{
		{name: "a VLAN in a VLAN", args: other("stacked"), status: 2, want: []string{"stacked is VLAN 5 of ens18.200, which is a VLAN itself"}},
		{name: "another VLAN", args: other("ens18.200"), status: 1, want: []string{"ens18.200", "VLAN 200 of ens18", "held by process", "whose underlay is ens18.100"}},
		{name: "what is below", args: other("ens18"), status: 1, want: []string{"ens18", "held by process", "whose underlay is ens18.100"}},
		{name: "the same", args: other("ens18.100"), status: 1, want: []string{"ens18.100", "held by process"}},
		{name: "cleanup", args: []string{"cleanup", "--iface", "ens18.200"}, status: 1, want: []string{"VLAN 200 of ens18", "held by process", "ens18.100"}},
	})
	refuses(t, w.a, 2, "port add ens18 --vni 42", "port ens18", "carries the underlay ens18.100")
	w.others(t)
	g.end(unix.SIGKILL)
	if out := output(t, w.a, "cleanup", "--iface", "ens18.100"); !strings.Contains(out, "gw42") {
		t.Errorf("gw cleanup says %q", out)
	}
	w.others(t)
	second := start(t, w.a, other("ens18.200", "--remote", "10.99.0.2", "--local", "10.99.0.1")...)
	refuse(t, w.a, []refusal{
		{name: "the first again", args: onVLAN(), status: 1, want: []string{"VLAN 100 of ens18", "whose underlay is ens18.200"}},
	})
	second.end(unix.SIGKILL)
	third := start(t, w.a, onVLAN("--remote", under2.String())...)
	pings(t, w.a, peerAddress)
	if said := third.log.grep("putting back what a killed gateway left"); said == "" {
		t.Error("the journal of the other VLAN's gateway was not found")
	}
	third.stop()
	output(t, w.a, "cleanup", "--iface", "ens18.200") // the socket, which is its own
}

// A VLAN device that does not exist, and how it is made.
func TestNoVLANDevice(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	refuse(t, h, []refusal{
		{name: "underlay", args: []string{"--iface", "ens18.100", "--vni", "42", "--metrics", ""}, status: 2,
			want: []string{`no interface "ens18.100"`, "ip link add link ens18 name ens18.100 type vlan id 100"}},
		{name: "port", args: on("--port", "veth1.7"), status: 2, want: []string{"port: no interface", "name veth1.7 type vlan id 7"}},
		{name: "no VLAN", args: []string{"--iface", "ens18.5000", "--vni", "42"}, status: 2, want: []string{`no interface "ens18.5000"`, "there are ens18, veth1"}},
	})
}
