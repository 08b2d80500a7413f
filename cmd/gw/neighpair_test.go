package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// Two gateways learn from the containers' own ARP and ND who is where: the second question for a container is answered by the
// gateway next to who asks, also when the tunnel is cut; with the router flag that the container had. A storm of claims in another
// VNI changes nothing of that.
func TestNeighBetweenGateways(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	nodes := [2]*lab.Host{newHost(t, l, "node1"), newHost(t, l, "node2")}
	cable(t, l, nodes[0], nodes[1])
	var boxes, boxes6 [2]end
	for i, h := range nodes {
		c, err := h.BridgePort("veth1", []string{"net1", "net2"}[i], fmt.Sprintf("172.17.1.%d/24", i+1), lab.VethOptions{MTU: 1450})
		must(t, err)
		must(t, c.AddAddress("veth0", fmt.Sprintf("fd17::%d/64", i+1)))
		boxes[i] = end{host: c, dev: "veth0", addr: netip.MustParseAddr(fmt.Sprintf("172.17.1.%d", i+1))}
		boxes6[i] = end{host: c, dev: "veth0", addr: netip.MustParseAddr(fmt.Sprintf("fd17::%d", i+1))}
	}
	must(t, boxes[1].host.SetSysctl("net.ipv6.conf.all.forwarding", "1"))
	hostile, err := nodes[0].BridgePort("veth9", "hostile", "172.17.9.9/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	file := writeFile(t, `underlay: {iface: ens18}
metrics: {listen: ''}
vnis:
- {vni: 42, remotes: [10.65.132.188], ports: [veth1], neigh_suppress: true}
- {vni: 43, remotes: [10.65.132.188], ports: [veth9], neigh_suppress: true, maxneigh: 100}
`)
	g := start(t, nodes[0], "--config", file)
	far := start(t, nodes[1], "--iface", "ens18", "--vni", "42", "--remote", "10.65.132.187", "--port", "veth1")
	first := boxes[0].mac(t)
	asked, err := boxes[1].host.Capture("veth0", func(f lab.Frame) bool { // the first container's questions to all
		typ := binary.BigEndian.Uint16(f.Data[12:])
		return !f.Outgoing && f.Data[0]&1 != 0 && net.HardwareAddr(f.Data[6:12]).String() == first &&
			(typ == experimental || typ == 0x0806 && f.Data[21] == 1 || typ == 0x86dd && f.Data[20] == 58 && f.Data[54] == 135)
	})
	must(t, err)
	counted := 0
	questions := func() (n [2]int) {
		t.Helper()
		counted++
		hw, err := net.ParseMAC(first)
		must(t, err)
		must(t, boxes[0].host.SendFrame("veth0", named(everyone, hw, frameText(counted)))) // comes behind them
		_, err = asked.Wait(testContext(t), 1, func(f lab.Frame) bool { return isFrame(f, counted) })
		must(t, err)
		for _, f := range asked.Frames() {
			switch f.Data[13] {
			case 0x06:
				n[0]++
			case 0xdd:
				n[1]++
			}
		}
		return n
	}
	for i := range boxes { // one question each
		ping(t, boxes[0], []end{boxes[1], boxes6[1]}[i], lab.PingOptions{})
	}
	before := questions()
	if before[0] == 0 || before[1] == 0 {
		t.Fatalf("the first container asked %v questions", before)
	}
	line := func(e end, router string) string {
		return fmt.Sprintf("%s dev gw42 lladdr %s %sREACHABLE\n", e.addr, e.mac(t), router)
	}
	shows := func(lines ...string) {
		t.Helper()
		eventually(t, func() string {
			out := g.neighLines("dev", "gw42")
			for _, l := range lines {
				if !strings.Contains(out, l) {
					return fmt.Sprintf("gw neigh show lacks %q:\n%s", l, out)
				}
			}
			return ""
		})
	}
	shows(line(boxes[1], ""), line(boxes6[1], "router "), line(boxes[0], ""))
	resolvedAgain := func(connected bool) {
		t.Helper()
		was := g.status().VNIs[0].Neigh.Answered
		must(t, boxes[0].host.FlushNeighbours("veth0"))
		for _, e := range []end{boxes[1], boxes6[1]} {
			_, err := boxes[0].host.Ping(testContext(t), e.addr, lab.PingOptions{Timeout: 1}) // whether or not it is answered
			must(t, err)
		}
		eventually(t, func() string {
			neighs, err := boxes[0].host.Neighbours("veth0")
			must(t, err)
			for _, e := range []end{boxes[1], boxes6[1]} {
				if !slices.ContainsFunc(neighs, func(n netlink.Neigh) bool {
					return n.IP.Equal(e.addr.AsSlice()) && n.HardwareAddr.String() == e.mac(t) && (n.Flags&netlink.NTF_ROUTER != 0) == e.addr.Is6()
				}) {
					return fmt.Sprintf("%s is not resolved: %v", e.addr, neighs)
				}
			}
			return ""
		})
		eventually(t, func() string {
			if n := g.status().VNIs[0].Neigh.Answered; n < was+2 {
				return fmt.Sprintf("%d questions answered, %d before", n, was)
			}
			return ""
		})
		if !connected {
			return
		}
		if got := questions(); got != before {
			t.Errorf("questions of the first container came through the tunnel: %v, %v before", got, before)
		}
	}
	resolvedAgain(true)

	// A container that claims thousands of addresses fills its own VNI's table, and no more of it than the limit.
	station := net.HardwareAddr{2, 0, 0, 0, 9, 9}
	for n := range 60 {
		var storm [][]byte
		for i := range 50 {
			storm = append(storm, arpOf(everyone, station, 1, station, fmt.Sprintf("10.9.%d.%d", n, i), "10.9.255.254"))
		}
		must(t, hostile.SendFrame("veth0", storm...))
	}
	g.awaitProblem("vni 43: as many neighbours are known as maxneigh allows, 100")
	if n := g.status().VNIs[1].Neigh; n.Entries != 100 || n.Refused["limit"] == 0 {
		t.Errorf("after a storm %+v", n)
	}
	resolvedAgain(true)
	must(t, nodes[1].SetDown("ens18"))
	resolvedAgain(false)
	must(t, nodes[1].SetUp("ens18"))

	// Whoever moves to another address is where it says next.
	_, moved, ok := bytes.Cut([]byte(boxes[1].mac(t)), []byte(":"))
	if !ok {
		t.Fatal("no MAC address")
	}
	hw, err := net.ParseMAC("06:" + string(moved))
	must(t, err)
	must(t, boxes[1].host.SetMAC("veth0", hw))
	must(t, boxes[1].host.FlushNeighbours("veth0"))
	answers(t, boxes[1].host, boxes[0].addr.String()) // once both gateways use the link again
	shows(line(boxes[1], ""))
	if out := output(t, nodes[0], "status"); !strings.Contains(out, "NEIGHBOURS") || !strings.Contains(out, "answered") {
		t.Errorf("gw status:\n%s", out)
	}
	checkVerdicts(t, g)
	g.stop()
	far.stop()
}
