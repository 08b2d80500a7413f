package gateway

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// shown reports whether the status has a remote.
func (b *bed) shown(addr string) bool {
	return slices.ContainsFunc(b.g.Status().Remotes, func(r control.Remote) bool { return r.Address == addr })
}

// A remote that is taken away is not in the status any more, nor among its problems: out
// of the flood list, with its last entry, and with its VNI. One that an entry leads to
// stays.
func TestRemovedRemoteLeavesStatus(t *testing.T) {
	b := newBed(t)
	remote := func(addr string) control.RemoteChange {
		return control.RemoteChange{VNI: 42, Address: netip.MustParseAddr(addr)}
	}
	leaves := func(addr string) {
		t.Helper()
		b.await(addr+" has left the status", func() bool { return !b.shown(addr) })
		if i := slices.IndexFunc(b.g.Status().Problems, func(p string) bool { return strings.Contains(p, addr) }); i >= 0 {
			t.Errorf("still a problem: %s", b.g.Status().Problems[i])
		}
	}
	for _, addr := range []string{"10.0.0.7", "10.0.0.8", "10.0.0.9"} {
		must(t, b.g.AddRemote(remote(addr)))
	}
	from := packetSocket(t, b.container, "veth0", 0)
	b.await("frames to the remotes are with the kernel", func() bool {
		send(t, from, frame(0xff, 7, 60))
		return b.copies(dataplane.ToKernel) > 3
	})
	n, _ := b.g.plane.Remotes.Find(netip.MustParseAddr("10.0.0.7"))
	must(t, b.g.order(func() (bool, error) {
		b.g.plane.FDB.Learn(fdb.MakeKey(0, 0x020000000055), fdb.RemoteDest(n), b.g.now())
		return false, nil
	}))
	for _, addr := range []string{"10.0.0.7", "10.0.0.8", "10.0.0.9"} {
		must(t, b.g.DeleteRemote(remote(addr)))
	}
	leaves("10.0.0.8")
	leaves("10.0.0.9")

	must(t, b.change("add", "02:00:00:00:00:56", "10.0.0.9"))
	if !b.shown("10.0.0.9") {
		t.Error("a remote that an entry names is not shown")
	}
	must(t, b.change("del", "02:00:00:00:00:56", "10.0.0.9"))
	leaves("10.0.0.9")

	must(t, b.g.AddVNI([]byte(`{"vni": 200, "remotes": ["10.0.0.2", "10.0.0.9"], "device": null}`)))
	must(t, b.g.DeleteVNI(200))
	leaves("10.0.0.9")
	for _, addr := range []string{"10.0.0.2", "10.0.0.7"} {
		if !b.shown(addr) {
			t.Errorf("%s is not shown, although something leads to it", addr)
		}
	}
}

// An entry that a refused change had replaced comes back with its remote, whose number
// may be another's meanwhile.
func TestEntryComesBackToItsRemote(t *testing.T) {
	b := newBed(t)
	const mac = 0x020000000055
	must(t, b.change("add", macText(mac), "10.0.0.9"))
	was, _ := b.g.plane.Remotes.Find(netip.MustParseAddr("10.0.0.9"))
	var undo func()
	must(t, b.g.order(func() (_ bool, err error) {
		n, err := b.g.remote(remoteAddr)
		if err != nil {
			return false, err
		}
		undo, err = b.g.setStatic(b.g.domains[0], mac, fdb.RemoteDest(n), static)
		return false, err
	}))
	b.await("the remote is forgotten", func() bool { return !b.g.plane.Remotes.Addr(was).IsValid() })
	must(t, b.g.order(func() (bool, error) {
		if n, err := b.g.remote(netip.MustParseAddr("10.0.0.8")); n != was || err != nil {
			t.Errorf("the next remote has number %d, not %d: this tests nothing (%v)", n, was, err)
		}
		undo()
		return false, nil
	}))
	v := b.g.plane.FDB.Lookup(fdb.MakeKey(0, mac))
	if have := b.g.plane.Remotes.Addr(v.Dest().Index()).String(); have != "10.0.0.9" {
		t.Errorf("the entry is back at %s", have)
	}
}

// A remote that has the number of one that was in a flood list at the last look has come,
// and that one has gone.
func TestMonitorAcrossRemotes(t *testing.T) {
	b := newBed(t)
	must(t, b.change("append", control.ZeroMAC, "10.0.0.9"))
	w := &watch{g: b.g, seen: map[fdb.Key]sighting{}, most: mostEvents}
	_, err := w.look()
	must(t, err)
	was, _ := b.g.plane.Remotes.Find(netip.MustParseAddr("10.0.0.9"))
	must(t, b.change("del", control.ZeroMAC, "10.0.0.9"))
	b.await("the remote is forgotten", func() bool { return !b.g.plane.Remotes.Addr(was).IsValid() })
	must(t, b.change("append", control.ZeroMAC, "10.0.0.8"))
	if n, _ := b.g.plane.Remotes.Find(netip.MustParseAddr("10.0.0.8")); n != was {
		t.Fatalf("the next remote has number %d, not %d: this tests nothing", n, was)
	}
	events, err := w.look()
	must(t, err)
	var got []string
	for _, e := range events {
		if e.MAC == control.ZeroMAC {
			got = append(got, e.String())
		}
	}
	want := []string{
		"Deleted 00:00:00:00:00:00 dev gw42 dst 10.0.0.9 via ens18 self permanent",
		"00:00:00:00:00:00 dev gw42 dst 10.0.0.8 via ens18 self permanent",
	}
	if !slices.Equal(got, want) {
		t.Errorf("events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
