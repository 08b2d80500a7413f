package netdev

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func TestCreatePair(t *testing.T) {
	t.Parallel()
	enter(t)
	before, j := dump(t), journal(t)
	opts := PairOptions{
		MTU: 1450, MAC: net.HardwareAddr{2, 0, 0, 0, 0, 9}, Queues: 2,
		Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.1.2/24"), netip.MustParsePrefix("fd00::2/64")},
	}
	p, err := CreatePair(j, "gw42", opts)
	must(t, err)
	host, far := lookup(t, "gw42"), lookup(t, "gw42-x")
	if p.Index != host.Index || p.FarIndex != far.Index || p.Far != "gw42-x" || host.PeerIndex != far.Index {
		t.Errorf("%+v\n%+v\n%+v", p, host, far)
	}
	for _, i := range []Info{host, far} {
		if !i.Up || !i.Carrier || i.MTU != 1450 || i.RxQueues != 2 || link(t, i.Name).Attrs().NumTxQueues != 2 {
			t.Errorf("%+v", i)
		}
	}
	if host.MAC.String() != opts.MAC.String() {
		t.Errorf("MAC %s, want %s", host.MAC, opts.MAC)
	}
	if a := link(t, "gw42-x").Attrs(); a.RawFlags&unix.IFF_NOARP == 0 {
		t.Error("the far end answers ARP")
	}
	if v, err := os.ReadFile("/proc/sys/net/ipv6/conf/gw42-x/disable_ipv6"); err != nil || strings.TrimSpace(string(v)) != "1" {
		t.Errorf("the far end speaks IPv6: %q %v", v, err)
	}
	if v, err := os.ReadFile("/proc/sys/net/ipv6/conf/gw42-x/addr_gen_mode"); err != nil || strings.TrimSpace(string(v)) != "1" {
		t.Errorf("the far end makes addresses: %q %v", v, err)
	}
	if addrs := addresses(t, "gw42-x"); len(addrs) > 0 {
		t.Errorf("the far end has addresses: %v", addrs)
	}
	features, err := Offloads("gw42")
	must(t, err)
	if features["tx-vlan-hw-insert"] || features["tx-vlan-stag-hw-insert"] {
		t.Error("tags travel beside the frames")
	}
	var got []string
	for _, a := range addresses(t, "gw42") {
		if a.Scope == unix.RT_SCOPE_UNIVERSE {
			got = append(got, a.IPNet.String())
		}
	}
	if d := cmp.Diff([]string{"172.17.1.2/24", "fd00::2/64"}, got); d != "" {
		t.Errorf("addresses (-want +got):\n%s", d)
	}
	must(t, p.Remove())
	must(t, p.Remove())
	same(t, before)
	if left := j.Pending(); len(left) > 0 {
		t.Errorf("journal: %v", left)
	}
}

// Whatever step fails, nothing stays.
// TestCreatePairWithoutIPv6 has an MTU below that of IPv6.
// Addresses come and go while the pair is there, and it is no error when either is so
// already.
func TestPairAddresses(t *testing.T) {
	t.Parallel()
	enter(t)
	before, j := dump(t), journal(t)
	p, err := CreatePair(j, "gw42", PairOptions{MTU: 1450, Queues: 1})
	must(t, err)
	a, b := netip.MustParsePrefix("172.17.1.2/24"), netip.MustParsePrefix("fd00::2/64")
	for range 2 {
		must(t, p.AddAddress(a))
		must(t, p.AddAddress(b))
	}
	has := func(want ...netip.Prefix) {
		t.Helper()
		var got []netip.Prefix
		for _, a := range addresses(t, "gw42") {
			if a.Scope == unix.RT_SCOPE_UNIVERSE {
				got = append(got, netip.MustParsePrefix(a.IPNet.String()))
			}
		}
		if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Errorf("addresses (-want +got):\n%s", d)
		}
	}
	has(a, b)
	for range 2 {
		must(t, p.RemoveAddress(a))
	}
	has(b)
	must(t, p.Remove())
	must(t, p.RemoveAddress(b))
	if err := p.AddAddress(b); err == nil {
		t.Error("an address on a pair that is gone")
	}
	same(t, before)
}

// The MTU of a pair, below what IPv6 wants too.
func TestPairMTU(t *testing.T) {
	t.Parallel()
	enter(t)
	before := dump(t)
	p, err := CreatePair(journal(t), "gw42", PairOptions{MTU: 1230, Queues: 1, Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.1.2/24")}})
	must(t, err)
	both := func(host, far int) {
		t.Helper()
		for name, mtu := range map[string]int{"gw42": host, "gw42-x": far} {
			if i := lookup(t, name); !i.Up || i.MTU != mtu {
				t.Errorf("%+v, want an MTU of %d", i, mtu)
			}
		}
		if got, err := p.MTU(); err != nil || got != host {
			t.Errorf("MTU %d, %v, want %d", got, err, host)
		}
	}
	// The far end would come back to IPv6 with a voice of its own.
	both(1230, 1280)
	for _, mtu := range []int{1450, 9000, 1280, 68, 1450} {
		must(t, p.SetMTU(mtu))
		both(mtu, max(mtu, 1280))
	}
	if err := p.SetMTU(1 << 17); err == nil {
		t.Error("a veth with an MTU of 131,072")
	}
	both(1450, 1450)
	if conf, err := os.ReadFile("/proc/sys/net/ipv6/conf/gw42-x/disable_ipv6"); err == nil && strings.TrimSpace(string(conf)) != "1" {
		t.Error("the far end has IPv6")
	}
	must(t, p.Remove())
	same(t, before)
}

func TestCreatePairFails(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "taken", "far-x")
	before := dump(t)
	cases := map[string]struct {
		name string
		opts PairOptions
		want string
	}{
		"name":    {"taken", PairOptions{Queues: 1}, "create device taken: there is an interface taken already, of kind veth (choose another name with --device, or remove it if it is nobody's: ip link del taken)"},
		"far end": {"far", PairOptions{Queues: 1}, "create device far: there is an interface far-x already, of kind veth (choose another name with --device, or remove it if it is nobody's: ip link del far-x)"},
		"queues":  {"d", PairOptions{}, "create device d: 0 queues (at least 1)"},
		"mtu":     {"d", PairOptions{Queues: 1, MTU: 1 << 20}, "create device d: "},
		"mac":     {"d", PairOptions{Queues: 1, MAC: net.HardwareAddr{1, 0, 0, 0, 0, 1}}, "create device d: "},
		"address": {"d", PairOptions{Queues: 1, Addresses: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.1/24"), netip.MustParsePrefix("10.0.0.1/24")}}, "create device d: add 10.0.0.1/24: file exists"},
	}
	for what, c := range cases {
		j := journal(t)
		p, err := CreatePair(j, c.name, c.opts)
		if p != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v %v, want %s", what, p, err, c.want)
		}
		if left := j.Pending(); len(left) > 0 {
			t.Errorf("%s: journal: %v", what, left)
		}
		same(t, before)
	}
}

// A journal that cannot be written must keep the change from being made.
func TestCreatePairUnrecorded(t *testing.T) {
	t.Parallel()
	enter(t)
	before := dump(t)
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	j := &Journal{path: filepath.Join(file, "u.state")}
	if _, err := CreatePair(j, "gw42", PairOptions{Queues: 1}); err == nil {
		t.Error("made without a record")
	}
	addVeth(t, "va", "vb")
	if _, err := SetOffloads(j, "va", map[string]bool{"tx-tcp-segmentation": false}); err == nil {
		t.Error("switched without a record")
	}
	must(t, netlink.LinkDel(link(t, "va")))
	same(t, before)
}

// In a container /proc/sys is often read-only.
func TestCreatePairReadOnlySysctl(t *testing.T) {
	t.Parallel()
	needRoot(t)
	errs := make(chan error)
	go func() {
		// No unlock: the thread ends, and its two namespaces with it.
		runtime.LockOSThread()
		errs <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
				return err
			}
			ns, err := netns.New()
			if err != nil {
				return err
			}
			defer ns.Close()
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			if err := unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""); err != nil {
				return err
			}
			if err := unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
				return err
			}
			p, err := CreatePair(&Journal{path: filepath.Join(t.TempDir(), "j")}, "gw42", PairOptions{Queues: 1})
			if err != nil {
				return err
			}
			return p.Remove()
		}()
	}()
	must(t, <-errs)
}

func TestCreatePairUnprivileged(t *testing.T) {
	t.Parallel()
	if err := withCure(unix.EPERM).Error(); err != "operation not permitted (run as root, or with CAP_NET_ADMIN)" {
		t.Error(err)
	}
	if err := withCure(unix.EBUSY); err != unix.EBUSY {
		t.Error(err)
	}
}
