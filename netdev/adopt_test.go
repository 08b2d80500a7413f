package netdev

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
)

// again opens the journal at path as another gateway does.
func again(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path, nil)
	must(t, err)
	return j
}

// TestAdopt has one gateway leave a pair and an offload to another one, which has no use for a second pair.
func TestAdopt(t *testing.T) {
	t.Parallel()
	enter(t)
	before := dump(t)
	path := filepath.Join(t.TempDir(), "u.state")
	old := again(t, path)
	opts := PairOptions{MTU: 1400, Queues: 1, Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.1.2/24")}}
	pair, err := CreatePair(old, "gw42", opts)
	must(t, err)
	_, err = CreatePair(old, "gw43", PairOptions{MTU: 1400, Queues: 1})
	must(t, err)
	off := map[string]bool{"tx-tcp-segmentation": false}
	_, err = SetOffloads(old, "gw42", off)
	must(t, err)
	old.Leave()
	must(t, pair.Remove())
	must(t, errors.Join(old.UndoOffloads("gw42")...))
	must(t, errors.Join(old.Undo()...))
	with := dump(t)

	next := again(t, path)
	same(t, with)
	got, err := AdoptPair(next, "gw42")
	must(t, err)
	if got == nil || got.Index != pair.Index || got.FarIndex != pair.FarIndex || got.Far != pair.Far || got.Name != "gw42" {
		t.Fatalf("adopted %+v, left %+v", got, pair)
	}
	if p, err := AdoptPair(next, "gw42"); p != nil || err != nil {
		t.Errorf("adopted twice: %+v %v", p, err)
	}
	if p, err := AdoptPair(next, "gw44"); p != nil || err != nil {
		t.Errorf("adopted what is not there: %+v %v", p, err)
	}
	_, err = SetOffloads(next, "gw42", off)
	must(t, err)
	must(t, errors.Join(next.UndoLeft()...))
	if _, err := netlink.LinkByName("gw43"); !gone(err) {
		t.Errorf("what nobody has adopted stays: %v", err)
	}
	if is, err := Offloads("gw42"); err != nil || is["tx-tcp-segmentation"] {
		t.Errorf("the offload that was adopted is back: %v", err)
	}
	must(t, errors.Join(next.UndoOffloads("gw42")...))
	if is, err := Offloads("gw42"); err != nil || !is["tx-tcp-segmentation"] {
		t.Errorf("the offload is not back: %v", err)
	}
	must(t, got.Remove())
	same(t, before)
	if left := next.Pending(); len(left) > 0 {
		t.Errorf("journal: %v", left)
	}
}

// TestAdoptChanged does not take a pair that is not as it was made: another one is made in its place.
func TestAdoptChanged(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*testing.T){
		"removed": func(t *testing.T) { must(t, netlink.LinkDel(link(t, "gw42"))) },
		"renamed": func(t *testing.T) {
			must(t, netlink.LinkSetDown(link(t, "gw42")))
			must(t, netlink.LinkSetName(link(t, "gw42"), "mine"))
		},
		"replaced": func(t *testing.T) {
			must(t, netlink.LinkDel(link(t, "gw42")))
			a := netlink.NewLinkAttrs()
			a.Name = "gw42-x"
			v := netlink.NewVeth(a)
			v.PeerName = "gw42"
			must(t, netlink.LinkAdd(v))
		},
	} {
		t.Run(name, func(t *testing.T) {
			enter(t)
			path := filepath.Join(t.TempDir(), "u.state")
			old := again(t, path)
			_, err := CreatePair(old, "gw42", PairOptions{Queues: 1})
			must(t, err)
			change(t)
			next := again(t, path)
			if p, err := AdoptPair(next, "gw42"); p != nil || err != nil {
				t.Errorf("adopted %+v %v", p, err)
			}
			if n := len(next.Pending()); n != 1 {
				t.Errorf("%d changes are left, want 1", n)
			}
		})
	}
}

// TestStay takes it back that a pair was to be left.
func TestStay(t *testing.T) {
	t.Parallel()
	enter(t)
	before, j := dump(t), journal(t)
	_, err := CreatePair(j, "gw42", PairOptions{Queues: 1})
	must(t, err)
	j.Leave()
	must(t, errors.Join(j.Undo()...))
	j.Stay()
	must(t, errors.Join(j.Undo()...))
	same(t, before)
}
