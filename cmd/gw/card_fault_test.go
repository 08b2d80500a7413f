//go:build vmlab

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/internal/ethtool"
	"vxgw/internal/lab"
)

// What may happen to zero-copy cards while frames flow. The underlay's card is back to
// back with that of a kernel VTEP, a card that is a port with that of a guest:
//
//	guest ens19 -- ens19 node1 ens18 -- ens18 node2
//	                     gw42                 vxlan0
//
// These tests have a boot of their own, with other cards than those of TestCard.

// faultCards are four cards: those of the underlay, on node1 and node2, and those of the
// port, on node1 and the guest.
type faultCards struct{ under, far, port, guest string }

// portMTU is that of the port, and of the guest: the tunnel carries as much when the underlay has the smallest MTU of
// these tests.
const portMTU = 1400

// faultKinds are the cards by their kind. An igb has two queues, a virtio one.
var faultKinds = map[string]faultCards{
	"igb":    {"igb0", "igb1", "igb2", "igb3"},
	"virtio": {"vio4", "vio5", "vio6", "vio7"},
}

// onFaultCards runs a test with every kind of card.
func onFaultCards(t *testing.T, f func(t *testing.T, b *faultBed)) {
	for kind, c := range faultKinds {
		t.Run(kind, func(t *testing.T) {
			f(t, newFaultBed(t, kind, c))
		})
	}
}

// faultBed is the picture.
type faultBed struct {
	t              *testing.T
	kind           string
	cards          faultCards
	h, peer, guest *lab.Host
	g              *vtep
}

func newFaultBed(t *testing.T, kind string, c faultCards) *faultBed {
	t.Helper()
	l := newLab(t)
	b := &faultBed{t: t, kind: kind, cards: c, h: newHost(t, l, "node1"), peer: newHost(t, l, "node2"), guest: newHost(t, l, "guest")}
	for _, a := range []struct {
		host     *lab.Host
		card, as string
	}{{b.h, c.under, "ens18"}, {b.peer, c.far, "ens18"}, {b.h, c.port, "ens19"}, {b.guest, c.guest, "ens19"}} {
		must(t, a.host.Adopt(a.card, a.as))
	}
	must(t, b.h.AwaitCarrier("ens18"))
	must(t, b.peer.AwaitCarrier("ens18"))
	must(t, b.h.AwaitCarrier("ens19"))
	must(t, b.guest.AwaitCarrier("ens19"))
	must(t, b.h.AddAddress("ens18", under1.String()+"/24"))
	must(t, b.peer.AddAddress("ens18", under2.String()+"/24"))
	must(t, b.h.SetMTU("ens19", portMTU))
	must(t, b.guest.SetMTU("ens19", portMTU))
	must(t, b.guest.AddAddress("ens19", guestAddress+"/24"))
	must(t, b.peer.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: peerAddress + "/24"}))
	return b
}

// start starts gw, zero-copy on both cards.
func (b *faultBed) start(args ...string) {
	b.t.Helper()
	b.g = start(b.t, b.h, args...)
	b.flows()
	b.zeroCopy()
}

// flows waits until frames flow both ways.
func (b *faultBed) flows() {
	b.t.Helper()
	answers(b.t, b.h, peerAddress)
	answers(b.t, b.guest, peerAddress)
}

// load starts traffic of both cards, both ways: so many datagrams at once, and under way.
func (b *faultBed) load(burst, ahead int) loads {
	b.t.Helper()
	var all loads
	for _, w := range []struct {
		from, to *lab.Host
		addr     string
	}{{b.guest, b.peer, peerAddress}, {b.peer, b.guest, guestAddress}} {
		all = append(all, newLoad(b.t, w.from, w.to, w.addr, burst, ahead))
	}
	all.goOn(b.t, "at first")
	return all
}

// zeroCopy wants every queue of both cards in zero-copy mode, as gw says and as its
// sockets say when they are asked now (XDP_OPTIONS), and frames to be whose they are.
func (b *faultBed) zeroCopy() {
	b.t.Helper()
	checkZeroCopy(b.t, b.g, "ens18")
	checkZeroCopy(b.t, b.g, "ens19")
	s := b.g.status()
	want := len(s.Underlay.Queues)
	for _, p := range s.Ports {
		if p.Name == "ens19" {
			want += len(p.Queues)
		}
	}
	eventually(b.t, func() string { // those of a port that is gone are closed in their own time
		if n := zeroCopySockets(b.t, b.g.cmd.Process.Pid); n != want {
			return fmt.Sprintf("%d sockets of gw are in zero-copy mode, want %d", n, want)
		}
		return ""
	})
	b.foreignFrames()
}

// foreignFrames says how many descriptors were ignored, since the kernel did not have
// their frames: none may be but by an igb that ran dry.
func (b *faultBed) foreignFrames() {
	b.t.Helper()
	s := b.g.status()
	queues := s.Underlay.Queues
	for _, p := range s.Ports {
		queues = append(queues, p.Queues...)
	}
	for _, q := range queues {
		if q.Foreign == 0 {
			continue
		}
		b.t.Logf("queue %d in mode %s handed out %d frames that it did not have", q.Queue, q.Mode, q.Foreign)
		if b.kind != "igb" {
			b.t.Error("no driver but igb is known for that")
		}
	}
}

// stop ends gw, which counts the frames.
func (b *faultBed) stop() {
	b.t.Helper()
	b.zeroCopy()
	b.g.stop()
}

// zeroCopySockets counts the AF_XDP sockets of a process that are in zero-copy mode (XDP_OPTIONS).
func zeroCopySockets(t *testing.T, pid int) (n int) {
	t.Helper()
	process, err := unix.PidfdOpen(pid, 0)
	must(t, err)
	defer unix.Close(process)
	files, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	must(t, err)
	for _, f := range files {
		theirs, err := strconv.Atoi(f.Name())
		must(t, err)
		fd, err := unix.PidfdGetfd(process, theirs, 0)
		if errors.Is(err, unix.EBADF) { // closed meanwhile
			continue
		}
		must(t, err)
		if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil && domain == unix.AF_XDP {
			options, err := unix.GetsockoptInt(fd, unix.SOL_XDP, unix.XDP_OPTIONS) // struct xdp_options has one word
			must(t, err)
			if options&unix.XDP_OPTIONS_ZEROCOPY != 0 {
				n++
			}
		}
		must(t, unix.Close(fd))
	}
	return n
}

// scarce is a gateway with few frames: its rings are short, and the cards' own ones hold
// 256 each at first.
const scarce = `
underlay: {iface: ens18, mode: zerocopy}
dataplane: {frames: 8192}
metrics: {listen: ""}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    device: {addresses: [172.17.1.2/24]}
    ports: [ens19]
`

// What changes while frames flow does not end that, and they stay zero-copy: links go
// down and up again, there is another MTU, the process stands still for a while, rings
// get another size, a port loses its driver.
func TestFaultChanges(t *testing.T) {
	ports := slotsOf(t, func(c faultCards) string { return c.port })
	onFaultCards(t, func(t *testing.T, b *faultBed) {
		b.start("--config", writeFile(t, scarce))
		all := b.load(4, 64)
		b.flaps(all)
		b.mtus(all)
		all.stop(t)
		flood := b.load(64, loadMost)
		b.pauses(flood)
		b.rings(flood)
		flood.stop(t)
		b.foreignFrames()
		checkVerdicts(t, b.g)
		b.portUnbound(ports[b.kind])
		b.stop()
	})
}

// flaps takes each end of each cable down and up. The other end keeps its carrier, other
// than with real cables.
func (b *faultBed) flaps(all loads) {
	b.t.Helper()
	for link, problem := range map[string]string{"ens18": "underlay ens18 is down", "ens19": "port ens19 of vni 42 is down"} {
		must(b.t, b.h.SetDown(link))
		b.g.awaitProblem(problem)
		must(b.t, b.h.SetUp(link))
		must(b.t, b.h.AwaitCarrier(link))
		b.wentOn(all, link+" was down")
	}
	must(b.t, b.peer.SetDown("ens18"))
	must(b.t, b.guest.SetDown("ens19"))
	must(b.t, b.peer.SetUp("ens18"))
	must(b.t, b.guest.SetUp("ens19"))
	b.wentOn(all, "the far ends were down")
}

// wentOn wants traffic to go on, all to be well, and every queue to be in zero-copy mode.
func (b *faultBed) wentOn(all loads, what string) {
	b.t.Helper()
	all.goOn(b.t, what)
	b.g.awaitHealth()
	b.zeroCopy()
}

// rings gives the underlay's card rings of another size, and then those that it had: with
// igb so large that they would take every frame there is, if they were let.
func (b *faultBed) rings(flood loads) {
	b.t.Helper()
	first := cardRings(b.t, b.h, "ens18")
	other := first
	if other.Rx, other.Tx = first.MaxRx, first.MaxTx; other == first { // virtio-net's are as large as may be
		other.Rx, other.Tx = first.Rx/2, first.Tx/2
	}
	b.resize("ens18", other)
	b.wentOn(flood, "other rings")
	b.pauses(flood)
	b.resize("ens18", first)
	b.wentOn(flood, "rings as they were")
}

// pauses stops the process several times, until far more was sent than all rings hold. No
// frame comes twice or damaged then. Descriptors of frames that the driver does not have
// are counted, as igb hands them out (Linux 7.3) when its ring is dry and there is nothing
// to refill it with: see ring.Socket.Refill.
func (b *faultBed) pauses(flood loads) {
	b.t.Helper()
	for range 4 {
		must(b.t, b.g.cmd.Process.Signal(unix.SIGSTOP))
		for _, l := range flood {
			from := l.sent.Load()
			eventually(b.t, func() string {
				if l.sent.Load() < from+1000 {
					return "nothing is sent"
				}
				return ""
			})
		}
		must(b.t, b.g.cmd.Process.Signal(unix.SIGCONT))
		b.wentOn(flood, "stopped and continued")
	}
}

// resize gives the rings of a card of gw's other sizes.
func (b *faultBed) resize(link string, want ethtool.Rings) {
	b.t.Helper()
	must(b.t, b.h.Do(func() error { return ethtool.SetRings(link, want) }))
	if now := cardRings(b.t, b.h, link); now != want {
		b.t.Errorf("rings of %s are %+v, want %+v", link, now, want)
	}
	must(b.t, b.h.AwaitCarrier(link))
}

func cardRings(t *testing.T, h *lab.Host, link string) (r ethtool.Rings) {
	t.Helper()
	must(t, h.Do(func() (err error) {
		r, err = ethtool.GetRings(link)
		return err
	}))
	return r
}

// mtus changes the underlay's MTU. With an XDP program igb refuses what is above 1500, and
// nothing changes then; virtio-net does not.
func (b *faultBed) mtus(all loads) {
	b.t.Helper()
	for _, mtu := range []int{1450, 1600, 1500} {
		err := b.h.SetMTU("ens18", mtu)
		if mtu > 1500 && b.kind == "igb" {
			if !errors.Is(err, unix.EINVAL) {
				b.t.Errorf("mtu %d: %v, want %v", mtu, err, unix.EINVAL)
			}
			mtu = 1450
		} else {
			must(b.t, err)
		}
		must(b.t, b.h.AwaitCarrier("ens18"))
		eventually(b.t, func() string {
			if now := b.g.status().Underlay.MTU; now != mtu {
				return fmt.Sprintf("mtu %d in the status, want %d", now, mtu)
			}
			return ""
		})
		b.wentOn(all, fmt.Sprintf("mtu %d", mtu))
	}
}
