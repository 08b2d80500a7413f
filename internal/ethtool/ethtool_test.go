package ethtool

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// inNamespace runs the rest of the test in a network namespace of its own, with a veth
// pair va and vb of two queues each.
func inNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI has to run this as root")
		}
		t.Skip("needs root, to make a network namespace")
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	ns, err := netns.New()
	must(t, err)
	t.Cleanup(func() { ns.Close() })
	a := netlink.NewLinkAttrs()
	a.Name, a.NumRxQueues, a.NumTxQueues = "va", 2, 2
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: a, PeerName: "vb", PeerNumRxQueues: 2, PeerNumTxQueues: 2}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestVeth(t *testing.T) {
	inNamespace(t)
	if d, err := Driver("va"); d != "veth" || err != nil {
		t.Errorf("driver %q, %v", d, err)
	}
	c, err := GetChannels("va")
	if want := (Channels{MaxRx: 2, MaxTx: 2, Rx: 2, Tx: 2}); err != nil || c != want {
		t.Errorf("channels %+v, %v, want %+v", c, err, want)
	}
	c.Rx = 1
	must(t, SetChannels("va", c))
	if now, err := GetChannels("va"); now != c || err != nil {
		t.Errorf("channels %+v, %v, want %+v", now, err, c)
	}

	const free, fixed = "tx-udp-segmentation", "vlan-challenged"
	before, err := Features("va")
	if s := before[free]; err != nil || s != (State{Active: true, Requested: true, Available: true}) {
		t.Fatalf("%s is %+v, %v", free, s, err)
	}
	if s, ok := before[fixed]; !ok || s != (State{}) {
		t.Errorf("%s is %+v, known %v", fixed, s, ok)
	}
	must(t, Change("va", map[string]bool{free: false}))
	after, err := Features("va")
	must(t, err)
	for name, was := range before {
		if is := after[name]; is != was && name != free || name == free && is.Active {
			t.Errorf("%s was %+v and is %+v", name, was, is)
		}
	}
	must(t, Change("va", map[string]bool{free: true}))
	if err := Change("va", map[string]bool{free: true, "fast": true}); !errors.Is(err, unix.EINVAL) {
		t.Errorf("an unknown feature: %v", err)
	}
}

func TestNoInterface(t *testing.T) {
	for _, name := range []string{"there-is-none", "a name that is too long for one"} {
		if _, err := Driver(name); err == nil {
			t.Errorf("%q has a driver", name)
		}
		if _, err := GetChannels(name); !errors.Is(err, unix.ENODEV) {
			t.Errorf("channels of %q: %v", name, err)
		}
		if _, err := Features(name); !errors.Is(err, unix.ENODEV) {
			t.Errorf("features of %q: %v", name, err)
		}
	}
}
