package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

var group = netip.MustParseAddr("224.1.1.1")

// segment is three hosts on one switch, where captures see what every VTEP sends
// and gets.
type segment struct {
	lab    *lab.Lab
	hosts  []*lab.Host
	under  []netip.Addr
	over   []netip.Addr
	wire   *lab.Switch
	probes []*lab.Capture // at the switch, one per host
}

func newSegment(t *testing.T) *segment {
	t.Helper()
	s := &segment{lab: newLab(t), under: []netip.Addr{under1, under2, under3}, over: []netip.Addr{over1, over2, over3}}
	var ports []lab.SwitchPort
	for i := range s.under {
		h := newHost(t, s.lab, fmt.Sprintf("node%d", i+1))
		s.hosts = append(s.hosts, h)
		ports = append(ports, lab.SwitchPort{Host: h, Link: "ens18"})
	}
	var err error
	s.wire, err = s.lab.Switch("switch", ports...)
	must(t, err)
	for i, h := range s.hosts {
		must(t, h.AddAddress("ens18", s.under[i].String()+"/24"))
		probe, err := s.wire.Capture(s.wire.PortName(h, "ens18"), nil)
		must(t, err)
		s.probes = append(s.probes, probe)
	}
	return s
}

// gw starts gw on host i with an address on the overlay.
func (s *segment) gw(t *testing.T, i int, args ...string) (*vtep, end) {
	t.Helper()
	args = append([]string{"--iface", "ens18", "--vni", "42", "--address", s.over[i].String() + "/24"}, args...)
	return start(t, s.hosts[i], args...), s.end(i, "gw42")
}

// kernel makes a VXLAN device of the kernel on host i.
func (s *segment) kernel(t *testing.T, i int, c lab.VXLANConfig) end {
	t.Helper()
	c.Name, c.Dev = "vxlan0", "ens18"
	c.VNI, c.Address = 42, s.over[i].String()+"/24"
	must(t, s.hosts[i].KernelVXLAN(c))
	return s.end(i, "vxlan0")
}

func (s *segment) end(i int, dev string) end {
	return end{s.hosts[i], dev, s.over[i], "ens18", s.under[i]}
}

// gw and two kernel devices, then gw three times, in one group. None knows another.
func TestMulticast(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		gws  int
	}{{"two kernel devices", 1}, {"three gw", 3}} {
		t.Run(c.name, func(t *testing.T) {
			s := newSegment(t)
			var ends []end
			var gws []*vtep
			for i := range s.hosts {
				if i < c.gws {
					g, e := s.gw(t, i, "--group", group.String())
					gws, ends = append(gws, g), append(ends, e)
				} else {
					ends = append(ends, s.kernel(t, i, lab.VXLANConfig{Group: group}))
				}
			}
			awaitReport(t, s.probes[0])
			for i, a := range ends {
				converse(t, a, ends[(i+1)%len(ends)])
			}
			tenMegabytes(t, ends[0], ends[1])
			for i, g := range gws {
				text := []string{ends[i].mac(t) + " dev gw42 master gw42 permanent"}
				for j, e := range ends {
					if j != i {
						text = append(text, learned(t, "gw42", e))
					}
				}
				slices.Sort(text)
				text = slices.Insert(text, 0, "00:00:00:00:00:00 dev gw42 dst 224.1.1.1 via ens18 self permanent")
				if diff := cmp.Diff(text, g.fdb()); diff != "" {
					t.Errorf("gw fdb show (-want +got):\n%s", diff)
				}
				checkVerdicts(t, g)
				sent := outers(t, s.probes[i], s.under[i])
				checkPorts(t, sent)
				checkGroupUse(t, sent)
			}
			checkNoMoreGroup(t, s, ends)
			for _, g := range gws {
				g.stop()
			}
		})
	}
}

// awaitReport waits for the IGMP membership report for the group (RFC 3376 section
// 4.2, or RFC 2236): without it a snooping switch delivers nothing.
func awaitReport(t *testing.T, probe *lab.Capture) {
	t.Helper()
	_, err := probe.Wait(testContext(t), 1, func(f lab.Frame) bool {
		b := f.Data
		if f.Outgoing || len(b) < 14+24+8 || b[12] != 8 || b[13] != 0 || b[23] != 2 {
			return false
		}
		igmp := b[14+int(b[14]&15)*4:]
		switch igmp[0] {
		case 0x16:
			return netip.AddrFrom4([4]byte(igmp[4:8])) == group
		case 0x22: // version 3: one record, to exclude nobody is to join
			return len(igmp) >= 16 && (igmp[8] == 4 || igmp[8] == 2) && netip.AddrFrom4([4]byte(igmp[12:16])) == group
		}
		return false
	})
	if err != nil {
		t.Fatalf("no membership report: %v", err)
	}
}

// checkGroupUse wants TTL 1 to the group's address and MAC, and 64 to the VTEPs.
func checkGroupUse(t *testing.T, sent []outer) {
	t.Helper()
	count := map[bool]int{}
	for _, p := range sent {
		isGroup := p.dst == group
		count[isGroup]++
		if want := map[bool]uint8{true: 1, false: 64}[isGroup]; p.ttl != want {
			t.Fatalf("packet to %s has TTL %d, want %d", p.dst, p.ttl, want)
		}
		if mac := p.link.String(); isGroup && mac != "01:00:5e:01:01:01" {
			t.Fatalf("packet to the group goes to %s", mac)
		}
	}
	if count[true] == 0 || count[false] == 0 {
		t.Errorf("%d packets to the group, %d to VTEPs", count[true], count[false])
	}
}

// checkNoMoreGroup pings once all know one another: the frames then leave in packets
// to the one VTEP. They are told from all others by their size.
func checkNoMoreGroup(t *testing.T, s *segment, ends []end) {
	t.Helper()
	const count, size = 10, 321
	for range count {
		ping(t, ends[0], ends[1], lab.PingOptions{Size: size})
	}
	seen, err := s.probes[0].Wait(testContext(t), 2*count, func(f lab.Frame) bool {
		p, ok := parseOuter(f)
		return ok && p.length == 50-14+14+20+8+size
	})
	must(t, err)
	for _, f := range seen {
		p, _ := parseOuter(f)
		if p.dst == group {
			t.Errorf("a frame to %s still goes to the group", p.inner.dst)
		}
	}
}

// A VTEP that is not in the group gets its copy too, from gw as from the kernel's device, of which the group is one
// destination of several.
func TestGroupAndRemote(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"gw", "kernel"} {
		t.Run(who, func(t *testing.T) {
			s := newSegment(t)
			member := s.kernel(t, 1, lab.VXLANConfig{Group: group})
			other := s.kernel(t, 2, lab.VXLANConfig{Remote: s.under[0]})
			var first end
			stop := func() {}
			if who == "gw" {
				g, e := s.gw(t, 0, "--group", group.String())
				first, stop = e, g.stop
				zero := "00:00:00:00:00:00 dev gw42 dst "
				for _, line := range []string{"append " + zero + s.under[2].String(), "append " + zero + s.under[2].String()} {
					output(t, g.host, g.with(append([]string{"fdb"}, strings.Fields(line)...)...)...)
				}
				g.awaitFDB(zero+group.String()+" via ens18 self permanent", zero+s.under[2].String()+" via ens18 self permanent")
				if v := g.status().VNIs[0]; v.Group != group.String() || !slices.Equal(v.Remotes, []string{s.under[2].String()}) {
					t.Errorf("the status has %+v", v)
				}
			} else {
				first = s.kernel(t, 0, lab.VXLANConfig{Group: group})
				must(t, s.hosts[0].AppendFDB("vxlan0", make([]byte, 6), s.under[2]))
			}
			for _, far := range []end{member, other} {
				answers(t, first.host, far.addr.String())
			}
			must(t, first.host.SendFrame(first.dev, frameOf(bytes.Repeat([]byte{0xff}, 6), lone, 0x9999, []byte("one for all of them, and no more"))))
			for i, want := range map[int]netip.Addr{1: group, 2: s.under[2]} {
				eventually(t, func() string {
					n := 0
					for _, o := range outers(t, s.probes[i], s.under[0]) {
						if bytes.Contains(o.packet, []byte("one for all of them")) && o.dst == want {
							n++
						}
					}
					if n != 1 {
						return fmt.Sprintf("%d copies to %s came", n, want)
					}
					return ""
				})
			}
			stop()
		})
	}
}

// lone is a station that says one thing.
var lone = net.HardwareAddr{2, 0x57, 0xa7, 0x1c, 9, 9}

// Destinations beside the group come and go, the group stays.
func TestGroupStays(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	file := writeFile(t, "underlay: {iface: ens18}\nmetrics: {listen: ''}\nremotes: [10.65.132.188]\nvnis: [{vni: 42, group: 224.1.1.1, remotes: [10.65.132.189]}, {vni: 43, group: 224.1.1.1}]\n")
	g := start(t, s.hosts[0], "--config", file)
	zero := "00:00:00:00:00:00 dev gw%d dst %s via ens18 self permanent"
	both := []string{fmt.Sprintf(zero, 42, "224.1.1.1"), fmt.Sprintf(zero, 42, "10.65.132.189"), fmt.Sprintf(zero, 43, "224.1.1.1")}
	list := func(want []string) {
		t.Helper()
		eventually(t, func() string {
			have := slices.DeleteFunc(g.fdb(), func(l string) bool { return !strings.HasPrefix(l, "00:00:00:00:00:00 ") })
			slices.Sort(have)
			return cmp.Diff(slices.Sorted(slices.Values(want)), have)
		})
	}
	list(both)
	for _, c := range []struct {
		words string
		fails string
		list  []string
	}{
		{"fdb del 00:00:00:00:00:00 dev gw42 dst 224.1.1.1", "is the group of gw42", both},
		{"fdb del 00:00:00:00:00:00 dev gw42", "", []string{both[0], both[2]}},
		{"fdb del 00:00:00:00:00:00 dev gw42", "no such entry", []string{both[0], both[2]}},
		{"remote add 10.65.132.189 --vni 42", "", both},
		{"remote del 10.65.132.189 --vni 42", "", []string{both[0], both[2]}},
		{"fdb append 00:00:00:00:00:00 dev gw42 dst 10.65.132.188", "", []string{both[0], fmt.Sprintf(zero, 42, "10.65.132.188"), both[2]}},
	} {
		_, errs, status := runGW(t, g.host, g.with(strings.Fields(c.words)...)...)
		if (status != 0) != (c.fails != "") || !strings.Contains(errs, c.fails) {
			t.Errorf("gw %s: exit status %d: %s", c.words, status, errs)
		}
		list(c.list)
	}
	g.reload("reloaded")
	list(both)
	g.stop()
}
