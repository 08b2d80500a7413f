package main

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"vxgw/control"
)

// An address that several places claim is frozen where the last move that the limit allows has
// brought it: frames of others are dropped, and the log, the status, gw fdb show and gw fdb
// history say so. It moves again when its entry is deleted, or when there is no limit.
func TestMovesFrozen(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	station := net.HardwareAddr{2, 0, 0, 0, 7, 0x77}
	const ports = "ports: [veth1, veth2, veth3]"
	m.becomes(ports + "\nmoves: {limit: 3, within: 100000s}")
	say := func(from int) {
		t.Helper()
		m.sent++
		must(t, m.ends[from].SendFrame("veth0", named(everyone, station, frameText(m.sent))))
	}
	at := map[int]string{
		0: "dev veth1", 1: "dev veth2", 3: "dev gw42 dst 10.65.132.188",
	}
	line := func(from int) string {
		if from == 3 {
			return station.String() + " " + at[from] + " self"
		}
		return station.String() + " " + at[from] + " master gw42"
	}
	dropped := func() uint64 { n, _, _ := verdicts(m.gw.status()); return n["move_frozen"] }
	history := func() (h control.FDBHistory) {
		t.Helper()
		var all []control.FDBHistory
		must(t, json.Unmarshal([]byte(output(t, m.gw.host, "fdb", "history", station.String(), "--vni", "42", "-j")), &all))
		if len(all) != 1 {
			t.Fatalf("%d histories", len(all))
		}
		return all[0]
	}
	refuses(t, m.gw.host, 1, "fdb history "+station.String(), "no move of "+station.String()+" is remembered")
	refuses(t, m.gw.host, 2, "fdb history 02:00", "not a MAC address")
	refuses(t, m.gw.host, 2, "fdb history", "which address?")

	way := []int{0, 1, 3, 1}
	for i, from := range way {
		say(from)
		if i == len(way)-1 {
			m.gw.awaitFDB(line(from) + " frozen")
		} else {
			m.gw.awaitFDB(line(from))
		}
	}
	if n := dropped(); n != 0 {
		t.Errorf("%d frames move_frozen before it was frozen", n)
	}
	for i, from := range []int{0, 3} {
		say(from)
		eventually(t, func() string {
			if n := dropped(); n != uint64(i+1) {
				return fmt.Sprintf("%d frames move_frozen, want %d", n, i+1)
			}
			return ""
		})
	}
	m.gw.awaitFDB(line(1) + " frozen")
	h := history()
	if h.Moves != 3 || !h.Frozen || len(h.Last) != 3 {
		t.Fatalf("history %+v", h)
	}
	out := output(t, m.gw.host, "fdb", "history", station.String())
	for i, move := range h.Last {
		from, to := at[way[i]], at[way[i+1]]
		if move.From.String() != from || move.To.String() != to || move.Frozen != (i == 2) || move.Time.IsZero() {
			t.Errorf("move %d: %+v, want from %s to %s", i, move, from, to)
		}
		if !strings.Contains(out, fmt.Sprintf(" vni 42 %s from %s to %s", station, from, to)) {
			t.Errorf("gw fdb history lacks move %d:\n%s", i, out)
		}
	}
	if !strings.HasSuffix(out, " frozen\n") || strings.Count(out, "frozen") != 1 {
		t.Errorf("gw fdb history:\n%s", out)
	}
	frozen := 0
	for _, e := range m.gw.fdbJSON() {
		if e["frozen"] == true {
			frozen++
		}
	}
	s := m.gw.status()
	if frozen != 1 || s.FDB.Frozen != 1 || s.VNIs[0].Frozen != 1 {
		t.Errorf("%d entries are shown as frozen, the status says %d and %d", frozen, s.FDB.Frozen, s.VNIs[0].Frozen)
	}
	m.gw.awaitProblem("vni 42: addresses that moved too often stay where they are: 1")
	const logged = "an address has moved too often"
	eventually(t, func() string {
		if n := strings.Count(m.gw.log.String(), logged); n != 1 {
			return fmt.Sprintf("logged %d times", n)
		}
		return ""
	})

	output(t, m.gw.host, "fdb", "del", station.String(), "dev", "veth2")
	for _, from := range []int{3, 0, 1} {
		say(from)
		m.gw.awaitFDB(line(from))
	}
	say(0)
	m.gw.awaitFDB(line(0) + " frozen")
	m.becomes(ports)
	m.gw.awaitFDB(line(0))
	say(3)
	m.gw.awaitFDB(line(3))
	if n := strings.Count(m.gw.log.String(), logged); n != 1 {
		t.Errorf("one address was logged %d times", n)
	}
	if s := m.gw.status(); s.FDB.Frozen != 0 || len(s.Problems) > 0 {
		t.Errorf("without a limit %d are frozen; problems %q", s.FDB.Frozen, s.Problems)
	}
	checkVerdicts(t, m.gw)
	m.gw.stop()
}
