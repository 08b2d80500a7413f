package main

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// What two hosts on one overlay must be able to do, in the order in which a
// connection meets it:
//
//	resolve -> first pings -> full MTU -> TCP -> UDP of every size
//
// With -short it is little of that, for a machine that is emulated.

// little is n, or with -short little of it.
func little(n int) int {
	if testing.Short() {
		return n / 32
	}
	return n
}

// end is a host's place on an overlay.
type end struct {
	host  *lab.Host
	dev   string     // interface on the overlay
	addr  netip.Addr // its address
	iface string     // underlay interface; empty for a host that has none
	under netip.Addr // its address
}

func (e end) mac(t *testing.T) string {
	t.Helper()
	mac, err := e.host.MAC(e.dev)
	must(t, err)
	return mac.String()
}

func (e end) mtu(t *testing.T) int {
	t.Helper()
	l, err := e.host.Link(e.dev)
	must(t, err)
	return l.Attrs().MTU
}

// converse does everything, both ways.
func converse(t *testing.T, a, b end) {
	t.Helper()
	resolve(t, a, b)
	exchange(t, a, b)
}

// exchange is everything but to find one another.
func exchange(t *testing.T, a, b end) {
	t.Helper()
	firstPings(t, a, b)
	bulk(t, a, b)
}

// bulk is everything that may go on beside other traffic.
func bulk(t *testing.T, a, b end) {
	t.Helper()
	fullMTU(t, a, b)
	transfer(t, a, b, 10<<20)
	transfer(t, b, a, 10<<20)
	datagrams(t, a, b)
	datagrams(t, b, a)
	rightChecksums(t, a.host)
	rightChecksums(t, b.host)
}

// resolve makes each end find the other by ARP.
func resolve(t *testing.T, a, b end) {
	t.Helper()
	for _, pair := range [][2]end{{a, b}, {b, a}} {
		from, to := pair[0], pair[1]
		must(t, from.host.FlushNeighbours(from.dev))
		ping(t, from, to, lab.PingOptions{})
		resolved(t, from, to)
	}
}

// resolved wants from to have to's right hardware address.
func resolved(t *testing.T, from, to end) {
	t.Helper()
	neighs, err := from.host.Neighbours(from.dev)
	must(t, err)
	i := slices.IndexFunc(neighs, func(n netlink.Neigh) bool { return n.IP.Equal(to.addr.AsSlice()) })
	if i < 0 || neighs[i].HardwareAddr.String() != to.mac(t) {
		t.Fatalf("%s did not resolve %s to %s: %v", from.host.Name(), to.addr, to.mac(t), neighs)
	}
}

// ping has to be answered.
func ping(t *testing.T, from, to end, o lab.PingOptions) {
	t.Helper()
	o.Timeout = patience // a slow machine is not a lost packet
	res, err := from.host.Ping(testContext(t), to.addr, o)
	must(t, err)
	if res.Received != res.Sent || res.Duplicates+res.Corrupt+len(res.Errors) > 0 {
		t.Fatalf("ping from %s to %s of %s: %+v", from.host.Name(), to.addr, to.host.Name(), res)
	}
}

// firstPings sends 100 pings, before each of which the underlay forgets the next
// hop, on either side. Nobody else may do so meanwhile: with an entry that is being
// resolved the kernel forgets the packets that wait for it.
func firstPings(t *testing.T, a, b end) {
	t.Helper()
	for range little(100) {
		for _, e := range []end{a, b} {
			if e.iface != "" {
				must(t, e.host.FlushNeighbours(e.iface))
			}
		}
		ping(t, a, b, lab.PingOptions{})
	}
}

// fullMTU sends the largest packets that the device takes, and one that is too
// large for it.
func fullMTU(t *testing.T, a, b end) {
	t.Helper()
	headers := 20 + 8 // IPv4, ICMP
	if a.addr.Is6() {
		headers = 40 + 8
	}
	mtu := min(a.mtu(t), b.mtu(t))
	ping(t, a, b, lab.PingOptions{Size: mtu - headers, DontFragment: true})
	ping(t, b, a, lab.PingOptions{Size: mtu - headers, DontFragment: true})
	res, err := a.host.Ping(testContext(t), b.addr, lab.PingOptions{Size: a.mtu(t) - headers + 1, DontFragment: true, Timeout: 1})
	must(t, err)
	if len(res.Errors) != 1 || !errors.Is(res.Errors[0], unix.EMSGSIZE) {
		t.Errorf("one byte more than the MTU of %s: %+v, want EMSGSIZE", a.dev, res)
	}
}

// transfer sends n bytes by TCP, with -short little of it.
func transfer(t *testing.T, from, to end, n int) {
	t.Helper()
	must(t, lab.TransferTCP(testContext(t), from.host, to.host, netip.AddrPortFrom(to.addr, 0).String(), int64(little(n))))
}

// datagrams sends UDP of every size that fits the MTU of 1450, and some that the
// sender's stack has to fragment.
func datagrams(t *testing.T, from, to end) {
	t.Helper()
	sizes := []int{1423, 1424, 1471, 1472, 1473, 2000, 2844, 2845, 4001, 9000, 20001, 65507}
	sizes = append(sizes, everySize()...)
	send(t, from, to, sizes)
}

// everySize is that of each datagram that a device of MTU 1450 sends whole, with -short of few of them.
func everySize() []int {
	all := make([]int, 0, 1423)
	for i := range little(1423) {
		all = append(all, 1422*i/(little(1423)-1))
	}
	return all
}

// tenMegabytes sends so much in datagrams of every size that fits, either way. With
// -short it leaves it at what datagrams sends.
func tenMegabytes(t *testing.T, a, b end) {
	t.Helper()
	if testing.Short() {
		return
	}
	var sizes []int
	for total := 0; total < 10<<20; {
		for _, size := range everySize() {
			sizes = append(sizes, size)
			total += size
		}
	}
	send(t, a, b, sizes)
	send(t, b, a, sizes)
}

// send sends one datagram of each size.
func send(t *testing.T, from, to end, sizes []int) {
	t.Helper()
	lost, err := lab.TransferUDP(testContext(t), from.host, to.host, netip.AddrPortFrom(to.addr, 0).String(), sizes)
	must(t, err)
	if len(lost) > 0 {
		t.Errorf("%d of %d datagrams from %s to %s are missing, the first: %+v", len(lost), len(sizes), from.host.Name(), to.host.Name(), lost[0])
	}
}

// rightChecksums fails when a host's stack found a wrong checksum in what it
// received, which TCP would hide by sending again.
func rightChecksums(t *testing.T, h *lab.Host) {
	t.Helper()
	var text []byte
	must(t, h.Do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/snmp")
		return err
	}))
	// Pairs of lines: the names of a protocol's counters, then their values.
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for j, name := range names {
			if name == "InCsumErrors" && values[j] != "0" {
				t.Errorf("%s received %s wrong checksums of %s", h.Name(), values[j], names[0])
			}
		}
	}
}

// learned is the line of gw fdb show, and of bridge fdb show, for an address
// learned from the tunnel.
func learned(t *testing.T, dev string, e end) string {
	t.Helper()
	return e.mac(t) + " dev " + dev + " dst " + e.under.String() + " self"
}
