package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// Containers of MTU 1500 over an underlay of MTU 1500: whoever sends too much is
// told, and what is told works.
func TestNarrowUnderlay(t *testing.T) {
	t.Parallel()
	for _, far := range []string{byGW, byKernel, byArticle} {
		t.Run(far, func(t *testing.T) {
			n := newNarrow(t, byGW, far)
			tap, err := n.ends[0].host.Capture("veth0", func(f lab.Frame) bool { _, ip := tooBigAnswer(f); return ip != nil })
			must(t, err)
			for _, w := range []string{`"port":"veth1"`, `"mtu":1500`, `"tunnel":1450`, "ip link set dev veth1 mtu 1450", "underlay 1550"} {
				if said := n.gws[0].log.grep("the port's MTU is larger"); !strings.Contains(said, w) {
					t.Errorf("the warning %q lacks %s", said, w)
				}
			}
			for i, ends := range [2][2]end{n.ends, n.ends6} {
				headers := []int{28, 48}[i]
				tooLarge(t, ends, 1500-headers)
				answers, err := tap.Wait(within(t), i+1, nil)
				must(t, err)
				if _, ip := tooBigAnswer(answers[i]); binary.BigEndian.Uint16(ip[headers-2:]) != 1450 {
					t.Errorf("answer % x, want an MTU of 1450", ip[:headers])
				}
				// The sender's stack knows now.
				tooLarge(t, ends, 1450-headers+1)
				ping(t, ends[0], ends[1], lab.PingOptions{Size: 1450 - headers, DontFragment: true})
			}
			for _, ends := range [2][2]end{n.ends, n.ends6} {
				n.adapt(t, 0, ends[0], ends[1])
				n.adapt(t, 1, ends[1], ends[0])
			}
			rightChecksums(t, n.ends[0].host)
			rightChecksums(t, n.ends[1].host)
			for i, g := range n.gws {
				if g == nil {
					continue
				}
				checkVerdicts(t, g)
				if text := output(t, g.host, "status"); !strings.Contains(text, "icmp_too_big_sent") {
					t.Errorf("status of node %d:\n%s", i+1, text)
				}
				if told := samples(t, scrape(t, g.host))["gw_icmp_too_big_sent_total"]; told == 0 {
					t.Errorf("the metrics of node %d know nothing of answers", i+1)
				}
				g.stop()
			}
		})
	}
}

// adapt sends 10 MB by TCP from a container that does not know yet what the way to
// the other one carries. gw on its node has to tell it.
func (n *narrow) adapt(t *testing.T, node int, from, to end) {
	t.Helper()
	for _, e := range []end{from, to} { // what one knows, it tells the other by its MSS
		if from.addr.Is4() {
			must(t, e.host.SetSysctl("net.ipv4.route.flush", "1"))
			continue
		}
		// The flush of IPv6 leaves what has a time to end; the route of the prefix takes it along.
		must(t, e.host.DeleteAddress(e.dev, e.addr.String()+"/64"))
		must(t, e.host.AddAddress(e.dev, e.addr.String()+"/64"))
	}
	g := n.gws[node]
	counts := func() (dropped, told uint64) {
		if g == nil {
			return 0, 0
		}
		s := g.status()
		by, _, _ := verdicts(s)
		return by["too_big"], s.Workers[0].Answers
	}
	droppedBefore, toldBefore := counts()
	transfer(t, from, to, 10<<20)
	dropped, told := counts()
	dropped, told = dropped-droppedBefore, told-toldBefore
	if g != nil && (told == 0 || told > dropped || dropped > 200) {
		t.Errorf("TCP from %s to %s: %d frames too big, %d answers", from.addr, to.addr, dropped, told)
	}
}

// tooLarge pings with so many bytes, and DF, and wants to be told that they are too
// many.
func tooLarge(t *testing.T, ends [2]end, size int) {
	t.Helper()
	res, err := ends[0].host.Ping(testContext(t), ends[1].addr, lab.PingOptions{Size: size, DontFragment: true, Timeout: patience, Refused: true})
	must(t, err)
	other := func(err error) bool { return !errors.Is(err, unix.EMSGSIZE) } // what an earlier one is told late comes, too
	if len(res.Errors) == 0 || slices.ContainsFunc(res.Errors, other) || res.Received != 0 {
		t.Errorf("ping of %d bytes to %s: %+v, want EMSGSIZE", size, ends[1].addr, res)
	}
}

// The same packets to gw and to the kernel's vxlan device behind a bridge. Packets
// with IPv6 extension headers are not compared: the kernel looks for what they carry
// 14 bytes too early (iptunnel_pmtud_check_icmpv6, net/ipv4/ip_tunnel_core.c).
func TestTooBigAsKernel(t *testing.T) {
	t.Parallel()
	icmp := func(at int, typ byte) edit { return set(at, typ, 0) }
	flags := func(v uint16) edit { return set16(atFrag, v) }
	cases := []struct {
		name       string
		frame      []byte
		kernel, gw bool // answered
	}{
		{"fits", box4(0, 1450, 253), false, false},
		{"one too many", box4(1, 1451, 253), true, true},
		{"full", box4(2, 1500, 253), true, true},
		{"options", box4(3, 1500, 253, set(atIP, 0x46), set(atUDP, 1, 1, 1, 1)), true, true},
		{"echo request", box4(4, 1500, 1, icmp(atUDP, 8)), true, true},
		{"unreachable", box4(5, 1500, 1, icmp(atUDP, 3)), false, false},
		{"to a group", box4(6, 1500, 253, set(atDst, 224, 1, 1, 9)), false, false},
		{"from nowhere", box4(7, 1500, 253, set(atSrc, 0, 0, 0, 0)), false, false},
		{"later fragment", box4(8, 1500, 253, flags(0x2010)), false, false},
		// The kernel sends these in two fragments of the outer packet.
		{"without DF", box4(9, 1500, 253, flags(0)), false, true},
		{"first fragment", box4(10, 1500, 253, flags(0x2000)), false, true},
		{"first fragment with DF", box4(11, 1500, 253, flags(0x6000)), false, true},

		{"IPv6 fits", box6(20, 1450, 253), false, false},
		{"IPv6, one too many", box6(21, 1451, 253), true, true},
		{"IPv6 full", box6(22, 1500, 253), true, true},
		{"IPv6 echo request", box6(23, 1500, 58, icmp(14+40, 128)), true, true},
		{"IPv6 unreachable", box6(24, 1500, 58, icmp(14+40, 1)), false, false},
		{"the last", box6(99, 1500, 253), true, true},
	}
	answers := func(node string) map[uint16][]byte {
		n := newNarrow(t, node, byKernel)
		box := n.ends[0].host
		tap, err := box.Capture("veth0", func(f lab.Frame) bool { _, ip := tooBigAnswer(f); return ip != nil })
		must(t, err)
		for _, c := range cases {
			must(t, box.SendFrame("veth0", c.frame))
		}
		_, err = tap.Wait(within(t), 1, func(f lab.Frame) bool { label, _ := tooBigAnswer(f); return label == 99 })
		must(t, err)
		got := map[uint16][]byte{}
		for _, f := range tap.Frames() {
			label, ip := tooBigAnswer(f)
			if got[label] != nil || string(f.Data[:12]) != string(boxMACs[0])+string(boxMACs[1]) {
				t.Errorf("%s: frame % x", node, f.Data[:14])
			}
			got[label] = rightAnswer(t, ip)
		}
		if n.gws[0] != nil {
			tagged(t, n)
			n.gws[0].stop()
		}
		return got
	}
	kernel, ours := answers(byKernel), answers(byGW)
	for _, c := range cases {
		label := binary.BigEndian.Uint16(c.frame[atIP+4:])
		if c.frame[12] == 0x86 {
			label = binary.BigEndian.Uint16(c.frame[atIP+2:])
		}
		a, b := kernel[label], ours[label]
		if (a != nil) != c.kernel || (b != nil) != c.gw {
			t.Errorf("%s: the kernel answered: %t, gw: %t", c.name, a != nil, b != nil)
		}
		if a != nil && b != nil {
			if diff := cmp.Diff(a, b); diff != "" {
				t.Errorf("%s (-kernel +gw): %s", c.name, diff)
			}
		}
	}
}

// tagged sends what is too big with a VLAN tag, for which there are four bytes less:
// its answer has the tag too.
func tagged(t *testing.T, n *narrow) {
	t.Helper()
	box := n.ends[0].host
	tap, err := box.Capture("veth0", func(f lab.Frame) bool { return !f.Outgoing && f.Tagged })
	must(t, err)
	must(t, box.SendFrame("veth0", insert(12, 0x81, 0, 0x60, 100)(box4(50, 1447, 253))))
	got, err := tap.Wait(within(t), 1, nil)
	must(t, err)
	label, ip := tooBigAnswer(got[0])
	if label != 50 || got[0].VLAN != 0x6064 || binary.BigEndian.Uint16(ip[26:]) != 1446 {
		t.Errorf("answer % x in VLAN %#x", ip, got[0].VLAN)
	}
	rightAnswer(t, ip)
}

// Datagrams of senders that leave DF to the kernel, or never set it: with gw they
// adapt after a loss, as those with DF do with the kernel's device.
func TestTooBigDatagrams(t *testing.T) {
	t.Parallel()
	sizes := []int{1472, 1472, 1472, 1472, 1422, 1423, 1473, 4000, 9000}
	for _, node := range []string{byKernel, byGW} {
		for name, discover := range map[string]int{"want": unix.IP_PMTUDISC_WANT, "dont": unix.IP_PMTUDISC_DONT} {
			t.Run(node+"/"+name, func(t *testing.T) {
				n := newNarrow(t, node, byKernel)
				lost := unacknowledged(t, n, discover, sizes)
				if len(lost) > 0 && lost[len(lost)-1] >= mayBeLost {
					t.Errorf("lost %v of %v: more than the first", lost, sizes)
				}
				if n.gws[0] != nil {
					checkVerdicts(t, n.gws[0])
					n.gws[0].stop()
				}
			})
		}
	}
}

// mayBeLost is how many of the first datagrams may get lost before their sender is told.
const mayBeLost = 2

// unacknowledged sends datagrams one after the other and returns which did not
// arrive, by number.
func unacknowledged(t *testing.T, n *narrow, discover int, sizes []int) (lost []int) {
	t.Helper()
	var server net.PacketConn
	must(t, n.ends[1].host.Do(func() (err error) {
		server, err = net.ListenPacket("udp", netip.AddrPortFrom(n.ends[1].addr, 0).String())
		return err
	}))
	defer server.Close()
	var client net.Conn
	must(t, n.ends[0].host.Do(func() (err error) {
		d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
			c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, discover) })
			return err
		}}
		client, err = d.DialContext(context.Background(), "udp", server.LocalAddr().String())
		return err
	}))
	defer client.Close()
	buf := make([]byte, 1<<16)
	for i, size := range sizes {
		payload := make([]byte, size)
		payload[0] = byte(i)
		if _, err := client.Write(payload); err != nil {
			if !errors.Is(err, unix.EMSGSIZE) {
				t.Fatal(err)
			}
			lost = append(lost, i)
			continue
		}
		wait := patience
		if i < mayBeLost {
			wait = time.Second // what comes later has arrived, too
		}
		must(t, server.SetReadDeadline(time.Now().Add(wait)))
		lost = append(lost, i)
		for slices.Contains(lost, i) {
			got, _, err := server.ReadFrom(buf)
			if err != nil {
				break
			}
			n := int(buf[0])
			if got == 0 || n > i || got != sizes[n] {
				t.Fatalf("datagram %d has %d bytes", n, got)
			}
			lost = slices.DeleteFunc(lost, func(j int) bool { return j == n })
		}
	}
	return lost
}
