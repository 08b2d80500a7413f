package netdev

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
)

func TestSetOffloads(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	before, j := dump(t), journal(t)
	old, err := SetOffloads(j, "va", map[string]bool{
		"tx-udp-segmentation": false, "tx-tcp-segmentation": false, "tx-vlan-hw-insert": true,
	})
	must(t, err)
	if d := cmp.Diff(map[string]bool{"tx-udp-segmentation": true, "tx-tcp-segmentation": true}, old); d != "" {
		t.Errorf("old values (-want +got):\n%s", d)
	}
	now, err := Offloads("va")
	must(t, err)
	if now["tx-udp-segmentation"] || now["tx-tcp-segmentation"] {
		t.Errorf("not switched: %v", now)
	}
	must(t, j.Record(Change{Kind: KindSysfs, Link: LinkID{Name: "va", Index: 1 << 30}, Feature: "none"}))
	noErrors(t, j.UndoOffloads("vb"))
	if len(j.Pending()) != 3 {
		t.Errorf("another link's offloads are undone: %v", j.Pending())
	}
	noErrors(t, j.UndoOffloads("va"))
	if p := j.Pending(); len(p) != 1 || p[0].Kind != KindSysfs {
		t.Errorf("left to undo: %v", p)
	}
	same(t, before)
	noErrors(t, j.Undo())
}

func TestSetOffloadsFails(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	before, j := dump(t), journal(t)
	cases := map[string]struct {
		name string
		want map[string]bool
		err  string
	}{
		"unknown link":    {"vc", map[string]bool{"tx-gso-list": false}, `no interface "vc"`},
		"unknown feature": {"va", map[string]bool{"tx-tcp-segmentation": false, "fast": true}, `set offloads of va: unknown feature "fast" (ethtool -k va lists them)`},
		"fixed feature":   {"va", map[string]bool{"tx-tcp-segmentation": false, "rx-fcs": true}, "set offloads of va: the driver keeps rx-fcs off"},
	}
	for what, c := range cases {
		if _, err := SetOffloads(j, c.name, c.want); err == nil || !strings.HasPrefix(err.Error(), c.err) {
			t.Errorf("%s: got %v, want %s", what, err, c.err)
		}
		if left := j.Pending(); len(left) > 0 {
			t.Errorf("%s: journal: %v", what, left)
		}
		same(t, before)
	}
}

// The name may change while gw runs.
func TestSetOffloadsRenamed(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	before, j := dump(t), journal(t)
	_, err := SetOffloads(j, "va", map[string]bool{"tx-tcp-segmentation": false})
	must(t, err)
	must(t, netlink.LinkSetDown(link(t, "va")))
	must(t, netlink.LinkSetName(link(t, "va"), "vc"))
	noErrors(t, j.Undo())
	must(t, netlink.LinkSetName(link(t, "vc"), "va"))
	must(t, netlink.LinkSetUp(link(t, "va")))
	same(t, before)
}
