package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
)

// The article's first scenario, kernel to kernel.
func TestVXLANPointToPoint(t *testing.T) {
	_, a, b := pair(t)
	v1, v2 := netip.MustParseAddr("10.65.132.187"), netip.MustParseAddr("10.65.132.188")
	must(t, a.KernelVXLAN(VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Local: v1, Remote: v2, Address: "172.17.1.2/24"}))
	must(t, b.KernelVXLAN(VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Local: v2, Remote: v1, Address: "172.17.1.3/24"}))
	expectPing(t, a, "172.17.1.3", PingOptions{Count: 3, Interval: 1})
	expectPing(t, b, "172.17.1.2", PingOptions{Size: 1422, DontFragment: true})

	mac, err := b.MAC("vxlan0")
	must(t, err)
	want := []string{
		"00:00:00:00:00:00 dev vxlan0 dst 10.65.132.188 self permanent",
		fmt.Sprintf("%s dev vxlan0 dst 10.65.132.188 self", mac),
	}
	entries, err := a.FDB("vxlan0")
	must(t, err)
	for _, line := range want {
		if !slices.ContainsFunc(entries, func(e FDBEntry) bool { return e.String() == line }) {
			t.Errorf("fdb lacks %q: %v", line, entries)
		}
	}
}

// The second scenario with three hosts: every VTEP finds every other through the group.
func TestVXLANMulticast(t *testing.T) {
	for _, tc := range []struct{ name, underlay, group string }{
		{"ipv4", "10.65.132.%d", "224.1.1.1"},
		{"ipv6", "fd00::%d", "ff05::1:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := newLab(t)
			sw, err := l.Switch("switch")
			must(t, err)
			var hosts []*Host
			for i := range 3 {
				h := newTestHost(t, l, fmt.Sprintf("node%d", i+1))
				must(t, sw.Connect(SwitchPort{Host: h, Link: "ens18"}))
				local := netip.MustParseAddr(fmt.Sprintf(tc.underlay, 187+i))
				bits := 24
				if local.Is6() {
					bits = 64
				}
				must(t, h.AddAddress("ens18", netip.PrefixFrom(local, bits).String()))
				must(t, h.KernelVXLAN(VXLANConfig{
					Name: "vxlan0", VNI: 42, Dev: "ens18", Local: local, Group: netip.MustParseAddr(tc.group),
					Address: fmt.Sprintf("172.17.1.%d/24", i+2),
				}))
				hosts = append(hosts, h)
			}
			for i, from := range hosts {
				for j := range hosts {
					if i != j {
						expectPing(t, from, fmt.Sprintf("172.17.1.%d", j+2), PingOptions{})
					}
				}
			}
		})
	}
}

// The third scenario: containers behind a bridge behind a VTEP.
func TestVXLANBridge(t *testing.T) {
	l, a, b := pair(t)
	_ = l
	var containers []*Host
	for i, h := range []*Host{a, b} {
		c, err := h.BridgePort("veth1", fmt.Sprintf("net%d", i+1), fmt.Sprintf("172.19.1.%d/24", i+2), VethOptions{})
		must(t, err)
		containers = append(containers, c)
		must(t, h.Bridge("bridge0", "veth1"))
		must(t, h.KernelVXLAN(VXLANConfig{
			Name: "vxlan0", VNI: 42, Dev: "ens18", Group: netip.MustParseAddr("224.1.1.1"), Master: "bridge0",
			Local: netip.MustParseAddr(fmt.Sprintf("10.65.132.%d", 187+i)),
		}))
	}
	expectPing(t, containers[0], "172.19.1.3", PingOptions{Count: 2, Interval: 1})
}

// Head-end replication by hand, without checksums and without learning.
func TestVXLANStatic(t *testing.T) {
	_, a, b := pair(t)
	for i, h := range []*Host{a, b} {
		must(t, h.KernelVXLAN(VXLANConfig{
			Name: "vxlan0", VNI: 7, Dev: "ens18", Port: 8472, NoLearning: true, NoUDPCSum: true, TTL: 3, TOS: 1, DF: "set",
			SrcPort: [2]uint16{50000, 50010}, Address: fmt.Sprintf("172.17.1.%d/24", i+2),
		}))
		other := netip.MustParseAddr(fmt.Sprintf("10.65.132.%d", 188-i))
		must(t, h.AppendFDB("vxlan0", make([]byte, 6), other))
	}
	expectPing(t, a, "172.17.1.3", PingOptions{})
	entries, err := a.FDB("vxlan0")
	must(t, err)
	if len(entries) != 1 || entries[0].Dst.String() != "10.65.132.188" {
		t.Errorf("learned in spite of nolearning: %v", entries)
	}
	for range 2 {
		must(t, a.DeleteFDB("vxlan0", make([]byte, 6), netip.MustParseAddr("10.65.132.188")))
	}
	if entries, err := a.FDB("vxlan0"); err != nil || len(entries) != 0 {
		t.Errorf("after delete: %v %v", entries, err)
	}
	must(t, a.KernelVXLAN(VXLANConfig{
		Name: "vxlan1", VNI: 1<<24 - 1, Dev: "ens18", Local: netip.MustParseAddr("fd00::187"), Remote: netip.MustParseAddr("fd00::188"),
		Ageing: 7, MTU: 1300, MAC: []byte{2, 0, 0, 0, 0, 1}, UDP6ZeroCSumTx: true, UDP6ZeroCSumRx: true,
	}))
	l, err := a.Link("vxlan1")
	must(t, err)
	v := l.(*netlink.Vxlan)
	if v.VxlanId != 1<<24-1 || v.Port != 4789 || v.Age != 7 || v.MTU != 1300 || v.HardwareAddr.String() != "02:00:00:00:00:01" ||
		!v.UDP6ZeroCSumTx || !v.UDP6ZeroCSumRx || !v.Learning || v.TTL != 0 || v.Group.String() != "fd00::188" || v.SrcAddr.String() != "fd00::187" {
		t.Errorf("made %+v", v)
	}
	l, err = a.Link("vxlan0")
	must(t, err)
	v = l.(*netlink.Vxlan)
	if v.Port != 8472 || v.TTL != 3 || v.TOS != 1 || v.UDPCSum || v.Learning || v.PortLow != 50000 || v.PortHigh != 50010 {
		t.Errorf("made %+v", v)
	}
	for _, c := range []VXLANConfig{
		{Name: "v", VNI: 1, DF: "perhaps"},
		{Name: "v", VNI: 1, Dev: "nowhere"},
		{Name: "v", VNI: 1, Remote: netip.MustParseAddr("10.0.0.1"), Group: netip.MustParseAddr("224.1.1.1")},
	} {
		if err := a.KernelVXLAN(c); err == nil {
			t.Errorf("%+v was accepted", c)
		}
	}
}
