package gateway

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/config"
	"vxgw/control"
	"vxgw/fdb"
)

// A search finds what a look through all entries would, in the same order, and keeps no more than it answers with.
func TestFindFDB(t *testing.T) {
	b := newBedOf(t, func(g *Gateway) []func() error { return append(g.steps(), g.startSteward) }, func(_ *bed, cfg *config.Config) {
		v := cfg.NewVNI(43)
		v.Remotes = []config.Remote{{Dst: netip.MustParseAddr("10.0.0.2")}, {Dst: netip.MustParseAddr("10.0.0.3")}}
		cfg.VNIs = append(cfg.VNIs, v)
	})
	const entries = 50_000
	for i := range entries {
		n, err := b.g.plane.Remotes.Add(netip.AddrFrom4([4]byte{10, 1, 0, byte(i % 7)}))
		must(t, err)
		to := fdb.RemoteDest(n)
		if i%2 == 0 {
			to = fdb.PortDest(0)
		}
		if o := b.g.plane.FDB.Learn(fdb.MakeKey(uint16(i%2), 0x020000000000+uint64(i)*0x10001), to, b.g.plane.Now()); o.Refused() {
			t.Fatalf("entry %d: %v", i, o)
		}
	}
	all := b.g.FDB()
	slices.SortStableFunc(all, func(a, b control.FDBEntry) int { // its flood lists come first
		return strings.Compare(fmt.Sprintf("%08d %s", a.Domain(), a.MAC), fmt.Sprintf("%08d %s", b.Domain(), b.MAC))
	})
	ageless := func(entries []control.FDBEntry) []control.FDBEntry {
		entries = slices.Clone(entries)
		for i := range entries {
			entries[i].Age = nil
		}
		return entries
	}
	for _, c := range []struct {
		mac   string
		vni   uint32
		dst   string
		limit int
		least int // entries that there are
	}{
		{limit: 10, least: entries}, {limit: 60_000, least: entries}, {vni: 43, limit: 7, least: entries / 2}, {vni: 44, limit: 7},
		{mac: "00:00", limit: 30, least: 3}, {mac: "00:00:00:00:00:00", limit: 30, least: 3}, {mac: "02:00:00:01:00:01", limit: 30, least: 1},
		{mac: "c3:4f", limit: 5, least: 1}, {dst: "10.0.0.3", limit: 5, least: 1}, {dst: "10.1.0.", limit: 100, least: entries / 2},
		{dst: "10.1.0.3", vni: 43, mac: "02:00:00", limit: 3, least: 10}, {dst: "veth1", limit: 4, least: entries / 2}, {dst: "veth2", limit: 4},
	} {
		part, err := control.ParseMACPart(c.mac)
		must(t, err)
		var want []control.FDBEntry
		for _, e := range all {
			if !slices.ContainsFunc([]int{0, 3, 6, 9, 12, 15}, func(at int) bool { return strings.HasPrefix(e.MAC[at:], c.mac) }) ||
				c.vni != 0 && e.Domain() != c.vni || !strings.Contains(e.Dst, c.dst) && (e.Dst != "" || !strings.Contains(e.Ifname, c.dst)) {
				continue
			}
			want = append(want, e)
		}
		if len(want) < c.least {
			t.Fatalf("%+v: there are %d of them", c, len(want))
		}
		more := max(len(want)-c.limit, 0)
		want = want[:len(want)-more]
		found := b.g.FindFDB(control.FDBQuery{MAC: part, VNI: c.vni, Dst: c.dst, Limit: c.limit})
		if d := cmp.Diff(ageless(want), ageless(found.Entries)); d != "" && len(want)+len(found.Entries) > 0 || found.More != more {
			t.Errorf("%+v: %d more, want %d (-want +got):\n%.2000s", c, found.More, more, d)
		}
	}
	if n := testing.AllocsPerRun(3, func() { b.g.FindFDB(control.FDBQuery{Limit: 10}) }); n > 1000 && !underRace {
		t.Errorf("a search allocates %v times, with %d entries", n, entries)
	}

	var searches sync.WaitGroup
	for range 2 {
		searches.Go(func() {
			for len(b.g.FindFDB(control.FDBQuery{Limit: 10}).Entries) > 0 {
			}
		})
	}
	b.close() // the table goes away under them
	searches.Wait()
}
