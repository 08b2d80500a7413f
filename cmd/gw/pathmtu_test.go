package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// A router on the way whose second link is narrower:
//
//	box (1450) ── veth1 ── gw or the kernel ── ens18 ── 1500 ── router ── 1400 ── ens18 ── vxlan0 (1350)

// narrowWay is that. wire hears what the router's near link does.
type narrowWay struct {
	node, router *lab.Host
	box, far     end
	g            *vtep // nil where the kernel's device is
	wire         *lab.Capture
	mtu, narrow  int // of the box, and what the way carries of its packets
}

func newNarrowWay(t *testing.T, by, df string) *narrowWay {
	t.Helper()
	l := newLab(t)
	a, r, b := newHost(t, l, "node1"), newHost(t, l, "router"), newHost(t, l, "node2")
	must(t, l.Veth(a, "ens18", r, "left", lab.VethOptions{}))
	must(t, l.Veth(b, "ens18", r, "right", lab.VethOptions{MTU: 1400}))
	must(t, r.SetSysctl("net.ipv4.ip_forward", "1"))
	must(t, r.SetSysctl("net.ipv4.icmp_ratelimit", "0"))
	must(t, a.AddAddress("ens18", under1.String()+"/24"))
	must(t, r.AddAddress("left", router1.String()+"/24"))
	must(t, r.AddAddress("right", "10.66.0.1/24"))
	must(t, b.AddAddress("ens18", farUnder.String()+"/24"))
	must(t, a.AddRoute(lab.Route{Dst: anywhere, Via: router1}))
	must(t, b.AddRoute(lab.Route{Dst: anywhere, Via: netip.MustParseAddr("10.66.0.1")}))
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: over2.String() + "/24"}))
	c, err := a.BridgePort("veth1", "box", over3.String()+"/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	w := &narrowWay{node: a, router: r, box: end{c, "veth0", over3, "", netip.Addr{}}, far: end{b, "vxlan0", over2, "ens18", farUnder}, mtu: 1450, narrow: 1350}
	w.wire, err = r.Capture("left", nil)
	must(t, err)
	if by == byGW {
		w.g = start(t, a, "--config", writeFile(t, fmt.Sprintf("underlay: {iface: ens18}\nmetrics: {listen: ''}\ntunnel: {df: %s}\nvnis: [{vni: 42, remotes: [%s], ports: [veth1]}]\n", df, farUnder)))
	} else {
		must(t, a.Bridge("bridge0", "veth1"))
		must(t, a.KernelVXLAN(lab.VXLANConfig{Name: "vxlan1", VNI: 42, Dev: "ens18", Remote: farUnder, Master: "bridge0", DF: df}))
	}
	resolve(t, w.box, w.far)
	return w
}

// told pings from the box until its own stack refuses, and wants the way to be known then.
func (w *narrowWay) told(t *testing.T) {
	t.Helper()
	eventually(t, func() string {
		res, err := w.box.host.Ping(testContext(t), w.far.addr, lab.PingOptions{Size: w.mtu - 28, DontFragment: true, Timeout: answerTime})
		must(t, err)
		if len(res.Errors) == 0 || !errors.Is(res.Errors[0], unix.EMSGSIZE) {
			return fmt.Sprintf("the box is not told that its packets are too big: %+v, want EMSGSIZE", res)
		}
		return ""
	})
	tooLarge(t, [2]end{w.box, w.far}, w.narrow-28+1)
	ping(t, w.box, w.far, lab.PingOptions{Size: w.narrow - 28, DontFragment: true})
}

// What the router says reaches whoever sent too much, as with the kernel's device, and TCP adapts. Without DF the router
// fragments, and nobody is told.
func TestPathMTU(t *testing.T) {
	t.Parallel()
	for _, by := range []string{byKernel, byGW} {
		for _, df := range []string{"set", "inherit", "unset"} {
			t.Run(by+"/"+df, func(t *testing.T) {
				t.Parallel()
				w := newNarrowWay(t, by, df)
				if df == "unset" {
					ping(t, w.box, w.far, lab.PingOptions{Size: 1450 - 28, DontFragment: true, Count: 5})
					transfer(t, w.box, w.far, 1<<20)
				} else {
					w.told(t)
					must(t, w.box.host.SetSysctl("net.ipv4.route.flush", "1"))
					transfer(t, w.box, w.far, 4<<20)
				}
				rightChecksums(t, w.far.host)
				if w.g == nil {
					return
				}
				r := w.remote(t)
				s := w.g.status().Underlay.Complaints
				if df == "unset" {
					if r.MTU != 1500 || r.MTUExpires != 0 || s != (control.Complaints{}) {
						t.Errorf("remote %+v, complaints %+v", r, s)
					}
				} else if r.MTU != 1400 || r.MTUExpires <= 0 || r.MTUExpires > 600 || s.Believed == 0 || s.Ignored > 0 {
					t.Errorf("remote %+v, complaints %+v", r, s)
				}
				checkVerdicts(t, w.g)
				w.g.stop()
			})
		}
	}
}

func (w *narrowWay) remote(t *testing.T) control.Remote {
	t.Helper()
	all := w.g.status().Remotes
	i := slices.IndexFunc(all, func(r control.Remote) bool { return r.Address == w.far.under.String() })
	if i < 0 {
		t.Fatalf("no remote %s in %+v", w.far.under, all)
	}
	return all[i]
}

func (w *narrowWay) awaitMTU(t *testing.T, mtu int) {
	t.Helper()
	eventually(t, func() string {
		if r := w.remote(t); r.MTU != mtu {
			return fmt.Sprintf("the way has an MTU of %d, want %d", r.MTU, mtu)
		}
		return ""
	})
}

// What was told is forgotten after the kernel's time, with the next hop, and is not heeded where the host does not want it.
func TestPathMTUExpires(t *testing.T) {
	t.Parallel()
	w := newNarrowWay(t, byGW, "set")
	must(t, w.node.SetSysctl("net.ipv4.route.mtu_expires", "1"))
	w.told(t)
	w.awaitMTU(t, 1500)
	must(t, w.node.SetSysctl("net.ipv4.route.mtu_expires", "600"))
	must(t, w.box.host.SetSysctl("net.ipv4.route.flush", "1"))
	w.told(t)
	w.awaitMTU(t, 1400)

	must(t, w.router.AddAddress("left", router2.String()+"/24"))
	must(t, w.node.AddRoute(lab.Route{Dst: farOnly, Via: router2}))
	w.awaitMTU(t, 1500)
	w.told(t) // the box knows; and the way is narrow by that router, too
	must(t, w.box.host.SetSysctl("net.ipv4.route.flush", "1"))
	w.told(t)
	w.awaitMTU(t, 1400)

	locked := &netlink.Route{Dst: ipNet(farOnly), Gw: router2.AsSlice(), MTU: 1480, MTULock: true}
	must(t, w.node.Do(func() error { return netlink.RouteReplace(locked) }))
	w.awaitMTU(t, 1480)
	w.g.forged(t, w, tooBigFor(farUnder, 1400))
	w.considered(t)
	w.stays(t, 1480, "the route's MTU is locked")
	must(t, w.node.AddRoute(lab.Route{Dst: farOnly, Via: router2}))
	w.awaitMTU(t, 1500)
	must(t, w.node.SetSysctl("net.ipv4.ip_no_pmtu_disc", "1"))
	w.g.forged(t, w, tooBigFor(farUnder, 1400))
	w.considered(t)
	w.stays(t, 1500, "ip_no_pmtu_disc is 1")
	must(t, w.node.SetSysctl("net.ipv4.ip_no_pmtu_disc", "0"))
	w.g.forged(t, w, tooBigFor(farUnder, 1399))
	w.awaitMTU(t, 1399)
	w.g.stop()
}

// considered waits until gw has looked at all that was forged so far, of which not everything is counted: what comes
// behind it is.
func (w *narrowWay) considered(t *testing.T) {
	t.Helper()
	before := w.g.status().Underlay.Complaints.Ignored
	w.g.forged(t, w, tooBigFor(farUnder, 1400, set16(atQuotedUDP+2, 8472))) // another port
	eventually(t, func() string {
		if n := w.g.status().Underlay.Complaints.Ignored; n == before {
			return fmt.Sprintf("still %d ignored", n)
		}
		return ""
	})
}

// stays wants what was said just now to have changed nothing.
func (w *narrowWay) stays(t *testing.T, mtu int, why string) {
	t.Helper()
	time.Sleep(50 * time.Millisecond) // for what must not come
	if r := w.remote(t); r.MTU != mtu {
		t.Errorf("%s: remote %+v, want an MTU of %d", why, r, mtu)
	}
}

// tooBigFor is what a router says of gw's packet to a remote, with 36 bytes of it. Edits come before the checksum.
func tooBigFor(remote netip.Addr, mtu int, edits ...edit) []byte {
	dst, src := remote.As4(), under1.As4()
	quote := slices.Concat([]byte{0x45, 0, 0x05, 0xdc, 0, 0, 0x40, 0, 63, 17, 0, 0}, src[:], dst[:],
		[]byte{0xc0, 0x01, 0x12, 0xb5, 0x05, 0xc8, 0, 0, 8, 0, 0, 0, 0, 0, 42, 0})
	m := slices.Concat([]byte{3, 4, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quote)
	for _, e := range edits {
		m = e(m)
	}
	binary.BigEndian.PutUint16(m[2:], ^sum16(m))
	return m
}

// Offsets in such a message.
const (
	atQuoted     = 8
	atQuotedUDP  = atQuoted + 20
	atQuotedVNI  = atQuotedUDP + 8 + 4
	quotedLength = atQuotedUDP + 16
)

// forged sends a message to the node from the router.
func (g *vtep) forged(t *testing.T, w *narrowWay, message []byte) {
	t.Helper()
	to, err := w.node.MAC("ens18")
	must(t, err)
	from, err := w.router.MAC("left")
	must(t, err)
	src, dst := router1.As4(), under1.As4()
	p := slices.Concat([]byte{0x45, 0, 0, byte(20 + len(message)), 0, 1, 0, 0, 64, 1, 0, 0}, src[:], dst[:], message)
	must(t, w.router.SendFrame("left", sumIP(frameOf(to, from, 0x0800, p))))
}

// Whoever makes such messages up has to know what gw sends, and cannot make a way narrower than the kernel would let
// him, nor that to anybody else.
func TestForgedPathMTU(t *testing.T) {
	t.Parallel()
	w := newNarrowWay(t, byGW, "set")
	ignored := uint64(0)
	for name, message := range map[string][]byte{
		"another source":        tooBigFor(farUnder, 1400, set(atQuoted+12, 10, 65, 132, 9)),
		"another remote":        tooBigFor(netip.MustParseAddr("10.66.0.189"), 1400),
		"another port":          tooBigFor(farUnder, 1400, set16(atQuotedUDP+2, 8472)),
		"another source port":   tooBigFor(farUnder, 1400, set16(atQuotedUDP, 49151)),
		"another VNI":           tooBigFor(farUnder, 1400, set(atQuotedVNI, 0, 0, 43)),
		"longer than the link":  tooBigFor(farUnder, 1400, set16(atQuoted+2, 1501), set16(atQuotedUDP+4, 1481)),
		"a VNI that is too big": tooBigFor(farUnder, 1400, set(atQuotedVNI, 0xff, 0xff, 0xff)),
	} {
		w.g.forged(t, w, message)
		ignored++
		eventually(t, func() string {
			if n := w.g.status().Underlay.Complaints.Ignored; n != ignored {
				return fmt.Sprintf("%s: %d ignored, want %d", name, n, ignored)
			}
			return ""
		})
	}
	for _, message := range [][]byte{ // which are nobody's, and not even counted
		tooBigFor(farUnder, 1400, set(atQuoted+6, 0)),
		tooBigFor(farUnder, 1500),
		tooBigFor(farUnder, 1400, set(1, 3)),
		append(tooBigFor(farUnder, 1400, cut(quotedLength)), 1),
		tooBigFor(farUnder, 1400, cut(atQuotedUDP)),
	} {
		w.g.forged(t, w, message)
	}
	w.considered(t)
	ignored++
	w.stays(t, 1500, "forged")
	if s := w.g.status().Underlay.Complaints; s.Believed != 0 || s.Ignored != ignored {
		t.Errorf("complaints %+v", s)
	}
	// As the kernel's own (min_pmtu is 552), and 28 bytes of the packet are enough.
	w.g.forged(t, w, tooBigFor(farUnder, 0, cut(atQuotedUDP+8)))
	w.awaitMTU(t, 552)
	w.g.forged(t, w, tooBigFor(farUnder, 1400)) // no wider
	w.considered(t)
	w.stays(t, 552, "a wider one")
	res, err := w.box.host.Ping(testContext(t), w.far.addr, lab.PingOptions{Size: 600, Timeout: answerTime})
	must(t, err)
	if res.Received > 0 {
		t.Errorf("what does not fit was sent: %+v", res)
	}
	ping(t, w.box, w.far, lab.PingOptions{Size: 552 - 50 - 28})
	w.g.stop()

	// Nobody is believed about packets without DF.
	w.g = start(t, w.node, "--iface", "ens18", "--vni", "42", "--remote", farUnder.String(), "--port", "veth1", "--metrics", "")
	resolve(t, w.box, w.far)
	w.g.forged(t, w, tooBigFor(farUnder, 1400))
	w.g.forged(t, w, tooBigFor(farUnder, 1400, cut(atQuotedUDP+8)))
	eventually(t, func() string {
		if s := w.g.status().Underlay.Complaints; s.Ignored != 2 || s.Believed != 0 {
			return fmt.Sprintf("complaints %+v", s)
		}
		return ""
	})
	w.stays(t, 1500, "without DF")
	w.g.stop()
}
