package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/control"
	"vxgw/internal/lab"
)

var (
	far6      = netip.MustParseAddr("2001:db8:66::188")
	router6   = netip.MustParseAddr("2001:db8:65::1")
	anywhere6 = netip.MustParsePrefix("::/0")
)

// newNarrowWay6 is newNarrowWay over IPv6.
func newNarrowWay6(t *testing.T, by string) *narrowWay {
	t.Helper()
	l := newLab(t)
	a, r, b := newHost(t, l, "node1"), newHost(t, l, "router"), newHost(t, l, "node2")
	for _, h := range []*lab.Host{a, r, b} {
		must(t, h.LinkLocal())
	}
	must(t, l.Veth(a, "ens18", r, "left", lab.VethOptions{}))
	must(t, l.Veth(b, "ens18", r, "right", lab.VethOptions{MTU: 1400}))
	must(t, r.SetSysctl("net.ipv6.conf.all.forwarding", "1"))
	must(t, r.SetSysctl("net.ipv6.icmp.ratelimit", "0"))
	must(t, a.AddAddress("ens18", six1.String()+"/64"))
	must(t, r.AddAddress("left", router6.String()+"/64"))
	must(t, r.AddAddress("right", "2001:db8:66::1/64"))
	must(t, b.AddAddress("ens18", far6.String()+"/64"))
	must(t, a.AddRoute(lab.Route{Dst: anywhere6, Via: router6}))
	must(t, b.AddRoute(lab.Route{Dst: anywhere6, Via: netip.MustParseAddr("2001:db8:66::1")}))
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: six1, Local: far6, Address: over2.String() + "/24"}))
	c, err := a.BridgePort("veth1", "box", over3.String()+"/24", lab.VethOptions{MTU: 1430})
	must(t, err)
	w := &narrowWay{node: a, router: r, box: end{c, "veth0", over3, "", netip.Addr{}}, far: end{b, "vxlan0", over2, "ens18", far6}, mtu: 1430, narrow: 1330}
	if by == byGW {
		w.g = start(t, a, "--iface", "ens18", "--vni", "42", "--remote", far6.String(), "--port", "veth1", "--metrics", "")
	} else {
		must(t, a.Bridge("bridge0", "veth1"))
		must(t, a.KernelVXLAN(lab.VXLANConfig{Name: "vxlan1", VNI: 42, Dev: "ens18", Remote: far6, Local: six1, Master: "bridge0"}))
	}
	resolve(t, w.box, w.far)
	return w
}

// Over IPv6 no router fragments: what one says reaches whoever sent too much, as with the kernel's device, until its time is over.
func TestPathMTU6(t *testing.T) {
	t.Parallel()
	for _, by := range []string{byKernel, byGW} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			w := newNarrowWay6(t, by)
			w.told(t)
			var told control.Complaints // one, or more where packets were on their way already
			if w.g != nil {
				told = w.g.status().Underlay.Complaints
			}
			must(t, w.box.host.SetSysctl("net.ipv4.route.flush", "1"))
			transfer(t, w.box, w.far, 4<<20)
			rightChecksums(t, w.far.host)
			if w.g == nil {
				return
			}
			if r, s := w.remote(t), w.g.status().Underlay.Complaints; r.MTU != 1400 || r.MTUExpires <= 0 || r.MTUExpires > 600 || s.Believed == 0 || s.Ignored > 0 || s != told {
				t.Errorf("remote %+v, complaints %+v, were %+v", r, s, told)
			}
			checkVerdicts(t, w.g)
			w.g.stop()
		})
	}
}

// What was told is forgotten after the kernel's time, and with the route.
func TestPathMTUExpires6(t *testing.T) {
	t.Parallel()
	w := newNarrowWay6(t, byGW)
	must(t, w.node.SetSysctl("net.ipv6.route.mtu_expires", "1"))
	w.told(t)
	w.awaitMTU(t, 1500)
	must(t, w.node.SetSysctl("net.ipv6.route.mtu_expires", "600"))
	w.g.forged6(t, w, tooBigFor6(far6, 1300))
	w.awaitMTU(t, 1300)
	must(t, w.router.AddAddress("left", "2001:db8:65::2/64"))
	must(t, w.node.AddRoute(lab.Route{Dst: netip.PrefixFrom(far6, 128), Via: netip.MustParseAddr("2001:db8:65::2")}))
	w.awaitMTU(t, 1500)
	w.g.stop()
}

// tooBigFor6 is what a router says of gw's packet to a remote, with 56 bytes of it. Edits come before the checksum.
func tooBigFor6(remote netip.Addr, mtu int, edits ...edit) []byte {
	m := slices.Concat([]byte{2, 0, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)},
		[]byte{0x60, 0, 0, 0, 0x05, 0xb4, 17, 63}, six1.AsSlice(), remote.AsSlice(),
		[]byte{0xc0, 0x01, 0x12, 0xb5, 0x05, 0xb4, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0})
	for _, e := range edits {
		m = e(m)
	}
	sum := slices.Concat(router6.AsSlice(), six1.AsSlice(), []byte{0, 0, 0, byte(len(m)), 0, 0, 0, 58}, m)
	binary.BigEndian.PutUint16(m[2:], ^sum16(sum))
	return m
}

const atQuotedUDP6 = atQuoted + 40

// forged6 is forged over IPv6.
func (g *vtep) forged6(t *testing.T, w *narrowWay, message []byte) {
	t.Helper()
	to, err := w.node.MAC("ens18")
	must(t, err)
	from, err := w.router.MAC("left")
	must(t, err)
	p := slices.Concat([]byte{0x60, 0, 0, 0, 0, byte(len(message)), 58, 64}, router6.AsSlice(), six1.AsSlice(), message)
	must(t, w.router.SendFrame("left", frameOf(to, from, 0x86dd, p)))
}

// Whoever makes such messages up has to know what gw sends, and cannot make a way narrower than any link of IPv6 is.
func TestForgedPathMTU6(t *testing.T) {
	t.Parallel()
	w := newNarrowWay6(t, byGW)
	ignored := uint64(0)
	for name, message := range map[string][]byte{
		"another source":       tooBigFor6(far6, 1400, set(atQuoted+8+15, 9)),
		"another remote":       tooBigFor6(netip.MustParseAddr("2001:db8:66::189"), 1400),
		"another port":         tooBigFor6(far6, 1400, set16(atQuotedUDP6+2, 8472)),
		"another source port":  tooBigFor6(far6, 1400, set16(atQuotedUDP6, 49151)),
		"another VNI":          tooBigFor6(far6, 1400, set(atQuotedUDP6+12, 0, 0, 43)),
		"longer than the link": tooBigFor6(far6, 1400, set16(atQuoted+4, 1461), set16(atQuotedUDP6+4, 1461)),
	} {
		w.g.forged6(t, w, message)
		ignored++
		eventually(t, func() string {
			if n := w.g.status().Underlay.Complaints.Ignored; n != ignored {
				return fmt.Sprintf("%s: %d ignored, want %d", name, n, ignored)
			}
			return ""
		})
	}
	for _, message := range [][]byte{ // which are nobody's
		tooBigFor6(far6, 1500),
		tooBigFor6(far6, 1400, set(0, 3)),
		tooBigFor6(far6, 1400, set(atQuoted+6, 44)),
		tooBigFor6(far6, 1400, cut(atQuotedUDP6)),
		tooBigFor6(far6, 1279), // plausible, and no link's
	} {
		w.g.forged6(t, w, message)
	}
	w.stays(t, 1500, "forged")
	must(t, w.node.Do(func() error { // nor does the kernel believe them for the sake of gw's sockets
		routes, err := netlink.RouteGet(far6.AsSlice())
		if err == nil && (len(routes) != 1 || routes[0].MTU != 0) {
			t.Errorf("routes %v", routes)
		}
		return err
	}))
	if s := w.g.status().Underlay.Complaints; s.Believed != 0 || s.Ignored != ignored {
		t.Errorf("complaints %+v", s)
	}
	w.g.forged6(t, w, tooBigFor6(far6, 1280, cut(atQuotedUDP6+8)))
	w.awaitMTU(t, 1280)
	tooLarge(t, [2]end{w.box, w.far}, 1280-70-28+1)
	ping(t, w.box, w.far, lab.PingOptions{Size: 1280 - 70 - 28, DontFragment: true})
	w.g.stop()
}
