package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// change runs a verb for an address of VNI 42 behind a remote.
func (b *bed) change(verb, mac, dst string) error {
	c := control.FDBChange{MAC: mac, Dev: "gw42", Dst: netip.MustParseAddr(dst)}
	must(b.t, c.Check(verb))
	return b.g.ChangeFDB(verb, c)
}

// The way to a remote is followed from the entry that names it on, and no longer
// than something does: an entry of either kind, or a flood list.
func TestEntryHoldsItsRemote(t *testing.T) {
	b := newBed(t)
	const mac, other = "02:00:00:00:00:09", "02:00:00:00:00:0a"
	evict := func() {
		for range 2 {
			must(t, b.g.order(func() (bool, error) { b.g.evict(); return false, nil }))
		}
	}
	held := func(dst string, want bool) {
		t.Helper()
		if !want { // it may still have a frame
			b.await(dst+" is forgotten", func() bool {
				evict()
				_, ok := b.g.plane.Remotes.Find(netip.MustParseAddr(dst))
				return !ok
			})
		}
		if _, ok := b.g.mirror.Path(netip.MustParseAddr(dst)); ok != want {
			t.Errorf("the way to %s is followed: %v, want %v", dst, ok, want)
		}
		if _, ok := b.g.plane.Remotes.Find(netip.MustParseAddr(dst)); ok != want {
			t.Errorf("%s has a number: %v, want %v", dst, ok, want)
		}
	}
	must(t, b.change("add", mac, "10.0.0.9"))
	must(t, b.change("add", other, "10.0.0.9"))
	held("10.0.0.9", true)
	must(t, b.change("replace", mac, "10.0.0.8"))
	evict()
	held("10.0.0.9", true)
	held("10.0.0.8", true)
	must(t, b.change("del", other, "10.0.0.9"))
	must(t, b.change("append", control.ZeroMAC, "10.0.0.8"))
	must(t, b.change("del", mac, "10.0.0.8"))
	evict()
	held("10.0.0.9", false)
	held("10.0.0.8", true)
	must(t, b.change("del", control.ZeroMAC, "10.0.0.8"))
	must(t, b.change("del", control.ZeroMAC, "10.0.0.2")) // of the configuration
	evict()
	held("10.0.0.8", false)
	held("10.0.0.2", false)
	must(t, b.change("append", control.ZeroMAC, "10.0.0.2"))
	b.await("the way to the remote is direct again", func() bool {
		n, _ := b.g.plane.Remotes.Find(remoteAddr)
		s := b.g.plane.Snapshot()
		return int(n) < len(s.Paths[0]) && s.Paths[0][n].State == dataplane.PathDirect
	})
	if err := b.change("del", mac, "10.0.0.8"); !errors.Is(err, control.ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
	b.close()
	if err := b.change("append", control.ZeroMAC, "10.0.0.8"); !errors.Is(err, errStopping) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := b.g.FlushFDB(control.FDBFilter{Dev: "gw42"}); !errors.Is(err, errStopping) {
		t.Errorf("flush after Close: %v", err)
	}
	if err := b.g.WatchFDB(context.Background(), nil, nil); !errors.Is(err, errStopping) {
		t.Errorf("watch after Close: %v", err)
	}
}

// A look finds at most so many differences, and the looks behind it the others.
func TestLookInParts(t *testing.T) {
	b := newBed(t)
	w := &watch{g: b.g, seen: map[fdb.Key]sighting{}, most: 7}
	all := func() map[string]bool { // by MAC, whether it is there
		got := map[string]bool{}
		for {
			events, err := w.look()
			must(t, err)
			if len(events) > w.most {
				t.Fatalf("%d events in one look", len(events))
			}
			for _, e := range events {
				if strings.HasPrefix(e.MAC, "02:00:00:00:01:") { // and not of the kernel's own packets
					got[e.MAC] = !e.Deleted
				}
			}
			if len(events) == 0 {
				return got
			}
		}
	}
	all()
	mac := func(i int) string { return fmt.Sprintf("02:00:00:00:01:%02x", i) }
	for i := range 50 {
		must(t, b.change("add", mac(i), "10.0.0.2"))
	}
	if got := all(); len(got) != 50 || !got[mac(0)] || !got[mac(49)] {
		t.Errorf("%d of 50 entries came: %v", len(got), got)
	}
	n, err := b.g.FlushFDB(control.FDBFilter{Dev: "gw42", Self: true})
	if n != 50 || err != nil {
		t.Fatalf("%d of 50 flushed: %v", n, err)
	}
	if got := all(); len(got) != 50 || got[mac(0)] || got[mac(49)] {
		t.Errorf("%d of 50 entries went: %v", len(got), got)
	}
}
