package gateway

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/netdev"
	"vxgw/ring"
)

// remembering is a gateway with a table of addresses and nothing that runs, and its log.
func remembering(t *testing.T) (*Gateway, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	cfg := config.Default()
	g := newGateway(&cfg, slog.New(slog.NewTextHandler(&log, nil)))
	mem, err := ring.NewHeapMemory(64, 4096)
	must(t, err)
	table, err := fdb.New(fdb.Config{Heap: true, MaxEntries: 1 << 14})
	must(t, err)
	t.Cleanup(func() { table.Close() })
	g.plane = dataplane.NewPlane(mem, table, dataplane.NewRemotes(16))
	n, err := g.plane.Remotes.Add(netip.MustParseAddr("10.0.0.2"))
	must(t, err)
	if n != 0 {
		t.Fatalf("the first remote has number %d", n)
	}
	for i, vni := range []uint32{42, 43} {
		v := cfg.NewVNI(vni)
		g.domains = append(g.domains, &domain{cfg: &v, index: uint16(i)})
	}
	g.ports = []*port{{iface: &iface{info: netdev.Info{Name: "veth1"}}}, nil}
	return g, &log
}

// A history says where an address was under the names of that time, the last moves of it.
func TestHistory(t *testing.T) {
	g, _ := remembering(t)
	const mac = "02:00:00:00:00:07"
	k := fdb.MakeKey(1, 0x020000000007)
	if _, err := g.FDBHistory(mac, 0); err == nil || !strings.Contains(err.Error(), "no move of "+mac) {
		t.Errorf("of an address that never moved: %v", err)
	}
	if _, err := g.FDBHistory("02:00", 0); err == nil || !strings.Contains(err.Error(), "is not a MAC address") {
		t.Errorf("of no address: %v", err)
	}
	places := []fdb.Dest{fdb.PortDest(0), fdb.RemoteDest(0), fdb.PortDest(1), fdb.RemoteDest(9)}
	for i, d := range places {
		g.plane.FDB.Learn(k, d, uint32(10+i))
	}
	g.noteMoves()
	g.ports[0] = nil // it has gone since
	found, err := g.FDBHistory(mac, 43)
	must(t, err)
	if len(found) != 1 || found[0].VNI != 43 || found[0].Moves != 3 || len(found[0].Last) != 3 || found[0].Frozen {
		t.Fatalf("history %+v", found)
	}
	var got []string
	for _, m := range found[0].Last {
		got = append(got, fmt.Sprintf("%s > %s", m.From, m.To))
	}
	want := "dev veth1 > dev gw43 dst 10.0.0.2; dev gw43 dst 10.0.0.2 > dev unknown; dev unknown > dev gw43 dst unknown"
	if strings.Join(got, "; ") != want {
		t.Errorf("moves %q", got)
	}
	if at := found[0].Last[0].Time.Sub(g.started).Seconds(); at != 10 {
		t.Errorf("the first move was %v s after the start, want 10", at)
	}
	if _, err := g.FDBHistory(mac, 42); err == nil {
		t.Error("there is a history in another VNI")
	}
	for i := range 40 {
		g.plane.FDB.Learn(k, places[i%2], 20)
	}
	found, err = g.FDBHistory(mac, 0)
	must(t, err)
	if len(found) != 1 || found[0].Moves != 43 || len(found[0].Last) != mostMoves {
		t.Errorf("%d moves, %d of them kept, want 43 and %d", found[0].Moves, len(found[0].Last), mostMoves)
	}
}

// However many addresses move and are frozen, what is remembered and logged is bounded, and
// those that moved last are there.
func TestHistoryIsBounded(t *testing.T) {
	g, log := remembering(t)
	v := *g.domains[0].cfg
	v.Moves.Limit = 2
	g.plane.FDB.SetMoveLimit(0, moveLimit(&v))
	const all = mostTracked + 500
	for n := range uint64(all) {
		k := fdb.MakeKey(0, 0x020000000000+n)
		for i := range uint32(3) {
			g.plane.FDB.Learn(k, fdb.PortDest(i), 1)
		}
		g.plane.FDB.Learn(k, fdb.PortDest(0), 1) // frozen
		if n%20 == 0 {
			g.noteMoves()
		}
	}
	g.noteMoves()
	h := &g.history
	if len(h.tracks) != mostTracked || h.recent.Len() != mostTracked {
		t.Errorf("%d addresses are remembered, %d in order, want %d", len(h.tracks), h.recent.Len(), mostTracked)
	}
	newest := uint64(all - 1)
	for !g.plane.FDB.Frozen(fdb.MakeKey(0, 0x020000000000+newest), 1) { // it found no room beside others that are frozen
		newest--
	}
	last, err := g.FDBHistory(macText(0x020000000000+newest), 42)
	must(t, err)
	if !last[0].Frozen || last[0].Moves != 2 || !last[0].Last[1].Frozen || last[0].Last[0].Frozen {
		t.Errorf("the last one: %+v", last)
	}
	if _, err := g.FDBHistory(macText(0x020000000000), 42); err == nil {
		t.Error("the first one is still remembered")
	}
	const line = "an address has moved too often"
	if n := strings.Count(log.String(), line); n != logLines {
		t.Errorf("%d lines logged, want %d", n, logLines)
	}
	h.span = h.span.Add(-logSpan) // a minute later
	omitted := h.omitted
	g.noteMoves()
	if !strings.Contains(log.String(), fmt.Sprintf("count=%d", omitted)) || omitted < 1000 || h.omitted != 0 {
		t.Errorf("%d were not logged: %s", omitted, log)
	}
}
