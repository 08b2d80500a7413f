package gateway

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/neigh"
)

// A reload changes what is done about neighbours without opening a port again; what is known stays while it is on; a refused one
// changes nothing, and loses nothing that it would have.
func TestNeighChanges(t *testing.T) {
	b := newBed(t)
	domain := func() *dataplane.Domain { return b.g.plane.Snapshot().Domains[0] }
	shown := func() string {
		t.Helper()
		all, err := b.g.Neighbours(control.NeighFilter{})
		must(t, err)
		var lines []string
		for _, n := range all {
			lines = append(lines, strings.TrimPrefix(n.String(), "10.9.9."))
		}
		return strings.Join(lines, "; ")
	}
	const permanent = " dev gw42 lladdr 02:00:00:00:00:01 PERMANENT"
	with := func(last ...byte) func(cfg *config.Config) {
		return func(cfg *config.Config) {
			v := cfg.VNIs[0]
			v.NeighSuppress, v.NeighForwardGrat, v.MaxNeigh, v.Neigh = true, false, 5, nil
			for _, n := range last {
				v.Neigh = append(v.Neigh, config.Neighbour{IP: netip.AddrFrom4([4]byte{10, 9, 9, n}), MAC: config.MAC{2, 0, 0, 0, 0, 1}})
			}
			cfg.VNIs = []config.VNI{v}
		}
	}
	off := func(cfg *config.Config) { cfg.VNIs = slices.Clone(cfg.VNIs) }
	// Another VNI with a device: a static entry of that one's address is what a reload fails at last.
	var device config.MAC
	reload := func(change func(*config.Config), fdb ...config.Static) error {
		return b.reload(func(cfg *config.Config) {
			change(cfg)
			c := cfg.NewVNI(201)
			c.Device, c.FDB = &config.Device{Name: "gw201"}, fdb
			cfg.VNIs = append(cfg.VNIs, c)
		})
	}
	refused := func(change func(*config.Config)) {
		t.Helper()
		if err := reload(change, config.Static{MAC: device, Dst: remoteAddr}); err == nil || !strings.Contains(err.Error(), "the device's own address") {
			t.Fatal(err)
		}
	}
	must(t, b.host.Do(func() error { return reload(off) }))
	for _, p := range b.g.ports {
		if p != nil && p.pair != nil {
			binary.BigEndian.PutUint16(device[:], uint16(p.mac.Load()>>32))
			binary.BigEndian.PutUint32(device[2:], uint32(p.mac.Load()))
		}
	}
	if domain().Neighbours != nil || b.g.Status().VNIs[0].Neigh != nil {
		t.Error("neighbours are suppressed from the start")
	}
	refused(with(1))
	if domain().Neighbours != nil || shown() != "" || b.g.Status().VNIs[0].Neigh != nil {
		t.Errorf("after a refused reload: %v, %s, %+v", domain().Neighbours, shown(), b.g.Status().VNIs[0].Neigh)
	}
	var queues []*dataplane.Queue
	for _, q := range b.g.plane.Snapshot().Queues {
		queues = append(queues, q...)
	}

	must(t, reload(with(1, 2)))
	table := domain().Neighbours
	if table == nil || domain().Announce {
		t.Fatalf("domain %+v", domain())
	}
	learned := neighKey(netip.MustParseAddr("10.9.9.200"), 0)
	for i := range 10 { // as many as may be
		table.Learn(neighKey(netip.MustParseAddr(fmt.Sprintf("10.9.9.20%d", i)), 0), neigh.Claim{MAC: 7, Enter: true, Move: true, Sure: true}, b.g.plane.Now())
	}
	if n := table.Len(); n != 7 || table.Counts.RefusedLimit.Load() != 5 {
		t.Errorf("%d entries, %d refused", n, table.Counts.RefusedLimit.Load())
	}
	must(t, b.g.ChangeNeighbour("add", control.NeighChange{Dst: netip.MustParseAddr("10.9.9.3"), Dev: "gw42", LLAddr: "02:00:00:00:00:01"}))
	must(t, b.g.ChangeNeighbour("replace", control.NeighChange{Dst: netip.MustParseAddr("10.9.9.2"), Dev: "gw42", LLAddr: "02:00:00:00:00:02"}))
	want := "1" + permanent + "; 2 dev gw42 lladdr 02:00:00:00:00:02 PERMANENT; 3" + permanent
	is := func(what, want string) {
		t.Helper()
		if got := shown(); !strings.HasPrefix(got, want) || domain().Neighbours != table {
			t.Errorf("%s: %s\nwant %s", what, got, want)
		}
	}
	is("changed by hand", want)
	refused(off)
	is("after a reload that would have switched it off", want)
	refused(with(2, 4))
	is("after one that would have changed entries", want)
	must(t, reload(with(2, 4)))
	is("after one that did", "2"+permanent+"; 3"+permanent+"; 4"+permanent)
	if _, ok := table.Lookup(learned, b.g.plane.Now()); !ok {
		t.Error("what was learned is forgotten")
	}
	var now []*dataplane.Queue
	for _, q := range b.g.plane.Snapshot().Queues {
		now = append(now, q...)
	}
	if !slices.Equal(queues, now) {
		t.Error("queues were opened or closed on the way")
	}

	must(t, reload(off))
	if domain().Neighbours != nil || shown() != "" || b.g.Status().VNIs[0].Neigh != nil {
		t.Errorf("switched off: %s", shown())
	}
	if o := table.Learn(learned, neigh.Claim{MAC: 7, Enter: true}, 1); o != neigh.Nothing || table.Len() != 0 {
		t.Errorf("a worker that still has the table learned (%d)", o)
	}
	must(t, reload(with(5)))
	if got := shown(); got != "5"+permanent {
		t.Errorf("switched on again: %s", got)
	}
}
