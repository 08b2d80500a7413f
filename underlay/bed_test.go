package underlay

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// deadline bounds every wait for the kernel, and for a CPU.
const deadline = 30 * time.Second

// host is a network namespace without a name, which goes when its last user does.
type host struct {
	t  testing.TB
	ns netns.NsHandle
	nl *netlink.Handle
}

func newHost(t testing.TB) *host {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("network namespaces need root")
		}
		t.Skip("network namespaces need root")
	}
	h := &host{t: t}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		var err error
		if h.ns, err = netns.New(); err == nil {
			h.nl, err = netlink.NewHandle(unix.NETLINK_ROUTE)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("make namespace: %v", err)
	}
	t.Cleanup(func() { h.nl.Close(); h.ns.Close() })
	h.sysctl("net/ipv6/conf/all/disable_ipv6", "1")
	h.sysctl("net/ipv6/conf/default/disable_ipv6", "1")
	return h
}

// do runs f on a thread inside the namespace.
func (h *host) do(f func() error) {
	h.t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if err := netns.Set(h.ns); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	if err := <-done; err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) sysctl(path, value string) {
	h.t.Helper()
	h.do(func() error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0) })
}

func (h *host) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) link(name string) netlink.Link {
	h.t.Helper()
	l, err := h.nl.LinkByName(name)
	h.must(err)
	return l
}

func (h *host) index(name string) int { return h.link(name).Attrs().Index }

func (h *host) mac(name string) [6]byte { return [6]byte(h.link(name).Attrs().HardwareAddr) }

func (h *host) up(name string)   { h.t.Helper(); h.must(h.nl.LinkSetUp(h.link(name))) }
func (h *host) down(name string) { h.t.Helper(); h.must(h.nl.LinkSetDown(h.link(name))) }

func (h *host) addr(name, prefix string) {
	h.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	h.must(err)
	h.must(h.nl.AddrAdd(h.link(name), a))
}

func (h *host) delAddr(name, prefix string) {
	h.t.Helper()
	a, err := netlink.ParseAddr(prefix)
	h.must(err)
	h.must(h.nl.AddrDel(h.link(name), a))
}

// route replaces the route to prefix; an mtu of 0 is the link's.
func (h *host) route(name, prefix, gateway string, mtu int) {
	h.t.Helper()
	_, dst, err := net.ParseCIDR(prefix)
	h.must(err)
	h.must(h.nl.RouteReplace(&netlink.Route{LinkIndex: h.index(name), Dst: dst, Gw: net.ParseIP(gateway), MTU: mtu}))
}

// silent has the host answer no ARP request, or answer again.
func (h *host) silent(name string, on bool) {
	h.t.Helper()
	value := "0"
	if on {
		value = "8"
	}
	h.sysctl("net/ipv4/conf/"+name+"/arp_ignore", value)
}

// quick has the host give up on a neighbour within half a second.
func (h *host) quick(name string) {
	h.t.Helper()
	h.sysctl("net/ipv4/neigh/"+name+"/retrans_time_ms", "100")
}

// neigh reads one entry through a socket of its own.
func (h *host) neigh(name, addr string) (n neighbour) {
	h.t.Helper()
	index := h.index(name)
	h.do(func() error {
		c, err := dial()
		if err != nil {
			return err
		}
		defer c.close()
		n, err = c.neighbour(index, netip.MustParseAddr(addr))
		return err
	})
	return n
}

// cable connects two hosts by a veth pair and sets both ends up. The kernel drops what is sent until it has acted upon the carrier
// (net/core/link_watch.c).
func cable(a, b *host, nameA, nameB string) {
	a.t.Helper()
	a.must(a.nl.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsFd(b.ns),
	}))
	a.up(nameA)
	b.up(nameB)
	eventually(a.t, nameA+" and "+nameB+" are up", func() bool {
		return a.link(nameA).Attrs().OperState == netlink.OperUp && b.link(nameB).Attrs().OperState == netlink.OperUp
	})
	a.up(nameA) // waits for the lock under which the rest is done
}

// pair is the usual bed: the host under test on u0 10.0.0.1/24, and a peer on p0 10.0.0.2/24.
func pair(t testing.TB) (us, peer *host) {
	t.Helper()
	us, peer = newHost(t), newHost(t)
	cable(us, peer, "u0", "p0")
	us.addr("u0", "10.0.0.1/24")
	peer.addr("p0", "10.0.0.2/24")
	us.quick("u0")
	return us, peer
}

func (h *host) open(plain bool) *Mirror {
	h.t.Helper()
	var m *Mirror
	index := h.index("u0")
	h.do(func() (err error) {
		m, err = open(Config{Ifindex: index, Name: "u0", Local: netip.MustParseAddr("10.0.0.1")}, plain)
		return err
	})
	h.t.Cleanup(func() {
		if err := m.Close(); err != nil {
			h.t.Errorf("close: %v", err)
		}
	})
	return m
}

func watch(t testing.TB, m *Mirror, addrs ...string) {
	t.Helper()
	for _, a := range addrs {
		if err := m.Watch(netip.MustParseAddr(a)); err != nil {
			t.Fatal(err)
		}
	}
}

// await waits for cond, looking again at each change the mirror announces.
func await(t testing.TB, m *Mirror, what string, cond func() bool) {
	t.Helper()
	end := time.After(deadline)
	for !cond() {
		select {
		case <-m.Changes():
		case <-end:
			t.Fatalf("%s: not within %v; link %+v, paths %+v, managed %v, %+v", what, deadline, m.Link(), m.Paths(), m.Managed(), m.Stats())
		}
	}
}

// awaitPath waits until the path to addr satisfies cond.
func awaitPath(t testing.TB, m *Mirror, addr, what string, cond func(Path) bool) Path {
	t.Helper()
	var p Path
	await(t, m, addr+" "+what, func() bool {
		p, _ = m.Path(netip.MustParseAddr(addr))
		return cond(p)
	})
	return p
}

func inState(s State) func(Path) bool { return func(p Path) bool { return p.State == s } }

// eventually waits for something that no mirror announces.
func eventually(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, deadline)
		}
	}
}

// tap receives the frames that arrive on an interface.
type tap struct {
	t  testing.TB
	fd int
}

func (h *host) tap(name string) *tap {
	h.t.Helper()
	p := &tap{t: h.t}
	index := h.index(name)
	h.do(func() (err error) {
		const all = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8
		if p.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.SetsockoptTimeval(p.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
			return err
		}
		return unix.Bind(p.fd, &unix.SockaddrLinklayer{Protocol: all & 0xffff, Ifindex: index})
	})
	h.t.Cleanup(func() { unix.Close(p.fd) })
	return p
}

// until hands frames to f until it is satisfied.
func (p *tap) until(what string, f func(frame []byte) bool) {
	p.t.Helper()
	buf := make([]byte, 1<<16)
	for end := time.Now().Add(deadline); ; {
		n, err := unix.Read(p.fd, buf)
		if err == nil && f(buf[:n]) {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s: not seen within %v", what, deadline)
		}
	}
}

// procIGMP lists the groups of /proc/net/igmp as dotted addresses.
func (h *host) procIGMP() map[string]bool {
	h.t.Helper()
	groups := map[string]bool{}
	h.do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/igmp")
		for line := range strings.Lines(string(text)) {
			var a, b, c, d byte // the address in memory order, printed as a little-endian number
			if n, _ := fmt.Sscanf(line, "\t\t\t\t%02X%02X%02X%02X", &d, &c, &b, &a); n == 4 {
				groups[netip.AddrFrom4([4]byte{a, b, c, d}).String()] = true
			}
		}
		return err
	})
	return groups
}
