package main

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// A gateway's life on a host where every way to go wrong happens: it takes back
// what it made, at once or at the next start, and frames flow again.

const (
	ourAddress   = "172.17.1.2"
	peerAddress  = "172.17.1.3"
	guestAddress = "172.17.1.4"
)

// everything is a command line that makes gw change all that it can: a device with
// an address, a bridged port, a membership.
func everything() []string {
	return on("--group", "224.1.1.1", "--address", ourAddress+"/24", "--device", "gw42", "--port", "veth1")
}

// newPoint makes a host with an underlay and a kernel VTEP that it can talk with.
func newPoint(t *testing.T) (h, peer *lab.Host) {
	t.Helper()
	h, peer, _ = newTriangle(t)
	return h, peer
}

// newTriangle makes a host with an underlay, a kernel VTEP at the other end of that,
// and a guest at the other end of the pair to bridge. Each has its own address: a
// VTEP that is the guest too would answer ARP by either way (arp_ignore).
func newTriangle(t *testing.T) (h, peer, guest *lab.Host) {
	t.Helper()
	l := newLab(t)
	h, peer, guest = newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "guest")
	cable(t, l, h, peer)
	must(t, l.Veth(h, "veth1", guest, "veth1", lab.VethOptions{MTU: 1450}))
	must(t, guest.AddAddress("veth1", guestAddress+"/24"))
	must(t, peer.KernelVXLAN(lab.VXLANConfig{
		Name: "vxlan0", VNI: 42, Dev: "ens18", Group: netip.MustParseAddr("224.1.1.1"), Address: peerAddress + "/24",
	}))
	return h, peer, guest
}

// sameDump fails when the network of h is not as it was, once what follows from
// links that went has followed.
func sameDump(t *testing.T, before string, h *lab.Host) {
	t.Helper()
	eventually(t, func() string {
		if d := cmp.Diff(before, dump(t, h)); d != "" {
			return "left behind (-before +after):\n" + d
		}
		return ""
	})
}

// clean fails when a gateway has left anything on h.
func clean(t *testing.T, before string, h *lab.Host) {
	t.Helper()
	sameDump(t, before, h)
	if files := runFiles(t, h); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
}

// answers waits until an address answers.
func answers(t *testing.T, h *lab.Host, addr string) {
	t.Helper()
	eventually(t, func() string {
		r, err := h.Ping(testContext(t), netip.MustParseAddr(addr), lab.PingOptions{Timeout: answerTime})
		if err != nil { // a device that is on its way
			return err.Error()
		}
		if r.Received == 0 {
			return addr + " does not answer " + h.Name()
		}
		return ""
	})
}

// answerTime is when another question is due. An answer may take that long where
// others want the CPU.
const answerTime = 200 * time.Millisecond

// pings waits until an address answers, and then expects it to answer each time.
// Not while there is traffic, which may fill the queues that a ping has to pass.
func pings(t *testing.T, h *lab.Host, addr string) {
	t.Helper()
	answers(t, h, addr)
	r, err := h.Ping(testContext(t), netip.MustParseAddr(addr), lab.PingOptions{Count: 5, Interval: 10 * time.Millisecond, Timeout: patience})
	must(t, err)
	if r.Received != r.Sent || r.Duplicates > 0 || r.Corrupt > 0 {
		t.Errorf("ping %s from %s: %+v", addr, h.Name(), r)
	}
}

// traffic keeps datagrams going from one host to an address of another until the
// returned function is called: bursts, so that some are always under way, but not
// more than a machine with two CPUs carries beside other tests.
func traffic(t *testing.T, from *lab.Host, addr string) (stop func()) {
	t.Helper()
	var fd int
	must(t, from.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		return err
	}))
	to := &unix.SockaddrInet4{Port: 9, Addr: netip.MustParseAddr(addr).As4()}
	quit := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		payload := make([]byte, 1000)
		for {
			select {
			case <-quit:
				return
			default:
			}
			for range 16 {
				_ = unix.Sendto(fd, payload, 0, to) // what is on the way is taken away meanwhile
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	return sync.OnceFunc(func() {
		close(quit)
		done.Wait()
		unix.Close(fd)
	})
}

func TestStopsClean(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	for _, s := range []unix.Signal{unix.SIGINT, unix.SIGTERM} {
		t.Run(s.String(), func(t *testing.T) {
			g := start(t, h, everything()...)
			pings(t, h, peerAddress)
			if d := dump(t, h); d == before {
				t.Fatal("the dump does not see the gateway")
			}
			if status := g.end(s); status != 0 {
				t.Errorf("exit status %d", status)
			}
			if bad := g.warnings(); bad != "" {
				t.Errorf("it says %s", bad)
			}
			clean(t, before, h)
		})
	}
}

// TestNohup leaves it running when its terminal goes away, as nohup(1) asks.
func TestNohup(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	g := prepare(t, h, everything()...)
	g.cmd.Env = append(g.cmd.Env, likeNohup+"=1")
	g.begin()
	g.ready()
	must(t, g.cmd.Process.Signal(unix.SIGHUP))
	pings(t, h, peerAddress)
	if said := g.log.grep("stopping"); said != "" {
		t.Errorf("it says %s", said)
	}
	g.stop()
}

// TestStopsWhileStarting sends the signal at any moment of the start.
func TestStopsWhileStarting(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	for after := range 12 {
		g := launch(t, h, everything()...)
		time.Sleep(time.Duration(after*after) * time.Millisecond)
		status := g.end(unix.SIGTERM)
		// Before the program has asked for signals, one kills it: nothing is made yet.
		if status != 0 && status != -1 {
			t.Errorf("exit status %d after %d ms:\n%s", status, after*after, g.log)
		}
		clean(t, before, h)
	}
}

func TestStopsTwice(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	defer traffic(t, h, peerAddress)()
	for range 20 {
		if err := g.cmd.Process.Signal(unix.SIGTERM); errors.Is(err, os.ErrProcessDone) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if status := g.wait(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	clean(t, before, h)
}

func TestRestarts(t *testing.T) {
	t.Parallel()
	h, peer := newPoint(t)
	before := dump(t, h)
	defer traffic(t, peer, ourAddress)()
	for range 10 {
		g := start(t, h, everything()...)
		stop := traffic(t, h, peerAddress)
		answers(t, h, peerAddress)
		g.stop()
		stop()
		clean(t, before, h)
	}
}

// kill makes sure that what outlives a killed gateway is what was to be tested.
func kill(t *testing.T, g *vtep, before string) {
	t.Helper()
	g.end(unix.SIGKILL)
	if dump(t, g.host) == before || len(runFiles(t, g.host)) == 0 {
		t.Fatal("a killed gateway left nothing: this tests nothing")
	}
}

func TestKilledThenStarted(t *testing.T) {
	t.Parallel()
	h, peer := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	for range 3 {
		pings(t, h, peerAddress)
		stop, stopPeer := traffic(t, h, peerAddress), traffic(t, peer, ourAddress)
		answers(t, h, peerAddress)
		kill(t, g, before)
		g = start(t, h, everything()...) // at once: the queues are busy for a while
		if g.log.grep("putting back what a killed gateway left") == "" {
			t.Error("the next start does not say that it cleans up")
		}
		answers(t, h, peerAddress)
		stop()
		stopPeer()
	}
	g.stop()
	clean(t, before, h)
}

// TestKilledThenChanged starts with another device than the killed one had.
func TestKilledThenChanged(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	kill(t, start(t, h, everything()...), before)
	g := start(t, h, on("--vni", "43", "--group", "224.1.1.1")...)
	if _, err := h.Link("gw43"); err != nil {
		t.Error(err)
	}
	g.stop()
	clean(t, before, h)
}

func TestKilledThenCleanedUp(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	pings(t, h, peerAddress)
	kill(t, g, before)
	out := output(t, h, "cleanup", "--iface", "ens18")
	for _, w := range []string{"put back: managed ens18\n", "put back: pair gw42\n", "put back: socket "} {
		if !strings.Contains(out, w) {
			t.Errorf("cleanup says %q, which lacks %q", out, w)
		}
	}
	clean(t, before, h)
	if out := output(t, h, "cleanup", "--iface", "ens18"); out != "" {
		t.Errorf("the second cleanup says %q", out)
	}
	clean(t, before, h)
}

// TestUnderlayDeleted ends the gateway: its sockets never work again.
func TestUnderlayDeleted(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	g := start(t, h, everything()...)
	pings(t, h, peerAddress)
	defer traffic(t, h, peerAddress)()
	must(t, h.DeleteLink("veth1"))
	must(t, h.DeleteLink("ens18"))
	if status := g.wait(); status != 1 {
		t.Errorf("exit status %d, want 1", status)
	}
	if line := g.log.grep("gw: "); !strings.Contains(line, "underlay ens18 is gone") || !strings.Contains(line, "start gw again") {
		t.Errorf("it says %q", line)
	}
	links, err := h.Links()
	must(t, err)
	if len(links) != 1 {
		t.Errorf("links are left: %v", links)
	}
	if files := runFiles(t, h); len(files) > 0 {
		t.Errorf("left behind: %q", files)
	}
}

// TestPortDeleted goes on with the ports that are left, and makes its device again.
func TestPortDeleted(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	g := start(t, h, everything()...)
	pings(t, h, peerAddress)
	must(t, h.DeleteLink("veth1"))
	g.awaitProblem("port veth1 of vni 42 is gone")
	pings(t, h, peerAddress)
	must(t, h.DeleteLink("gw42"))
	awaitAddress(t, h, "gw42", ourAddress)
	pings(t, h, peerAddress)
	eventually(t, func() string { // a device that has just been made may have one, too
		if out := output(t, h, "status"); strings.Count(out, "PROBLEM: ") != 1 || !strings.Contains(out, "PROBLEM: port veth1 of vni 42 is gone") {
			return "gw status does not show the one problem:\n" + out
		}
		return ""
	})
	g.stop()
}

// awaitProblem waits until the status has a problem that begins so.
func (g *vtep) awaitProblem(prefix string) {
	g.t.Helper()
	eventually(g.t, func() string {
		problems := g.status().Problems
		for _, p := range problems {
			if strings.HasPrefix(p, prefix) {
				return ""
			}
		}
		return "problems " + strings.Join(problems, "; ") + ", not " + prefix
	})
}

// TestLogReaderGone closes the pipe that gw logs into.
func TestLogReaderGone(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	r, w, err := os.Pipe()
	must(t, err)
	g := prepare(t, h, everything()...)
	g.cmd.Stderr = w
	g.begin()
	w.Close()
	g.ready()
	must(t, r.Close())
	must(t, h.SetDown("gw42")) // which it logs
	g.awaitProblem("device gw42 of vni 42 is down")
	must(t, h.SetUp("gw42"))
	pings(t, h, peerAddress)
	g.stop()
	clean(t, before, h)
}

// TestNoOutput starts gw as a careless supervisor does, without files 0, 1 and 2.
func TestNoOutput(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	c := h.Command(testContext(t), "/bin/sh", append([]string{"-c", `exec "$0" "$@" <&- >&- 2>&-`, os.Args[0]}, everything()...)...)
	c.Env = append(os.Environ(), actAsGW+"=1")
	c.Stdout, c.Stderr = io.Discard, &bytes.Buffer{}
	must(t, c.Start())
	output(t, h, "status", "--wait", patience.String())
	pings(t, h, peerAddress)
	must(t, c.Process.Signal(unix.SIGTERM))
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	clean(t, before, h)
}
