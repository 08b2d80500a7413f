package main

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/config"
	"vxgw/internal/lab"
)

// The article's three set-ups are taken over from the kernel's device by what gw config from-kernel prints: its file, and the commands
// above it.
func TestFromKernel(t *testing.T) {
	t.Parallel()
	group := netip.MustParseAddr("224.1.1.1")
	for _, s := range []struct {
		name   string
		ours   lab.VXLANConfig
		theirs lab.VXLANConfig
		bridge bool
	}{
		{"point to point", lab.VXLANConfig{Remote: under2, Local: under1, TTL: 33, DF: "set", Ageing: 77}, lab.VXLANConfig{Remote: under1, Local: under2}, false},
		{"multicast", lab.VXLANConfig{Group: group, Local: under1, NoUDPCSum: true, TOS: 1, SrcPort: [2]uint16{50000, 50100}}, lab.VXLANConfig{Group: group, Local: under2}, false},
		{"multicast and bridge", lab.VXLANConfig{Group: group, Local: under1}, lab.VXLANConfig{Group: group, Local: under2}, true},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			h, peer := newHost(t, l, "node1"), newHost(t, l, "node2")
			cable(t, l, h, peer)
			from := h
			s.ours.Name, s.ours.VNI, s.ours.Dev = "vxlan0", 42, "ens18"
			s.theirs.Name, s.theirs.VNI, s.theirs.Dev, s.theirs.Address = "vxlan0", 42, "ens18", over2.String()+"/24"
			if s.bridge {
				from = newHost(t, l, "net1")
				must(t, l.Veth(h, "veth1", from, "veth0", lab.VethOptions{MTU: 1450}))
				must(t, from.AddAddress("veth0", over1.String()+"/24"))
				must(t, h.Bridge("bridge0", "veth1"))
				s.ours.Master = "bridge0"
			} else {
				s.ours.Address = over1.String() + "/24"
			}
			must(t, h.KernelVXLAN(s.ours))
			must(t, peer.KernelVXLAN(s.theirs))
			pings(t, from, over2.String())
			must(t, h.AppendFDB("vxlan0", net.HardwareAddr{2, 0, 0, 0, 0, 1}, under3))
			must(t, h.ChangeTunnel("vxlan0", "add", lab.TunnelEntry{MAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, Dst: under3, Port: 8472, VNI: 7}))
			must(t, h.ChangeTunnel("vxlan0", "append", lab.TunnelEntry{MAC: make(net.HardwareAddr, 6), Dst: under3, Port: 4790}))
			before, err := h.TunnelFDB("vxlan0")
			must(t, err)
			was, err := h.MAC("vxlan0")
			must(t, err)

			text := output(t, h, "config", "from-kernel", "vxlan0")
			g := switchOver(t, h, text)
			pings(t, from, over2.String())
			if !s.bridge {
				if now, err := h.MAC("vxlan0"); err != nil || now.String() != was.String() {
					t.Errorf("the device has %s, had %s, %v", now, was, err)
				}
			}
			g.stays(t, before)
			v := g.inForce().VNIs[0]
			if want := map[bool]config.TTL{true: 33, false: config.TTLAuto}[s.ours.TTL == 33]; v.Tunnel.TTL != want ||
				v.Tunnel.UDPCsum == s.ours.NoUDPCSum || v.MaxAddress != 0 || (v.Device == nil) != s.bridge || s.ours.SrcPort[0] != 0 && v.Tunnel.SrcPort != s.ours.SrcPort {
				t.Errorf("the file says\n%s", text)
			}
			g.stop()
		})
	}
}

// switchOver does what a printed file says above itself, with the file.
func switchOver(t *testing.T, h *lab.Host, text string) (g *vtep) {
	t.Helper()
	file := writeFile(t, text)
	output(t, h, "config", "check", file)
	for _, c := range regexp.MustCompile(`(?m)^#   (.*?)(?:    #.*)?$`).FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(c[1], "systemctl start gw@ens18") {
			g = start(t, h, "--config", file, "--metrics", "")
			continue
		}
		ipCommand(t, h, c[1])
	}
	if g == nil {
		t.Fatalf("nothing starts gw:\n%s", text)
	}
	return g
}

// Two devices become two VNIs of one file, named one by one or by their bridge; what cannot be in one file is refused.
func TestFromKernelSeveral(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer, box := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "box")
	cable(t, l, h, peer)
	must(t, l.Veth(h, "veth1", box, "veth0", lab.VethOptions{MTU: 1450}))
	must(t, box.AddAddress("veth0", "172.17.42.2/24"))
	must(t, h.Bridge("bridge0", "veth1"))
	both := func(vni uint32, ours lab.VXLANConfig) {
		t.Helper()
		ours.Name, ours.VNI, ours.Dev, ours.Remote, ours.Local = fmt.Sprintf("vxlan%d", vni), vni, "ens18", under2, under1
		must(t, h.KernelVXLAN(ours))
		must(t, peer.KernelVXLAN(lab.VXLANConfig{Name: ours.Name, VNI: vni, Dev: "ens18", Remote: under1, Address: fmt.Sprintf("172.17.%d.3/24", vni)}))
	}
	both(42, lab.VXLANConfig{Master: "bridge0"})
	both(43, lab.VXLANConfig{Address: "172.17.43.2/24", TTL: 9})
	must(t, h.KernelVXLAN(lab.VXLANConfig{Name: "vxlan7", VNI: 7, Port: 4791, Dev: "ens18"}))
	pings(t, box, "172.17.42.3")
	refuses(t, h, 1, "config from-kernel vxlan42 vxlan7", "vxlan7 has dstport 4791, vxlan42 4789")
	refuses(t, h, 1, "config from-kernel vxlan42 nothing", "find nothing")
	must(t, h.DeleteLink("vxlan7"))
	must(t, h.Bridge("bridge1"))
	refuses(t, h, 1, "config from-kernel bridge1", "no vxlan device is in the bridge bridge1")

	g := switchOver(t, h, output(t, h, "config", "from-kernel", "bridge0", "vxlan43", "vxlan42"))
	pings(t, box, "172.17.42.3")
	pings(t, h, "172.17.43.3")
	v := g.inForce().VNIs
	if len(v) != 2 || v[0].Device != nil || len(v[0].Ports) != 1 || v[0].Tunnel.TTL != config.TTLAuto || v[1].Device == nil || v[1].Tunnel.TTL != 9 {
		t.Errorf("in force is %+v", v)
	}
	g.stop()
}

// stays fails unless the static entries and the flood list are those that the kernel had, but for the interface's name.
func (g *vtep) stays(t *testing.T, kernel []string) {
	t.Helper()
	plain := func(lines []string) (out []string) {
		for _, l := range lines {
			if !strings.HasSuffix(l, "self permanent") && !strings.HasSuffix(l, "self static") {
				continue // learned
			}
			l = regexp.MustCompile(` (dev|via) \S+| self (permanent|static)`).ReplaceAllString(l, "")
			out = append(out, l)
		}
		slices.Sort(out)
		return out
	}
	if have, want := plain(g.fdb()), plain(kernel); !slices.Equal(have, want) {
		t.Errorf("entries\n%s\nthe kernel had\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// ipCommand does what one of the commands does, without ip(8).
func ipCommand(t *testing.T, h *lab.Host, line string) {
	t.Helper()
	w := strings.Fields(line)
	switch {
	case strings.HasPrefix(line, "gw config"): // done
	case len(w) == 4 && strings.HasPrefix(line, "ip link del "):
		must(t, h.DeleteLink(w[3]))
	case len(w) == 6 && w[5] == "nomaster":
		onLink(t, h, w[4], netlink.LinkSetNoMaster)
	case len(w) == 7 && w[5] == "address":
		mac, err := net.ParseMAC(w[6])
		must(t, err)
		must(t, h.SetMAC(w[4], mac))
	default:
		t.Errorf("what does %q do?", line)
	}
}

// What cannot be taken over is refused in words.
func TestFromKernelRefusals(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	must(t, h.Do(func() error {
		return netlink.LinkAdd(&netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: "vxext"}, FlowBased: true, Port: 4790})
	}))
	must(t, h.KernelVXLAN(lab.VXLANConfig{Name: "vxlan7", VNI: 7, Port: 4791}))
	for _, r := range []struct {
		args   string
		status int
		want   string
	}{
		{"config from-kernel", 2, "which device?"},
		{"config from-kernel nothing", 1, "find nothing"},
		{"config from-kernel ens18", 1, "ens18 is a veth, no vxlan device"},
		{"config from-kernel vxext --iface ens18", 1, "vxext: it is external"},
		{"config from-kernel vxlan7", 1, "neither dev nor remote"},
	} {
		refuses(t, h, r.status, r.args, r.want)
	}
	text := output(t, h, "config", "from-kernel", "vxlan7", "--iface", "ens18")
	if !strings.Contains(text, fmt.Sprintf("  iface: %q\n  dstport: 4791\n", "ens18")) || !strings.Contains(text, "# Note: nothing is flooded to any VTEP") {
		t.Errorf("it prints\n%s", text)
	}
}
