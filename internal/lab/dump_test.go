package lab

import (
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func dumpOf(t *testing.T, h *Host) string {
	t.Helper()
	text, err := h.Dump()
	must(t, err)
	return text
}

// Each change must show, and must be gone once it is reverted.
func TestDumpShowsChanges(t *testing.T) {
	_, a, b := pair(t)
	peer := netip.MustParseAddr("10.65.132.188")
	route := Route{Dst: netip.MustParsePrefix("192.0.2.0/24"), Via: peer, MTU: 1400}
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	var sock int
	join := &unix.IPMreqn{Multiaddr: [4]byte{224, 1, 1, 1}}
	l, err := a.Link("ens18")
	must(t, err)
	filter, err := a.Sysctl("net.ipv4.conf.ens18.rp_filter")
	must(t, err)
	must(t, a.KernelVXLAN(VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18"}))
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()}, // XDP_PASS
	})
	must(t, err)
	defer prog.Close()
	join.Ifindex = int32(l.Attrs().Index)
	for _, tc := range []struct {
		name       string
		do, revert func() error
	}{
		{"mtu", func() error { return a.SetMTU("ens18", 1400) }, func() error { return a.SetMTU("ens18", 1500) }},
		{"offload", func() error { return a.SetOffload("ens18", "tso", false) }, func() error { return a.SetOffload("ens18", "tso", true) }},
		{"address", func() error { return a.AddAddress("ens18", "192.0.2.1/24") }, func() error { return a.DeleteAddress("ens18", "192.0.2.1/24") }},
		{"route", func() error { return a.AddRoute(route) }, func() error { return a.DeleteRoute(route) }},
		{"neighbour", func() error { return a.SetNeighbour("ens18", netip.MustParseAddr("10.65.132.9"), mac) },
			func() error { return a.DeleteNeighbour("ens18", netip.MustParseAddr("10.65.132.9")) }},
		{"sysctl", func() error { return a.SetSysctl("net.ipv4.conf.ens18.rp_filter", "2") }, func() error { return a.SetSysctl("net.ipv4.conf.ens18.rp_filter", filter) }},
		{"link", func() error { return a.KernelVXLAN(VXLANConfig{Name: "v", VNI: 1, Dev: "ens18", Remote: peer}) }, func() error { return a.DeleteLink("v") }},
		{"managed neighbour", func() error {
			return a.nl.NeighSet(&netlink.Neigh{LinkIndex: l.Attrs().Index, IP: net.IPv4(10, 65, 132, 9), Flags: netlink.NTF_USE, FlagsExt: netlink.NTF_EXT_MANAGED})
		}, func() error { return a.DeleteNeighbour("ens18", netip.MustParseAddr("10.65.132.9")) }},
		{"promiscuity", func() error { return a.Do(func() error { return netlink.SetPromiscOn(l) }) },
			func() error { return a.Do(func() error { return netlink.SetPromiscOff(l) }) }},
		{"xdp program", func() error { return a.Do(func() error { return netlink.LinkSetXdpFd(l, prog.FD()) }) },
			func() error { return a.Do(func() error { return netlink.LinkSetXdpFd(l, -1) }) }},
		{"fdb entry", func() error { return a.AppendFDB("vxlan0", make([]byte, 6), peer) }, func() error { return a.DeleteFDB("vxlan0", make([]byte, 6), peer) }},
		{"bridge", func() error { return a.Bridge("br0") }, func() error { return a.DeleteLink("br0") }},
		{"group", func() error {
			return a.Do(func() (err error) {
				if sock, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
					return err
				}
				return unix.SetsockoptIPMreqn(sock, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, join)
			})
		}, func() error { return unix.Close(sock) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := dumpOf(t, a)
			must(t, tc.do())
			if during := dumpOf(t, a); during == before {
				t.Error("the change does not show")
			}
			must(t, tc.revert())
			if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(dumpOf(t, a), "\n")); diff != "" {
				t.Errorf("not as before (-before +after):\n%s", diff)
			}
		})
	}

	t.Run("traffic", func(t *testing.T) {
		before := dumpOf(t, a)
		expectPing(t, a, "10.65.132.188", PingOptions{Count: 3, Interval: 1})
		expectPing(t, b, "fd00::187", PingOptions{})
		expectPing(t, a, "10.65.132.187", PingOptions{})
		expectPing(t, a, "fd00::187", PingOptions{})
		must(t, a.FlushNeighbours("ens18"))
		if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(dumpOf(t, a), "\n")); diff != "" {
			t.Errorf("traffic changes the dump (-before +after):\n%s", diff)
		}
	})
}

func TestDumpCovers(t *testing.T) {
	_, a, _ := pair(t)
	text := dumpOf(t, a)
	for _, want := range []string{
		"link ens18 type veth mac ", "feature ens18 tx-tcp-segmentation active true requested true", "channels ens18 rx 1 tx 1 combined 0",
		"setting ens18 napi_defer_hard_irqs 0", "address ens18 10.65.132.187/24 ", "address ens18 fd00::187/64 ", "qdisc ens18 noqueue ",
		"route 10.65.132.0/24 table 254 ", "rule 32766 family 2 ", "rule 32766 family 10 ", "group ens18 ipv4 010000E0 users 1",
		"group ens18 ipv6 ff020000000000000000000000000001 users ", "group ens18 link 01005e000001 ",
		"sysctl net/ipv4/conf/ens18/forwarding 0", "sysctl net/ipv6/conf/ens18/forwarding 0",
	} {
		if !strings.Contains(text, "\n"+want) && !strings.HasPrefix(text, want) {
			t.Errorf("dump lacks %q", want)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}
