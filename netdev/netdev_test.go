package netdev

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// needRoot skips, but not where tests must run.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatal("needs root to make network namespaces")
	}
	t.Skip("needs root to make network namespaces")
}

// enter puts the test into a network namespace without a name, which goes
// with the test.
func enter(t *testing.T) netns.NsHandle {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	was, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := netns.Set(was); err != nil {
			t.Error(err)
			return // and let the thread die with the goroutine
		}
		was.Close()
		ns.Close()
		runtime.UnlockOSThread()
	})
	return ns
}

func journal(t *testing.T) *Journal {
	t.Helper()
	j, err := OpenJournal(filepath.Join(t.TempDir(), "gw", "u.state"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// addVeth makes the pair a, b and sets both up.
func addVeth(t *testing.T, a, b string) {
	t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = a
	veth := netlink.NewVeth(attrs)
	veth.PeerName = b
	must(t, netlink.LinkAdd(veth))
	for _, n := range []string{a, b} {
		must(t, netlink.LinkSetUp(link(t, n)))
	}
}

func link(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return l
}

// addresses lists those of an interface, of both families. The kernel may add some of IPv6 meanwhile: then once more.
func addresses(t *testing.T, name string) []netlink.Addr {
	t.Helper()
	for {
		all, err := netlink.AddrList(link(t, name), netlink.FAMILY_ALL)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			must(t, err)
			return all
		}
	}
}

func lookup(t *testing.T, name string) Info {
	t.Helper()
	info, err := Lookup(name)
	must(t, err)
	return info
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func noErrors(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		t.Error(err)
	}
}

// dump is everything of a namespace that gw might change.
func dump(t *testing.T) []string {
	t.Helper()
	links, err := netlink.LinkList()
	must(t, err)
	var all []string
	for _, l := range links {
		a := l.Attrs()
		flags := a.RawFlags &^ (unix.IFF_RUNNING | unix.IFF_LOWER_UP)
		all = append(all, fmt.Sprintf("link %d %s %s mtu %d flags %x promisc %d", a.Index, a.Name, a.HardwareAddr, a.MTU, flags, a.Promisc))
		addrs, err := netlink.AddrList(l, netlink.FAMILY_V4)
		must(t, err)
		for _, addr := range addrs {
			all = append(all, fmt.Sprintf("addr %s %s", a.Name, addr.IPNet))
		}
		features, err := Offloads(a.Name)
		must(t, err)
		for f, on := range features {
			all = append(all, fmt.Sprintf("feature %s %s %t", a.Name, f, on))
		}
	}
	slices.Sort(all)
	return all
}

func same(t *testing.T, before []string) {
	t.Helper()
	if d := cmp.Diff(before, dump(t)); d != "" {
		t.Errorf("left behind (-before +after):\n%s", d)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	enter(t)
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.NumTxQueues, attrs.NumRxQueues = "va", 1400, 3, 2
	attrs.HardwareAddr = net.HardwareAddr{2, 0, 0, 0, 0, 1}
	veth := netlink.NewVeth(attrs)
	veth.PeerName = "vb"
	must(t, netlink.LinkAdd(veth))
	must(t, netlink.LinkAdd(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "br"}}))
	must(t, netlink.LinkSetMaster(link(t, "va"), link(t, "br")))
	must(t, netlink.LinkSetUp(link(t, "va")))
	got, want := lookup(t, "va"), Info{
		Name: "va", Index: link(t, "va").Attrs().Index, MTU: 1400, MAC: attrs.HardwareAddr, Up: true,
		RxQueues: 2, Kind: "veth", Driver: "veth", Master: link(t, "br").Attrs().Index,
		Ethernet: true, IsVeth: true, PeerIndex: link(t, "vb").Attrs().Index, PeerInSameNS: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if lo := lookup(t, "lo"); lo.Ethernet || !lo.Loopback {
		t.Errorf("%+v", lo)
	}
	must(t, netlink.LinkAddAltName(link(t, "va"), "second"))
	if _, err := Lookup("second"); !errors.As(err, new(*NotFoundError)) || !strings.Contains(err.Error(), "another name of va") {
		t.Errorf("look up a second name: %v", err)
	}
	must(t, netlink.LinkSetUp(link(t, "vb")))
	if !lookup(t, "va").Carrier {
		t.Error("no carrier with both ends up")
	}
	if br := lookup(t, "br"); br.IsVeth || br.Kind != "bridge" || br.RxQueues < 1 {
		t.Errorf("bridge: %+v", br)
	}
}

func TestLookupPeerElsewhere(t *testing.T) {
	t.Parallel()
	ns := enter(t)
	addVeth(t, "va", "vb")
	other, err := netns.New()
	must(t, err)
	defer other.Close()
	must(t, netns.Set(ns))
	must(t, netlink.LinkSetNsFd(link(t, "vb"), int(other)))
	if info := lookup(t, "va"); !info.IsVeth || info.PeerInSameNS {
		t.Errorf("%+v", info)
	}
}

func TestLookupUnknown(t *testing.T) {
	t.Parallel()
	enter(t)
	say := func(name, want string) {
		t.Helper()
		if _, err := Lookup(name); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	say("ens18", `no interface "ens18" (there is none but lo)`)
	addVeth(t, "ens18", "ens19")
	say("ens81", `no interface "ens81" (did you mean ens18 or ens19?)`)
	say("wlan0", `no interface "wlan0" (there are ens19, ens18)`)
	for i := range 4 {
		addVeth(t, fmt.Sprintf("a%d", i), fmt.Sprintf("b%d", i))
	}
	say("wlan0", `no interface "wlan0" (there are ens19, ens18, b0, a0, b1, a1, b2, a2 and 2 more)`)
	if _, err := GlobalAddress("ens17"); err == nil || err.Error() != `no interface "ens17" (did you mean ens19 or ens18?)` {
		t.Error(err)
	}
}

func TestGlobalAddress(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	want := "va has no global IPv4 address (add one: ip addr add 10.65.132.187/24 dev va)"
	if _, err := GlobalAddress("va"); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, s := range []string{"169.254.1.1/16", "10.0.0.7/24", "10.0.0.8/24"} {
		addr, err := netlink.ParseAddr(s)
		must(t, err)
		if s[0] == '1' && s[1] == '6' {
			addr.Scope = unix.RT_SCOPE_LINK
		}
		must(t, netlink.AddrAdd(link(t, "va"), addr))
	}
	if got, err := GlobalAddress("va"); err != nil || got != netip.MustParseAddr("10.0.0.7") {
		t.Error(got, err)
	}
}
