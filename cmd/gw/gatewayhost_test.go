package main

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// routed is a host with ip_forward on: its devices gw42 and gw43 are the default
// routes of the containers at gw's ports.
const routed = `
underlay: {iface: ens18}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    ports: [veth1]
    device: {addresses: [172.17.42.1/24]}
  - vni: 43
    remotes: [10.65.132.188]
    ports: [veth2]
    device: {addresses: [172.17.43.1/24]}
metrics: {listen: ""}
`

// Containers reach another VNI, on this gateway and behind the tunnel, a host on the
// underlay's segment and one behind another interface, by way of the host. Their MTU
// is 1500 and the devices' is 1450.
func TestHostRoutes(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	node1, node2, near, outside := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "near"), newHost(t, l, "outside")
	_, err := l.Switch("switch", lab.SwitchPort{Host: node1, Link: "ens18"}, lab.SwitchPort{Host: node2, Link: "ens18"}, lab.SwitchPort{Host: near, Link: "ens18"})
	must(t, err)
	must(t, node1.AddAddress("ens18", "10.65.132.187/24"))
	must(t, node2.AddAddress("ens18", "10.65.132.188/24"))
	must(t, near.AddAddress("ens18", "10.65.132.200/24"))
	must(t, l.Veth(node1, "ens19", outside, "eth0", lab.VethOptions{}))
	must(t, node1.AddAddress("ens19", "192.0.2.1/24"))
	must(t, outside.AddAddress("eth0", "192.0.2.2/24"))
	must(t, node1.SetSysctl("net.ipv4.ip_forward", "1"))
	all := netip.MustParsePrefix("0.0.0.0/0")
	route := func(h *lab.Host, to, via string) {
		must(t, h.AddRoute(lab.Route{Dst: netip.MustParsePrefix(to), Via: netip.MustParseAddr(via)}))
	}
	route(near, "172.17.0.0/16", "10.65.132.187")
	route(outside, "0.0.0.0/0", "192.0.2.1")
	container := func(link, name, addr, gateway string) end {
		c, err := node1.BridgePort(link, name, addr+"/24", lab.VethOptions{})
		must(t, err)
		must(t, c.AddRoute(lab.Route{Dst: all, Via: netip.MustParseAddr(gateway)}))
		return end{host: c, dev: "veth0", addr: netip.MustParseAddr(addr)}
	}
	one := container("veth1", "one", "172.17.42.11", "172.17.42.1")
	two := container("veth2", "two", "172.17.43.12", "172.17.43.1")
	must(t, node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Remote: under1, Address: "172.17.43.13/24"}))
	route(node2, "172.17.42.0/24", "172.17.43.1")
	far := end{host: node2, dev: "vxlan43", addr: netip.MustParseAddr("172.17.43.13")}

	file := filepath.Join(t.TempDir(), "gw.yaml")
	must(t, os.WriteFile(file, []byte(routed), 0o600))
	redirects, err := one.host.Capture(one.dev, func(f lab.Frame) bool {
		return len(f.Data) > 34 && f.Data[12] == 8 && f.Data[13] == 0 && f.Data[23] == 1 && f.Data[34] == 5
	})
	must(t, err)
	g := start(t, node1, "--config", file)
	for _, other := range []struct {
		name string
		end
	}{
		{"another VNI", two},
		{"another VNI behind the tunnel", far},
		{"the underlay's segment", end{host: near, dev: "ens18", addr: netip.MustParseAddr("10.65.132.200")}},
		{"another interface", end{host: outside, dev: "eth0", addr: netip.MustParseAddr("192.0.2.2")}},
	} {
		t.Run(other.name, func(t *testing.T) {
			ping(t, one, other.end, lab.PingOptions{Count: 5, Interval: answerTime / 20})
			ping(t, other.end, one, lab.PingOptions{})
			isNarrow(t, one, other.end)
			isNarrow(t, other.end, one)
			transfer(t, one, other.end, 10<<20)
			transfer(t, other.end, one, 10<<20)
			datagrams(t, one, other.end)
			datagrams(t, other.end, one)
			rightChecksums(t, other.host)
		})
	}
	rightChecksums(t, one.host)
	rightChecksums(t, node1)
	if seen := redirects.Frames(); len(seen) > 0 {
		t.Errorf("%d ICMP redirects", len(seen))
	}
	checkVerdicts(t, g)
	g.stop()
}

// isNarrow has from learn that the way to an end carries no more than gw's devices:
// who drops a larger packet, gw or the host, tells its sender.
func isNarrow(t *testing.T, from, to end) {
	t.Helper()
	eventually(t, func() string {
		res, err := from.host.Ping(testContext(t), to.addr, lab.PingOptions{Size: 1500 - 28, DontFragment: true, Timeout: answerTime})
		must(t, err)
		if len(res.Errors) == 1 && errors.Is(res.Errors[0], unix.EMSGSIZE) {
			return ""
		}
		return fmt.Sprintf("a packet of 1500 bytes from %s to %s: %+v, want EMSGSIZE", from.addr, to.addr, res)
	})
	ping(t, from, to, lab.PingOptions{Size: 1450 - 28, DontFragment: true})
}
