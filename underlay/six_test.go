package underlay

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// pair6 is pair over IPv6 alone: 2001:db8::1/64 and ::2, usable at once.
func pair6(t testing.TB) (us, peer *host) {
	t.Helper()
	us, peer = newHost(t), newHost(t)
	for _, h := range []*host{us, peer} {
		for _, s := range []string{"disable_ipv6", "accept_dad"} {
			h.sysctl("net/ipv6/conf/all/"+s, "0")
			h.sysctl("net/ipv6/conf/default/"+s, "0")
		}
		h.sysctl("net/ipv6/conf/default/router_solicitations", "0")
	}
	cable(us, peer, "u0", "p0")
	us.addr("u0", "2001:db8::1/64")
	peer.addr("p0", "2001:db8::2/64")
	us.sysctl("net/ipv6/neigh/u0/retrans_time_ms", "100")
	for h, name := range map[*host]string{us: "u0", peer: "p0"} {
		eventually(t, "addresses that can be used", func() bool {
			list, err := h.nl.AddrList(h.link(name), netlink.FAMILY_V6)
			h.must(err)
			return len(list) == 2 && !slices.ContainsFunc(list, func(a netlink.Addr) bool { return a.Flags&unix.IFA_F_TENTATIVE != 0 })
		})
	}
	return us, peer
}

func (h *host) open6(local6 string) *Mirror {
	h.t.Helper()
	cfg := Config{Ifindex: h.index("u0"), Name: "u0", Six: true}
	if local6 != "" {
		cfg.Local6 = netip.MustParseAddr(local6)
	}
	var m *Mirror
	h.do(func() (err error) { m, err = Open(cfg); return err })
	h.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			h.t.Errorf("close: %v", err)
		}
	})
	return m
}

// linkLocal waits for the link-local address of an interface.
func (h *host) linkLocal(name string) (a netip.Addr) {
	h.t.Helper()
	eventually(h.t, "link-local address", func() bool {
		list, err := h.nl.AddrList(h.link(name), netlink.FAMILY_V6)
		h.must(err)
		for _, one := range list {
			if one.IP.IsLinkLocalUnicast() {
				a, _ = netip.AddrFromSlice(one.IP)
			}
		}
		return a.IsValid()
	})
	return a
}

func TestPaths6(t *testing.T) {
	us, peer := pair6(t)
	link := peer.linkLocal("p0")
	us.linkLocal("u0")
	us.route("u0", "2001:db8:9::/48", link.String(), 1400)
	us.must(us.nl.RouteReplace(&netlink.Route{Type: unix.RTN_BLACKHOLE, Dst: &net.IPNet{IP: net.ParseIP("2001:db8:7::"), Mask: net.CIDRMask(48, 128)}}))
	m := us.open6("")
	watch(t, m, "2001:db8::2", link.String()+"%u0", "2001:db8:9::1", "2001:db8:8::1", "2001:db8:7::1", "ff05::1:2345")
	remote := netip.MustParseAddr("2001:db8::2")
	for _, want := range []Path{
		{Remote: remote, State: Direct, NextHop: remote, DstMAC: peer.mac("p0"), MTU: 1500},
		{Remote: link, State: Direct, NextHop: link, DstMAC: peer.mac("p0"), MTU: 1500},
		{Remote: netip.MustParseAddr("2001:db8:9::1"), State: Direct, Gateway: link, NextHop: link, DstMAC: peer.mac("p0"), MTU: 1400},
		{Remote: netip.MustParseAddr("ff05::1:2345"), State: Direct, DstMAC: [6]byte{0x33, 0x33, 0, 1, 0x23, 0x45}, MTU: 1500},
	} {
		if p := awaitPath(t, m, want.Remote.String(), "direct", inState(Direct)); p != want {
			t.Errorf("path %+v, want %+v", p, want)
		}
	}
	for addr, reason := range map[string]string{"2001:db8:8::1": "no route to 2001:db8:8::1 from 2001:db8::1 through u0", "2001:db8:7::1": "the route is a blackhole"} {
		if p := awaitPath(t, m, addr, "no route", inState(NoRoute)); !strings.Contains(p.Reason, reason) {
			t.Errorf("%s: reason %q, want %q", addr, p.Reason, reason)
		}
	}
	await(t, m, "marked", func() bool { return slices.Equal(m.Managed(), []netip.Addr{remote, link}) })
	if n := us.neigh("u0", "2001:db8::2"); !n.managed() {
		t.Errorf("entry %+v is not managed", n)
	}
	// A router is told to be gone, the link flaps: what is managed comes back.
	us.down("u0")
	awaitPath(t, m, "2001:db8::2", "down", inState(LinkDown))
	us.up("u0")
	us.addr("u0", "2001:db8::1/64")
	awaitPath(t, m, "2001:db8::2", "direct again", inState(Direct))
	awaitPath(t, m, link.String(), "direct again", inState(Direct))
	// What routers say of the MTU counts for IPv6.
	us.sysctl("net/ipv6/conf/u0/mtu", "1300")
	us.addr("u0", "2001:db8::77/64") // the kernel tells of a router's word, and not of the setting
	awaitPath(t, m, "2001:db8::2", "with the MTU of IPv6", func(p Path) bool { return p.State == Direct && p.MTU == 1300 })
	if got := m.Link().MTU; got != 1500 {
		t.Errorf("the link's MTU is %d", got)
	}
}

// The sources are of the scope of what they are for.
func TestSources6(t *testing.T) {
	us, _ := pair6(t)
	link := us.linkLocal("u0")
	global := netip.MustParseAddr("2001:db8::1")
	us.addr("u0", "10.0.0.1/24")
	m := us.open6("")
	await(t, m, "sources", func() bool {
		return m.Link().Sources.For(global.Next()) == global && m.Link().Sources.For(link.Next()) == link
	})
	s := m.Link().Sources
	for dst, want := range map[string]netip.Addr{"ff02::99": link, "ff05::99": global, "10.0.0.2": {}} {
		if got := s.For(netip.MustParseAddr(dst)); got != want {
			t.Errorf("to %s from %s, want %s", dst, got, want)
		}
	}
	// A family that was not in use comes into use with its first remote.
	watch(t, m, "10.0.0.2")
	await(t, m, "IPv4", func() bool { return m.Link().Sources.Four == netip.MustParseAddr("10.0.0.1") })
	us.delAddr("u0", "2001:db8::1/64")
	await(t, m, "no global address", func() bool { return !m.Link().Sources.Six.IsValid() })
	if s := m.Link().Sources; s.For(netip.MustParseAddr("ff05::99")) != link || s.For(global).IsValid() || m.Link().NoSource != "" {
		t.Errorf("without a global address: %+v, %q", s, m.Link().NoSource)
	}
	if _, why := m.Link().Sources.Pick(global); !strings.Contains(why, "u0 has no global IPv6 address") {
		t.Errorf("why: %q", why)
	}
	asked := us.open6(link.String())
	if _, why := asked.Link().Sources.Pick(global); !strings.Contains(why, "is link-local, and reaches nobody beyond the link") {
		t.Errorf("why: %q", why)
	}
	us.addr("u0", "2001:db8::1/64")
	asked = us.open6("2001:db8::1")
	await(t, asked, "the global one", func() bool { return asked.Link().Sources.Six == global })
	if s := asked.Link().Sources; s.For(netip.MustParseAddr("ff02::99")) != global || s.For(link).IsValid() {
		t.Errorf("asked for a global one: %+v", s)
	}
}

// An address is not used while its duplicate address detection is under way.
func TestTentative(t *testing.T) {
	us, _ := pair6(t)
	us.sysctl("net/ipv6/conf/u0/accept_dad", "1")
	us.sysctl("net/ipv6/conf/all/accept_dad", "1")
	us.sysctl("net/ipv6/conf/u0/dad_transmits", "60") // of one in a second, until it was seen
	us.sysctl("net/ipv6/neigh/u0/retrans_time_ms", "1000")
	us.delAddr("u0", "2001:db8::1/64")
	m := us.open6("2001:db8::5")
	if why := m.Link().NoSource; !strings.Contains(why, "2001:db8::5 is on no interface of this host") {
		t.Errorf("why: %q", why)
	}
	us.addr("u0", "2001:db8::5/64")
	await(t, m, "tentative", func() bool {
		return strings.Contains(m.Link().NoSource, "2001:db8::5 is tentative") && m.Link().Sources.Tentative
	})
	us.sysctl("net/ipv6/neigh/u0/retrans_time_ms", "10")
	await(t, m, "through", func() bool {
		return m.Link().Sources.Six == netip.MustParseAddr("2001:db8::5") && !m.Link().Sources.Tentative
	})
}

// What is sent by way of the kernel arrives although the next hop was not known, to link-local addresses and groups too, byte by byte.
func TestRaw6(t *testing.T) {
	us, peer := pair6(t)
	link := peer.linkLocal("p0")
	wire := peer.tap("p0")
	r := us.raw()
	for _, dst := range []netip.Addr{netip.MustParseAddr("2001:db8::2"), link, netip.MustParseAddr("ff02::99"), netip.MustParseAddr("ff05::99")} {
		p := slices.Concat([]byte{0x6a, 0xb1, 0x23, 0x45, 0, 24, 17, 9}, netip.MustParseAddr("2001:db8::1").AsSlice(), dst.AsSlice(),
			[]byte{0xc0, 0, 0x12, 0xb5, 0, 24, 0xab, 0xcd}, bytes.Repeat([]byte{7}, 16))
		if err := r.Send(p); err != nil {
			t.Fatalf("send to %s: %v", dst, err)
		}
		wire.until("packet to "+dst.String(), func(f []byte) bool { return len(f) >= 54 && bytes.Equal(f[14:], p) })
	}
	eventually(t, "all left", func() bool { return r.Unsent() == 0 })
}

// A datagram in fragments arrives whole, with a header that says what the fragments' said.
func TestLeftovers6(t *testing.T) {
	us, peer := pair6(t)
	var l *Leftovers
	us.do(func() (err error) {
		l, err = OpenLeftovers(us.index("u0"), "u0", true, func(fd int) error {
			program := []unix.SockFilter{ // port 4789; the data starts at the UDP header
				{Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 2},
				{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 4789, Jf: 1},
				{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 20},
				{Code: unix.BPF_RET | unix.BPF_K, K: 0},
			}
			return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
		})
		return err
	})
	var c net.Conn
	peer.do(func() (err error) { c, err = net.Dial("udp6", "[2001:db8::1]:4789"); return err })
	defer c.Close()
	raw, err := c.(*net.UDPConn).SyscallConn()
	peer.must(err)
	peer.must(raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 0xb8)
		if err == nil {
			err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 33)
		}
	}))
	peer.must(err)
	buf := make([]byte, 1<<17)
	for _, size := range []int{0, 1, 100, 1452, 1453, 9000, 65000} {
		payload := bytes.Repeat([]byte{byte(size), 1, 2}, size/3+1)[:size]
		peer.say(c, payload)
		p := l.next(t, buf, deadline)
		if len(p) != 48+size || !bytes.Equal(p[48:], payload) {
			t.Fatalf("%d bytes of payload came as %d bytes", size, len(p))
		}
		want := slices.Concat([]byte{0x6b, 0x80, 0, 0, byte((8 + size) >> 8), byte(8 + size), 17, 33},
			netip.MustParseAddr("2001:db8::2").AsSlice(), netip.MustParseAddr("2001:db8::1").AsSlice())
		if !bytes.Equal(p[:40], want) {
			t.Errorf("%d bytes of payload: header % x, want % x", size, p[:40], want)
		}
	}
	if p := l.next(t, buf, 20*time.Millisecond); p != nil {
		t.Errorf("one more came: % x", p)
	}
	peer.say(c, make([]byte, 100))
	if p := l.next(t, buf[:64], deadline); len(p) != 64 {
		t.Errorf("%d bytes came into a buffer of 64", len(p))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Groups are joined, left, and joined again after the kernel has taken IPv6 off the interface.
func TestMemberships6(t *testing.T) {
	us, _ := pair6(t)
	var m *Memberships
	us.do(func() error { m = OpenMemberships(us.index("u0")); return nil })
	defer m.Close()
	joined := func(group string) bool {
		var text []byte
		us.do(func() (err error) { text, err = os.ReadFile("/proc/thread-self/net/igmp6"); return err })
		a := netip.MustParseAddr(group).As16()
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); f[1] == "u0" && f[2] == hex.EncodeToString(a[:]) {
				return true
			}
		}
		return false
	}
	groups := []string{"ff05::100", "ff02::100%u0", "239.1.1.1"}
	for i := range 25 { // more than one socket's worth
		groups = append(groups, fmt.Sprintf("ff05::1:%d", i+1))
	}
	for _, g := range groups {
		if err := m.Join(netip.MustParseAddr(g)); err != nil {
			t.Fatal(err)
		}
	}
	if !joined("ff05::100") || !joined("ff02::100") || !joined("ff05::1:25") {
		t.Error("groups are not joined")
	}
	us.must(us.nl.LinkSetMTU(us.link("u0"), 1200))
	eventually(t, "IPv6 taken off", func() bool { return !joined("ff05::100") })
	us.must(us.nl.LinkSetMTU(us.link("u0"), 1500))
	if err := m.Renew(); err != nil || !joined("ff05::100") || !joined("ff05::1:25") {
		t.Errorf("joined again: %v", err)
	}
	if err := m.Leave(netip.MustParseAddr("ff05::100")); err != nil || joined("ff05::100") {
		t.Errorf("left: %v", err)
	}
	if err := m.Join(netip.MustParseAddr("2001:db8::2")); err == nil {
		t.Error("join of a unicast address: no error")
	}
	if err := m.Close(); err != nil || joined("ff02::100") {
		t.Errorf("closed: %v", err)
	}
}
