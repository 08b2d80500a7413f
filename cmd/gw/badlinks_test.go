package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// Interfaces that are there, and yet of no use.

// addLink makes an interface on h and gives it a second name.
func addLink(t *testing.T, h *lab.Host, l netlink.Link, second string) {
	t.Helper()
	must(t, h.Do(func() error {
		if err := netlink.LinkAdd(l); err != nil {
			return err
		}
		made, err := netlink.LinkByName(l.Attrs().Name)
		if err != nil {
			return err
		}
		return netlink.LinkAddAltName(made, second)
	}))
}

func TestUnfitInterfaces(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	addLink(t, h, &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: netlink.TUNTAP_MODE_TUN}, "tunnel")
	iface := func(name string) []string {
		return []string{"--iface", name, "--vni", "42", "--metrics", "", "--local", "10.65.132.187"}
	}
	refuse(t, h, []refusal{
		{name: "underlay loopback", args: iface("lo"), status: 2, want: []string{"underlay lo", "loopback"}},
		{name: "underlay without Ethernet", args: iface("tun0"), status: 2, want: []string{"underlay tun0", "not an Ethernet interface"}},
		{name: "underlay by a second name", args: iface("tunnel"), status: 2, want: []string{`"tunnel"`, "another name of tun0"}},
		{name: "port loopback", args: on("--port", "lo"), status: 2, want: []string{"vni 42: port lo", "loopback"}},
		{name: "port without Ethernet", args: on("--port", "tun0"), status: 2, want: []string{"vni 42: port tun0", "not an Ethernet interface"}},
		{name: "port by a second name", args: on("--port", "tunnel"), status: 2, want: []string{"vni 42", `"tunnel"`, "another name of tun0"}},
		{name: "socket of another folder", args: []string{"status", "--iface", "../ens18"}, status: 2, want: []string{"../ens18", "no interface name"}},
		{name: "cleanup of another folder", args: []string{"cleanup", "--iface", "../ens18"}, status: 2, want: []string{"../ens18", "no interface name"}},
	})
	must(t, h.Bridge("br0", "veth1"))
	refuse(t, h, []refusal{
		{name: "port of a bridge", args: on("--port", "veth1"), status: 1, want: []string{"vni 42: port veth1", "bridge br0", "ip link set dev veth1 nomaster"}},
	})
}

// TestUnderlayMTU has less and more on the underlay than the usual 1,500 bytes.
func TestUnderlayMTU(t *testing.T) {
	t.Parallel()
	h, peer := newPoint(t)
	set := func(mtu int) func(*testing.T, *lab.Host) {
		return func(t *testing.T, h *lab.Host) { must(t, h.SetMTU("ens18", mtu)) }
	}
	refuse(t, h, []refusal{
		{name: "no frame holds it", before: set(65500), args: on(), status: 1, want: []string{"ens18", "65500", "ip link set dev ens18 mtu 65262"}},
		{name: "nothing left", before: set(100), args: on(), status: 1, want: []string{"ens18", "100", "ip link set dev ens18 mtu"}},
		{name: "too little for IPv6", before: set(1300), args: on("--address", "fd00::2/64"), status: 1, want: []string{"fd00::2/64", "gw42", "1250", "1280", "1330"}},
	})
	for _, mtu := range []int{1280, 3506, 9050} {
		must(t, h.SetMTU("ens18", mtu))
		must(t, peer.SetMTU("ens18", mtu))
		must(t, peer.SetMTU("vxlan0", mtu-50))
		before := dump(t, h)
		g := start(t, h, on("--group", "224.1.1.1", "--address", ourAddress+"/24")...)
		if l, err := h.Link("gw42"); err != nil || l.Attrs().MTU != mtu-50 {
			t.Errorf("gw42 over an MTU of %d: %+v, %v", mtu, l, err)
		}
		pings(t, h, peerAddress)
		pings(t, peer, ourAddress)
		g.stop()
		clean(t, before, h)
	}
}

// TestUnderlayMTUChanges has the underlay's MTU leave what gw can do with, and come back, while it runs.
func TestUnderlayMTUChanges(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	g := start(t, h, on("--group", "224.1.1.1", "--address", ourAddress+"/24")...)
	for _, mtu := range []int{100, 9000} {
		must(t, h.SetMTU("ens18", mtu))
		eventually(t, func() string {
			p := strings.Join(g.status().Problems, "\n")
			for _, want := range []string{"underlay ens18", strconv.Itoa(mtu), "ip link set dev ens18 mtu"} {
				if !strings.Contains(p, want) {
					return fmt.Sprintf("an MTU of %d: problems: %q", mtu, p)
				}
			}
			return ""
		})
	}
	must(t, h.SetMTU("ens18", 1500))
	eventually(t, func() string {
		if p := g.status().Problems; len(p) > 0 {
			return strings.Join(p, "\n")
		}
		return ""
	})
	pings(t, h, peerAddress)
	g.stop()
}
