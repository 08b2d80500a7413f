package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// The underlay over IPv6.

var (
	six1, six2, six3 = netip.MustParseAddr("2001:db8:65::187"), netip.MustParseAddr("2001:db8:65::188"), netip.MustParseAddr("2001:db8:65::189")
	group6           = netip.MustParseAddr("ff05::100")
)

// parseOuter6 is parseOuter for IPv6.
func parseOuter6(f lab.Frame) (o outer, ok bool) {
	b := f.Data
	if b[14]>>4 != 6 || b[20] != 17 {
		return o, false
	}
	ip, udp, vx := b[14:54], b[54:62], b[62:70]
	first := binary.BigEndian.Uint32(ip)
	o = outer{
		src: netip.AddrFrom16([16]byte(ip[8:24])), dst: netip.AddrFrom16([16]byte(ip[24:40])),
		tos: uint8(first >> 20), label: first & 0xfffff, ttl: ip[7],
		length: 40 + int(binary.BigEndian.Uint16(ip[4:])), checksum: true,
		srcPort: binary.BigEndian.Uint16(udp), dstPort: binary.BigEndian.Uint16(udp[2:]),
		udpLength: int(binary.BigEndian.Uint16(udp[4:])), udpSum: binary.BigEndian.Uint16(udp[6:]),
		vni:     binary.BigEndian.Uint32(vx[4:]) >> 8,
		pending: f.ChecksumPending, packet: b[14:], link: b[:6],
	}
	if o.dstPort != 4789 || vx[0] != 8 {
		return o, false
	}
	o.inner = parseInner(b[70:])
	return o, true
}

// newSegment6 is newSegment whose hosts have no IPv4 address below.
func newSegment6(t *testing.T) *segment {
	t.Helper()
	s := newSegment(t)
	for i, six := range []netip.Addr{six1, six2, six3} {
		must(t, s.hosts[i].LinkLocal())
		must(t, s.hosts[i].DeleteAddress("ens18", s.under[i].String()+"/24"))
		must(t, s.hosts[i].AddAddress("ens18", six.String()+"/64"))
		s.under[i] = six
	}
	return s
}

// gw and the kernel's device, then gw twice, on hosts without IPv4.
func TestPointToPoint6(t *testing.T) {
	t.Parallel()
	for _, far := range []string{"kernel", "gw"} {
		t.Run(far, func(t *testing.T) {
			s := newSegment6(t)
			g, left := s.gw(t, 0, "--remote", six2.String())
			var right end
			if far == "gw" {
				var other *vtep
				other, right = s.gw(t, 1, "--remote", six1.String())
				defer other.stop()
			} else {
				right = s.kernel(t, 1, lab.VXLANConfig{Remote: six1, Local: six2})
			}
			converse(t, left, right)
			checkPointToPoint(t, g, left, right)
			sent := outers(t, s.probes[0], six1)
			checkPorts(t, sent)
			for _, p := range sent {
				if p.ttl != 64 || p.label != 0 || p.vni != 42 || p.udpSum == 0 || !p.udpSumRight() {
					t.Fatalf("packet %+v: want hop limit 64, flow label 0, and a right UDP checksum", p)
				}
			}
			if far == "kernel" {
				checkKernelAgrees(t, right, left)
			}
			if by, _, _ := verdicts(g.status()); by["to_kernel"] == 0 || by["to_remote"] < by["to_kernel"] {
				t.Errorf("the way through the kernel is for first packets: %v", by)
			}
			if text := output(t, g.host, "status"); !strings.Contains(text, "underlay [2001:db8:65::187]:4789") {
				t.Errorf("gw status does not show the address:\n%s", text)
			}
			if mtu := g.status().Ports[0].MTU; mtu != 1430 {
				t.Errorf("the device has an MTU of %d, want 1430", mtu)
			}
			g.stop()
		})
	}
}

// gw and two kernel devices in one group of IPv6. None knows another.
func TestMulticast6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	ends := []end{{}, s.kernel(t, 1, lab.VXLANConfig{Group: group6}), s.kernel(t, 2, lab.VXLANConfig{Group: group6})}
	g, e := s.gw(t, 0, "--group", group6.String())
	ends[0] = e
	awaitReport6(t, s.probes[0])
	for i, a := range ends {
		converse(t, a, ends[(i+1)%len(ends)])
	}
	text := []string{ends[0].mac(t) + " dev gw42 master gw42 permanent", learned(t, "gw42", ends[1]), learned(t, "gw42", ends[2])}
	slices.Sort(text)
	text = slices.Insert(text, 0, "00:00:00:00:00:00 dev gw42 dst ff05::100 via ens18 self permanent")
	if diff := cmp.Diff(text, g.fdb()); diff != "" {
		t.Errorf("gw fdb show (-want +got):\n%s", diff)
	}
	checkVerdicts(t, g)
	sent := outers(t, s.probes[0], six1)
	checkPorts(t, sent)
	count := map[bool]int{}
	for _, p := range sent {
		isGroup := p.dst == group6
		count[isGroup]++
		if want := map[bool]uint8{true: 1, false: 64}[isGroup]; p.ttl != want {
			t.Fatalf("packet to %s has hop limit %d, want %d", p.dst, p.ttl, want)
		}
		if mac := p.link.String(); isGroup && mac != "33:33:00:00:01:00" {
			t.Fatalf("packet to the group goes to %s", mac)
		}
	}
	if count[true] == 0 || count[false] == 0 {
		t.Errorf("%d packets to the group, %d to VTEPs", count[true], count[false])
	}
	g.stop()
}

// awaitReport6 waits for the MLDv2 report for the group (RFC 3810 section 5.2): without it a snooping switch delivers nothing.
func awaitReport6(t *testing.T, probe *lab.Capture) {
	t.Helper()
	_, err := probe.Wait(testContext(t), 1, func(f lab.Frame) bool {
		b := f.Data
		// Behind the IPv6 header a hop-by-hop header with the router alert.
		if f.Outgoing || len(b) < 14+48+8 || b[12] != 0x86 || b[13] != 0xdd || b[20] != 0 || b[54] != 58 || b[62] != 143 {
			return false
		}
		for r := b[62+8:]; len(r) >= 20; r = r[20:] {
			if netip.AddrFrom16([16]byte(r[4:20])) == group6 && (r[0] == 4 || r[0] == 2) {
				return true
			}
		}
		return false
	})
	if err != nil {
		t.Fatalf("no membership report: %v", err)
	}
}

// Both families in one gateway, and in one VNI: a VTEP that is configured over each, and one over each that speaks first.
func TestBothFamilies(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	for i, six := range []netip.Addr{six1, six2, six3} {
		must(t, s.hosts[i].LinkLocal())
		must(t, s.hosts[i].AddAddress("ens18", six.String()+"/64"))
	}
	far4 := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
	far6 := s.kernel(t, 2, lab.VXLANConfig{Remote: six1})
	far6.under = six3
	g, e := s.gw(t, 0, "--remote", under2.String())
	converse(t, e, far4)
	// IPv6 comes into use when a remote of it is added, and not before.
	if locals := g.status().Underlay.Locals; !slices.Equal(locals, []string{under1.String()}) {
		t.Errorf("local addresses %q", locals)
	}
	output(t, g.host, "remote", "add", six3.String(), "--vni", "42")
	resolve(t, e, far6)
	firstPings(t, e, far6)
	transfer(t, e, far6, 10<<20) // whose sender hears that 20 bytes less fit
	transfer(t, far6, e, 10<<20)
	resolve(t, e, far4)
	g.awaitFDB(learned(t, "gw42", far4), learned(t, "gw42", far6),
		"00:00:00:00:00:00 dev gw42 dst "+under2.String()+" via ens18 self permanent",
		"00:00:00:00:00:00 dev gw42 dst "+six3.String()+" via ens18 self permanent")
	if locals := g.status().Underlay.Locals; len(locals) != 3 || locals[0] != under1.String() || locals[1] != six1.String() {
		t.Errorf("local addresses %q", locals)
	}
	checkVerdicts(t, g)
	output(t, g.host, "remote", "del", six3.String(), "--vni", "42")
	g.stop()
}

// VTEPs on the link that know one another by their link-local addresses only: by a remote with zone or without, and one that speaks
// first.
func TestLinkLocal6(t *testing.T) {
	t.Parallel()
	for _, remote := range []string{"%s", "%s%%ens18", ""} {
		t.Run("remote "+strings.TrimPrefix(remote, "%s"), func(t *testing.T) {
			s := newSegment(t)
			for i, h := range s.hosts[:2] {
				must(t, h.LinkLocal())
				must(t, h.DeleteAddress("ens18", s.under[i].String()+"/24"))
				s.under[i] = linkLocal(t, h)
			}
			far := s.kernel(t, 1, lab.VXLANConfig{Remote: s.under[0], Local: s.under[1]})
			args := []string{"--local", s.under[0].String()}
			if remote != "" {
				args = []string{"--remote", fmt.Sprintf(remote, s.under[1])}
			}
			g, e := s.gw(t, 0, args...)
			ping(t, far, e, lab.PingOptions{})
			exchange(t, e, far)
			g.awaitFDB(learned(t, "gw42", far))
			checkKernelAgrees(t, far, e)
			g.stop()
		})
	}
}

// linkLocal is the link-local address of a host's underlay.
func linkLocal(t *testing.T, h *lab.Host) (a netip.Addr) {
	t.Helper()
	eventually(t, func() string {
		must(t, h.Do(func() error {
			link, err := netlink.LinkByName("ens18")
			if err != nil {
				return err
			}
			addrs, err := netlink.AddrList(link, netlink.FAMILY_V6)
			for _, one := range addrs {
				if one.IP.IsLinkLocalUnicast() {
					a, _ = netip.AddrFromSlice(one.IP)
				}
			}
			return err
		}))
		if !a.IsValid() {
			return "no link-local address on " + h.Name()
		}
		return ""
	})
	return a
}

// Containers on either side: behind ports of gw and behind the kernel's bridge, over IPv6 with room for whole frames.
func TestBridge6(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	node1, node2 := newHost(t, l, "node1"), newHost(t, l, "node2")
	must(t, l.Veth(node1, "ens18", node2, "ens18", lab.VethOptions{MTU: 1570}))
	must(t, node1.AddAddress("ens18", six1.String()+"/64"))
	must(t, node2.AddAddress("ens18", six2.String()+"/64"))
	container := func(h *lab.Host, link, name string, addr netip.Addr) end {
		c, err := h.BridgePort(link, name, addr.String()+"/24", lab.VethOptions{})
		must(t, err)
		return end{host: c, dev: "veth0", addr: addr}
	}
	one, two, far := container(node1, "veth1", "one", over1), container(node1, "veth2", "two", over2), container(node2, "veth3", "far", over3)
	must(t, node2.Bridge("br0", "veth3"))
	must(t, node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: group6, Master: "br0"}))
	g := start(t, node1, on("--group", group6.String(), "--port", "veth1", "--port", "veth2")...)
	converse(t, one, far)
	converse(t, one, two)
	resolve(t, far, two)
	transfer(t, far, two, 10<<20)
	far.under = six2
	g.awaitFDB(learned(t, "gw42", far), one.mac(t)+" dev veth1 master gw42", two.mac(t)+" dev veth2 master gw42")
	if by, _, _ := verdicts(g.status()); by["too_big"] != 0 {
		t.Errorf("frames did not fit: %v", by)
	}
	checkVerdicts(t, g)
	g.stop()
}
