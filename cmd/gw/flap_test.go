package main

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// Interfaces that go down and come up again: traffic goes on by itself.

// resumption is how long traffic may take to flow again once the kernel tells that
// a link is up. A second of it is that of ARP requests which were sent before (RETRANS_TIME).
const resumption = 2 * time.Second

// flap is an interface to take down and up, and what gw sees of it.
type flap struct {
	host    *lab.Host
	link    string
	seen    string // the interface of gw that loses its carrier
	problem string
}

// flaps are all those of a triangle.
func flaps(h, peer, guest *lab.Host) []flap {
	return []flap{
		{h, "ens18", "ens18", "underlay ens18 is down"},
		{peer, "ens18", "ens18", "underlay ens18 is down"},
		{h, "gw42", "gw42", "device gw42 of vni 42 is down"},
		{h, "veth1", "veth1", "port veth1 of vni 42 is down"},
		{guest, "veth1", "veth1", "port veth1 of vni 42 is down"},
	}
}

// way is where packets go.
type way struct {
	from *lab.Host
	to   string
}

// down takes the interface down and waits until gw has noticed.
func (f flap) down(t *testing.T, g *vtep) {
	t.Helper()
	must(t, f.host.SetDown(f.link))
	g.awaitProblem(f.problem)
}

// up brings it up and returns when the kernel has told so on the side of gw.
func (f flap) up(t *testing.T, g *vtep) time.Time {
	t.Helper()
	must(t, f.host.SetUp(f.link))
	eventually(t, func() string {
		l, err := g.host.Link(f.seen)
		must(t, err)
		if l.Attrs().RawFlags&unix.IFF_RUNNING == 0 {
			return f.seen + " does not come up"
		}
		return ""
	})
	return time.Now()
}

// TestFlaps takes each interface down and up under traffic, which ends when the link
// is up: what is under way then must not keep the ways from opening. On a busy machine
// a pinned worker may get no CPU for longer than is promised, so one flap has to keep
// the time, out of three or, where none of them does, of some more. Not in parallel.
func TestFlaps(t *testing.T) {
	h, peer, guest := newTriangle(t)
	g := start(t, h, everything()...)
	ways := []way{{h, peerAddress}, {guest, peerAddress}, {h, guestAddress}}
	for _, w := range ways {
		pings(t, w.from, w.to)
	}
	for _, f := range flaps(h, peer, guest) {
		var took []time.Duration
		for len(took) < 3 || len(took) < 10 && slices.Min(took) > resumption {
			var stop []func()
			for _, w := range append(ways, way{peer, ourAddress}, way{peer, guestAddress}) {
				stop = append(stop, traffic(t, w.from, w.to))
			}
			f.down(t, g)
			up := f.up(t, g)
			for _, s := range stop {
				s()
			}
			for _, w := range ways {
				answers(t, w.from, w.to)
			}
			took = append(took, time.Since(up))
			for _, w := range ways {
				pings(t, w.from, w.to)
			}
		}
		if slices.Min(took) > resumption {
			t.Errorf("traffic goes on %v after %s of %s is up", took, f.link, f.host.Name())
		}
	}
	if _, sum, received := verdicts(g.status()); sum == 0 || received == 0 {
		t.Error("there was no traffic")
	}
	g.stop() // which counts the frames
}

// TestFirstPingAfterFlap loses none: gw says that all is well, and yet knows no next
// hop any more, nor does the kernel.
func TestFirstPingAfterFlap(t *testing.T) {
	t.Parallel()
	h, peer, guest := newTriangle(t)
	g := start(t, h, everything()...)
	pings(t, h, peerAddress)
	for _, f := range flaps(h, peer, guest) {
		for range 3 {
			f.down(t, g)
			f.up(t, g)
			g.awaitHealth()
			for _, w := range []way{{h, peerAddress}, {guest, peerAddress}, {h, guestAddress}} {
				r, err := w.from.Ping(testContext(t), netip.MustParseAddr(w.to), lab.PingOptions{Timeout: patience})
				must(t, err)
				if r.Received != 1 {
					t.Errorf("the first ping from %s to %s after %s of %s was down is lost: %+v", w.from.Name(), w.to, f.link, f.host.Name(), r)
				}
			}
		}
	}
	g.stop()
}

// awaitHealth waits until the status has no problems.
func (g *vtep) awaitHealth() {
	g.t.Helper()
	eventually(g.t, func() string {
		if p := g.status().Problems; len(p) > 0 {
			return p[0]
		}
		return ""
	})
}
