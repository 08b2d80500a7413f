package netdev

import (
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

func TestHoldPromisc(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	index := lookup(t, "va").Index
	count := func(when string, want int) {
		t.Helper()
		got := link(t, "va").Attrs().Promisc
		// A process that is just being made has what is closed here until its program runs.
		for end := time.Now().Add(30 * time.Second); got != want && time.Now().Before(end); got = link(t, "va").Attrs().Promisc {
			time.Sleep(time.Millisecond)
		}
		if got != want {
			t.Errorf("promiscuity %d %s, want %d", got, when, want)
		}
	}
	before := dump(t)
	must(t, netlink.SetPromiscOn(link(t, "va"))) // its owner wants it too
	first, err := HoldPromisc(index, "va")
	must(t, err)
	second, err := HoldPromisc(index, "va")
	must(t, err)
	count("held twice beside the owner", 3)
	must(t, first.Close())
	count("held beside the owner", 2)
	must(t, netlink.SetPromiscOff(link(t, "va")))
	count("held", 1)
	must(t, second.Close())
	count("given back", 0)
	same(t, before)

	third, err := HoldPromisc(index, "va")
	must(t, err)
	must(t, netlink.LinkDel(link(t, "va")))
	must(t, third.Close())
	_, err = HoldPromisc(index, "va")
	if want := "put va into promiscuous mode: " + unix.ENODEV.Error(); err == nil || err.Error() != want {
		t.Errorf("without the interface: %v, want %s", err, want)
	}
}

func TestTellsVLANTag(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	told, err := lab.KernelHas("bpf_xdp_metadata_rx_vlan_tag")
	must(t, err)
	for name, want := range map[string]bool{"va": told, "lo": false} {
		tells, err := TellsVLANTag(lookup(t, name).Index)
		must(t, err)
		if tells != want {
			t.Errorf("%s: %t, want %t (veth tells since Linux 6.8)", name, tells, want)
		}
	}
	asked, err := lab.KernelHas("netdev_nl_dev_get_doit") // since 6.3; nobody to ask is no error
	must(t, err)
	if tells, err := TellsVLANTag(9999); tells || (err != nil) != asked {
		t.Errorf("an interface that is not there: %t, %v", tells, err)
	}
}
