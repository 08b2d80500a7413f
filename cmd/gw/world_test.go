package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"vxgw/control"
	"vxgw/internal/lab"
)

// A changing world: what happens to the underlay, to neighbours and routes while gw
// runs. Traffic goes on by itself, and the status says what is wrong meanwhile.

// goesOn is how long traffic may take to flow again when the kernel has told of a
// change. Two seconds are promised, which TestFlaps keeps; these tests share the CPUs
// with others, and tell that from waiting for the ten seconds after which all is
// looked at again. An emulated CPU keeps no time at all.
const goesOn = 9 * time.Second

// soon wants something to have taken no longer than it may.
func soon(t *testing.T, what string, took, most time.Duration) {
	t.Helper()
	if took > most && !testing.Short() {
		t.Errorf("%s: traffic goes on after %v", what, took)
	}
}

// world is gw and a kernel VTEP on one cable, or behind switches.
type world struct {
	g           *vtep
	left, right end
	wire        *lab.Capture // at the far end
}

// newWorld connects node1 and node2 by a cable and starts gw on node1.
func newWorld(t *testing.T, args ...string) *world {
	t.Helper()
	w := newStillWorld(t)
	w.start(t, args...)
	return w
}

// newStillWorld is newWorld before gw is started.
func newStillWorld(t *testing.T) *world {
	t.Helper()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, a, b)
	must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: peerAddress + "/24"}))
	wire, err := b.Capture("ens18", nil)
	must(t, err)
	return &world{left: end{a, "gw42", over1, "ens18", under1}, right: end{b, "vxlan0", over2, "ens18", under2}, wire: wire}
}

// start starts gw with the far end as its remote.
func (w *world) start(t *testing.T, args ...string) {
	t.Helper()
	w.g = start(t, w.left.host, on(append([]string{"--remote", w.right.under.String(), "--address", ourAddress + "/24"}, args...)...)...)
	w.goesOn(t, "at first")
}

// goesOn wants traffic to flow again soon, and all to be well.
func (w *world) goesOn(t *testing.T, what string) {
	t.Helper()
	begin := time.Now()
	answers(t, w.left.host, peerAddress)
	soon(t, what, time.Since(begin), goesOn)
	w.g.awaitHealth()
	pings(t, w.left.host, peerAddress)
	pings(t, w.right.host, ourAddress)
}

// remote is what the status says of the far end.
func (w *world) remote(t *testing.T) control.Remote {
	t.Helper()
	all := w.g.status().Remotes
	i := slices.IndexFunc(all, func(r control.Remote) bool { return r.Address == w.right.under.String() })
	if i < 0 {
		t.Fatalf("no remote %s in %+v", w.right.under, all)
	}
	return all[i]
}

// awaitRemote waits until what the status says of the far end satisfies ok.
func (w *world) awaitRemote(t *testing.T, what string, ok func(control.Remote) bool) {
	t.Helper()
	var r control.Remote
	eventually(t, func() string {
		if r = w.remote(t); ok(r) {
			return ""
		}
		return what + ": the remote is " + strings.Join([]string{r.State, r.NextHop, r.MAC, r.Reason}, " ")
	})
}

// sent returns the VXLAN packets that have arrived at the far end since they were
// counted before.
func (w *world) sent(t *testing.T, since int) []outer {
	t.Helper()
	var out []outer
	for _, f := range w.wire.Frames()[since:] {
		if p, ok := parseOuter(f); ok && !f.Outgoing {
			out = append(out, p)
		}
	}
	return out
}

// heard is how many frames have arrived at the far end, all that came before this is called
// among them: one more from there comes behind them.
func (w *world) heard(t *testing.T) int {
	t.Helper()
	return heardBehind(t, w.wire, w.right.host, "ens18")
}

// heardBehind sends a frame by which the reader of a capture has to come, and returns how many
// there are then.
func heardBehind(t *testing.T, c *lab.Capture, from *lab.Host, link string) int {
	t.Helper()
	mark := named(noMAC, rawMAC, fmt.Sprintf("heard %d", markers.Add(1)))
	eventually(t, func() string {
		if err := from.SendFrame(link, mark); err != nil { // a link whose carrier has just come
			return err.Error()
		}
		return ""
	})
	_, err := c.Wait(within(t), 1, func(f lab.Frame) bool { return bytes.Equal(f.Data, mark) })
	must(t, err)
	return len(c.Frames())
}

// markers numbers the frames of heardBehind.
var markers atomic.Int64

// nothingSent has every host ping the other, while nothing may arrive.
func (w *world) nothingSent(t *testing.T) {
	t.Helper()
	before := w.heard(t)
	r, err := w.left.host.Ping(testContext(t), w.right.addr, lab.PingOptions{Count: 5, Interval: 20 * time.Millisecond, Timeout: answerTime})
	must(t, err)
	if r.Received > 0 {
		t.Errorf("%d pings were answered", r.Received)
	}
	for _, p := range w.sent(t, before) {
		t.Errorf("a packet was sent from %s to %s", p.src, p.dst)
	}
}

// streamTime is how long a stream waits for its last answers.
const streamTime = 5 * time.Second

// stream pings until it is stopped, and then wants every ping to have been answered, or
// all but so many.
func stream(t *testing.T, from *lab.Host, addr string, every time.Duration, lost int) (stop func()) {
	t.Helper()
	ctx, quit := context.WithCancel(context.Background())
	type result struct {
		lab.PingResult
		err error
	}
	done := make(chan result, 1)
	go func() {
		var sum result
		for ctx.Err() == nil && sum.err == nil {
			var r lab.PingResult
			r, sum.err = from.Ping(context.Background(), netip.MustParseAddr(addr), lab.PingOptions{Count: 10, Interval: every, Timeout: streamTime})
			sum.Sent, sum.Received = sum.Sent+r.Sent, sum.Received+r.Received
		}
		done <- sum
	}()
	stop = sync.OnceFunc(func() {
		t.Helper()
		quit()
		if r := <-done; r.err != nil || r.Received < r.Sent-lost {
			t.Errorf("%d of %d pings from %s to %s were answered: %v", r.Received, r.Sent, from.Name(), addr, r.err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// TestOwnAndNeighboursMAC changes hardware addresses: of the underlay at either end,
// and of the device.
func TestOwnAndNeighboursMAC(t *testing.T) {
	t.Parallel()
	w := newStillWorld(t)
	a, b := w.left.host, w.right.host
	before := dump(t, a)
	first, err := a.MAC("ens18")
	must(t, err)
	w.start(t)

	ours := net.HardwareAddr{2, 0, 0, 0, 1, 1}
	must(t, a.SetMAC("ens18", ours))
	eventually(t, func() string {
		if mac := w.g.status().Underlay.MAC; mac != ours.String() {
			return "the status still has " + mac
		}
		return ""
	})
	w.goesOn(t, "own MAC")

	theirs := net.HardwareAddr{2, 0, 0, 0, 2, 1}
	has := func(mac net.HardwareAddr) func(control.Remote) bool {
		return func(r control.Remote) bool { return r.State == "direct" && r.MAC == mac.String() }
	}
	must(t, b.SetSysctl("net.ipv4.conf.ens18.arp_notify", "1")) // a gratuitous ARP tells
	must(t, b.SetMAC("ens18", theirs))
	w.awaitRemote(t, "told of another MAC", has(theirs))
	w.goesOn(t, "neighbour's MAC, told")

	theirs = net.HardwareAddr{2, 0, 0, 0, 2, 2}
	must(t, b.SetSysctl("net.ipv4.conf.ens18.arp_notify", "0")) // the next ARP request that it makes tells
	must(t, b.SetMAC("ens18", theirs))
	answers(t, b, ourAddress)
	w.awaitRemote(t, "another MAC", has(theirs))
	w.goesOn(t, "neighbour's MAC")

	wrong := net.HardwareAddr{2, 0, 0, 0, 2, 3}
	must(t, a.SetNeighbour("ens18", under2, wrong))
	w.awaitRemote(t, "a wrong static entry", has(wrong))
	must(t, a.SetNeighbour("ens18", under2, theirs))
	w.awaitRemote(t, "a right static entry", has(theirs))
	w.goesOn(t, "static entry")
	must(t, a.DeleteNeighbour("ens18", under2))
	w.goesOn(t, "static entry removed")
	w.awaitRemote(t, "resolved again", has(theirs))

	// What somebody set stays when gw goes.
	must(t, a.SetNeighbour("ens18", under2, theirs))
	w.goesOn(t, "static entry")

	old := w.left.mac(t)
	must(t, a.SetMAC("gw42", net.HardwareAddr{2, 0, 0, 0, 3, 1}))
	w.g.awaitFDB("02:00:00:00:03:01 dev gw42 master gw42 permanent")
	if own := w.g.fdb(); slices.ContainsFunc(own, func(e string) bool { return strings.HasPrefix(e, old) }) {
		t.Errorf("the device's old address %s is still in the table: %q", old, own)
	}
	resolve(t, w.left, w.right)
	w.g.stop()
	neighs, err := a.Neighbours("ens18")
	must(t, err)
	if !slices.ContainsFunc(neighs, func(n netlink.Neigh) bool { return n.State == netlink.NUD_PERMANENT }) {
		t.Error("the static entry is gone with gw")
	}
	must(t, a.DeleteNeighbour("ens18", under2))
	must(t, a.SetMAC("ens18", first))
	clean(t, before, a)
}
