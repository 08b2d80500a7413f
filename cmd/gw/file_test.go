package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// Four VNIs: every tunnel option set, options that follow the inner packet, static
// entries in place of a flood list, and head-end replication to two VTEPs.
const fourVNIs = `
underlay: {iface: ens18, local: 10.65.132.187}
tunnel: {df: inherit}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    device: {addresses: [172.17.42.2/24]}
    tunnel: {ttl: 17, tos: 0xb8, df: set, udpcsum: true, srcport: [50000, 50999]}
  - vni: 43
    remotes: [10.65.132.189]
    device: {name: blue, addresses: [172.17.43.2/24]}
  - vni: 44
    device: {addresses: [172.17.44.2/24]}
    tunnel: {df: unset}
    fdb:
      - {mac: "02:00:00:00:44:03", dst: 10.65.132.188}
      - {mac: "02:00:00:00:44:04", port: gw44}
  - vni: 16777215
    remotes: [10.65.132.188, 10.65.132.189]
    device: {name: rest, addresses: [172.17.45.2/24]}
`

func TestSeveralVNIs(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	file := filepath.Join(t.TempDir(), "gw.yaml")
	must(t, os.WriteFile(file, []byte(fourVNIs), 0o600))
	for _, h := range s.hosts {
		must(t, h.SetSysctl("net.ipv4.tcp_ecn", "1"))
	}
	// The same hardware address in two VNIs on two hosts.
	twin, err := net.ParseMAC("02:00:00:00:00:77")
	must(t, err)
	pinned, err := net.ParseMAC("02:00:00:00:44:03")
	must(t, err)
	peer := func(host int, name string, vni uint32, addr string, mac net.HardwareAddr) end {
		must(t, s.hosts[host].KernelVXLAN(lab.VXLANConfig{Name: name, VNI: vni, Dev: "ens18", Remote: under1, Address: addr + "/24", MAC: mac}))
		return end{s.hosts[host], name, netip.MustParseAddr(addr), "ens18", s.under[host]}
	}
	peer42 := peer(1, "vxlan42", 42, "172.17.42.3", twin)
	peer43 := peer(2, "vxlan43", 43, "172.17.43.3", twin)
	peer44 := peer(1, "vxlan44", 44, "172.17.44.3", pinned)
	rest2 := peer(1, "rest", 16777215, "172.17.45.3", nil)
	rest3 := peer(2, "rest", 16777215, "172.17.45.4", nil)

	g := start(t, s.hosts[0], "--config", file)
	self := func(dev, addr string) end {
		return end{s.hosts[0], dev, netip.MustParseAddr(addr), "ens18", under1}
	}
	self42, self43 := self("gw42", "172.17.42.2"), self("blue", "172.17.43.2")
	self44, rest1 := self("gw44", "172.17.44.2"), self("rest", "172.17.45.2")
	strangers, err := self43.host.Capture("blue", nil)
	must(t, err)

	// Nobody floods VNI 44: our side knows the peer's addresses beforehand.
	must(t, s.hosts[0].SetNeighbour("gw44", peer44.addr, pinned))
	ping(t, self44, peer44, lab.PingOptions{})
	for _, pair := range [][2]end{{self42, peer42}, {self43, peer43}, {rest1, rest2}, {rest1, rest3}} {
		resolve(t, pair[0], pair[1])
	}
	for _, pair := range [][2]end{{self42, peer42}, {self43, peer43}, {self44, peer44}, {rest1, rest3}} {
		sendTOS(t, pair[0], pair[1], 0x28)
		exchange(t, pair[0], pair[1])
	}
	for _, line := range []string{
		"02:00:00:00:00:77 dev gw42 dst 10.65.132.188 self",
		"02:00:00:00:00:77 dev gw43 dst 10.65.132.189 self",
		"02:00:00:00:44:03 dev gw44 dst 10.65.132.188 self static",
		"02:00:00:00:44:04 dev gw44 master gw44 static",
		"00:00:00:00:00:00 dev gw16777215 dst 10.65.132.188 via ens18 self permanent",
		"00:00:00:00:00:00 dev gw16777215 dst 10.65.132.189 via ens18 self permanent",
		self43.mac(t) + " dev blue master gw43 permanent",
	} {
		if have := g.fdb(); !slices.Contains(have, line) {
			t.Errorf("gw fdb show lacks %q, has\n%s", line, strings.Join(have, "\n"))
		}
	}
	// Their hardware addresses are the same, their IP addresses tell them apart.
	for _, f := range strangers.Frames() {
		if in := parseInner(f.Data); in.flow != "" && strings.Contains(in.flow, "172.17.42.") {
			t.Fatalf("a frame of VNI 42 came out of the device of VNI 43: %+v", in)
		}
	}
	checkTunnelOptions(t, outers(t, s.probes[0], under1))
	checkVerdicts(t, g)
	if st := g.status(); st.FDB.Moves != 0 {
		t.Errorf("%d moves between VNIs", st.FDB.Moves)
	}
	g.stop()
}

// sendTOS sends one datagram with a type of service of its own, which arrives with it.
func sendTOS(t *testing.T, from, to end, tos int) {
	t.Helper()
	probe, err := to.host.Capture(to.dev, nil)
	must(t, err)
	defer probe.Close()
	must(t, from.host.Do(func() error {
		d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
			c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TOS, tos) })
			return err
		}}
		c, err := d.DialContext(context.Background(), "udp", netip.AddrPortFrom(to.addr, 9).String())
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write([]byte("tos"))
		return err
	}))
	if _, err := probe.Wait(testContext(t), 1, func(f lab.Frame) bool { return int(parseInner(f.Data).tos) == tos }); err != nil {
		t.Errorf("no datagram with TOS %#x arrived on %s: %v", tos, to.host.Name(), err)
	}
}

// checkTunnelOptions looks at the bytes on the wire.
func checkTunnelOptions(t *testing.T, sent []outer) {
	t.Helper()
	seen := map[string]int{}
	only := map[uint32]netip.Addr{42: under2, 43: under3, 44: under2}
	for _, p := range sent {
		if to, ok := only[p.vni]; ok && p.dst != to {
			t.Fatalf("vni %d knows nobody but %s: %+v", p.vni, to, p)
		}
		if !p.checksum {
			t.Fatalf("wrong header checksum: %+v", p)
		}
		if !p.df && p.id == 0 {
			t.Fatalf("a packet that routers may fragment has no ID (RFC 6864 section 4.1): %+v", p)
		}
		isIP, ect := p.inner.kind == 0x0800, p.inner.tos&3
		switch p.vni {
		case 42:
			if p.ttl != 17 || !p.df || p.tos != 0xb8|ect || p.udpSum == 0 || !p.udpSumRight() || p.srcPort < 50000 || p.srcPort > 50999 {
				t.Fatalf("vni 42: want TTL 17, DF, TOS 0xb8 with the inner ECN, a right UDP checksum and a port in 50000-50999: %+v", p)
			}
			if ect != 0 {
				seen["ecn"]++
			}
		case 43, 16777215:
			if p.ttl != 64 || p.udpSum != 0 || isIP && (p.df != p.inner.df || p.tos != p.inner.tos) {
				t.Fatalf("vni %d: want TTL 64, DF and TOS of the inner packet, no UDP checksum: %+v", p.vni, p)
			}
			if isIP && p.inner.df {
				seen["df inherited"]++
			} else if isIP {
				seen["no df inherited"]++
			}
			if p.inner.tos == 0x28 {
				seen["tos inherited"]++
			}
		case 44:
			if p.df || p.ttl != 64 {
				t.Fatalf("vni 44: want TTL 64 and no DF: %+v", p)
			}
		default:
			t.Fatalf("packet of no VNI of ours: %+v", p)
		}
		seen[p.dst.String()]++
	}
	for _, what := range []string{"ecn", "df inherited", "no df inherited", "tos inherited", under2.String(), under3.String()} {
		if seen[what] == 0 {
			t.Errorf("the traffic had no packet for %q: %v", what, seen)
		}
	}
}
