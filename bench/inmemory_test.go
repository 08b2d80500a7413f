package bench

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/vxlan"
)

// TestLoops has every mix and every scale forward, in both directions, and wants every frame where it has to go, the FDB as it was,
// and no allocation (R8).
func TestLoops(t *testing.T) {
	all := []LoopConfig{{MACs: 2}, {MACs: 1_000}, {MACs: 10_000, Remotes: 1_000}, {MACs: 10_000, VNIs: 64, Remotes: 100}, {MACs: 10_000, VNIs: 64, Remotes: 100, Trunk: true}, {MACs: 10_000, Beside: 10_000}}
	all = append(all, mixes...)
	for _, c := range all {
		for c.Direction = range Direction(2) {
			t.Run(fmt.Sprintf("%v/%v/macs=%d/vnis=%d/trunk=%t/remotes=%d/beside=%d", c.Mix, c.Direction, c.MACs, c.VNIs, c.Trunk, c.Remotes, c.Beside), func(t *testing.T) {
				l, err := NewLoop(c)
				if err != nil {
					t.Fatal(err)
				}
				before := l.site.plane.FDB.Len()
				r, err := l.measure(0)
				if err != nil {
					t.Error(err)
				}
				if r.Ns <= 0 || r.NsLow > r.Ns || r.Ns > r.NsHigh || len(r.Slices) < 10 {
					t.Errorf("%v", r)
				}
				if r.Allocs != 0 && !raceEnabled {
					t.Errorf("%d allocations in %d rounds", r.Allocs, allocationSteps)
				}
				if c.Beside > 0 && r.Beside == 0 {
					t.Error("nothing moved beside")
				}
				if n := l.site.plane.FDB.Len(); n != before {
					t.Errorf("the FDB has %d entries instead of %d", n, before)
				}
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestLoopChecks breaks what the worker has to do, and wants the check to find it.
func TestLoopChecks(t *testing.T) {
	for name, damage := range map[string]func(l *Loop){
		"an entry less": func(l *Loop) { must(t, l.site.plane.FDB.Delete(l.site.key(farSide, 0))) },
		"another remote": func(l *Loop) {
			l.site.plane.FDB.Learn(l.site.key(farSide, 0), fdb.RemoteDest(l.site.numbers[1]), l.site.now)
		},
		"a port down": func(l *Loop) {
			s := *l.site.plane.Snapshot()
			s.Underlay = false
			l.site.plane.Publish(&s)
		},
		"a packet lost": func(l *Loop) { l.taken-- },
		"another frame": func(l *Loop) { l.packets.bytes[50]++ },
	} {
		l, err := NewLoop(LoopConfig{Direction: Encap, MACs: 2, Remotes: 2})
		if err != nil {
			t.Fatal(err)
		}
		l.warm()
		if err := l.Check(); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		damage(l)
		l.next = 0
		if err := l.Check(); err == nil {
			t.Errorf("%s: not found", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
		must(t, l.Close())
	}
}

// TestSpoils wants each reason to drop to be met as often as it is there.
func TestSpoils(t *testing.T) {
	for d := range Direction(2) {
		l, err := NewLoop(LoopConfig{Direction: d, Mix: Drop, MACs: 100})
		if err != nil {
			t.Fatal(err)
		}
		l.Run(10)
		must(t, l.Check())
		for _, s := range spoils[d] {
			if l.worker.Counters.Verdicts[s.verdict].Load() == 0 {
				t.Errorf("%v: no frame was dropped for %v", d, s.verdict)
			}
		}
		if n := l.worker.Counters.Verdicts[dataplane.ToPort].Load() + l.worker.Counters.Verdicts[dataplane.ToRemote].Load(); n != 0 {
			t.Errorf("%v: %d frames were forwarded", d, n)
		}
		must(t, l.Close())
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestStations has numbers survive their way through an address, and each station one place.
func TestStations(t *testing.T) {
	for _, n := range []uint32{0, 1, 77, 1 << 31, 1<<32 - 1} {
		if got := numberOf(farSide.mac(n)); got != n {
			t.Errorf("station %d has the number %d", n, got)
		}
	}
}

// TestLookups measures R4 and R5 of a small table, and finds an entry that is elsewhere.
func TestLookups(t *testing.T) {
	s, err := newSite(LoopConfig{MACs: 10_000, Remotes: 3}, 1)
	must(t, err)
	defer s.close()
	figures, err := s.lookups(0)
	must(t, err)
	if len(figures) != 4 || figures[0].ID != "R4" || figures[1].ID != "R5" {
		t.Fatalf("%v", figures)
	}
	for _, f := range figures {
		if f.Value <= 0 || f.Low > f.Value || f.Value > f.High {
			t.Errorf("%v", f)
		}
	}
	for i := range s.config.half() {
		s.plane.FDB.Learn(s.key(farSide, i), fdb.PortDest(0), s.now)
	}
	if _, err := s.lookups(0); err == nil {
		t.Error("entries are elsewhere, and nobody noticed")
	}
}

// TestFootprint is R6, which does not depend on the machine: bytes per entry on the whole way up, as the limit of the table allows.
func TestFootprint(t *testing.T) {
	n := 10_000_000
	if testing.Short() || raceEnabled {
		n = 200_000
	}
	table, err := fdb.New(fdb.Config{})
	must(t, err)
	defer table.Close()
	for at := 0; at < n; at += n / 20 {
		for i := range n / 20 {
			if o := table.Learn(fdb.MakeKey(uint16(i%4096), farSide.mac(uint32(at+i))), fdb.RemoteDest(uint32(i%1000)), 1); o != fdb.Added {
				t.Fatalf("entry %d of %d: %v", at+i, n, o)
			}
		}
		if per := table.Stats().BytesPerEntry(); at > 0 && per > 26 {
			t.Errorf("%.1f bytes per entry at %d", per, table.Len())
		}
	}
	t.Logf("%d entries, %.2f bytes each", table.Len(), table.Stats().BytesPerEntry())
}

// TestGrowthBeside wants a worker to go on, and lose nothing, while the FDB grows many times over.
func TestGrowthBeside(t *testing.T) {
	n := 1_000_000
	if raceEnabled {
		n = 50_000
	}
	g, err := MeasureGrowth(LoopConfig{MACs: 1_000}, n, 0)
	must(t, err)
	if g.Entries != n+1_000 || g.Rounds == 0 || g.Meanwhile.Longest < g.Meanwhile.Median {
		t.Errorf("%+v", g)
	}
	if _, err := MeasureGrowth(LoopConfig{MACs: 1_000}, 0, 0); err != nil {
		t.Errorf("without growth: %v", err)
	}
	t.Log(g)
}

// TestWorkersPair has two workers share an FDB; their frames are checked at the end.
func TestWorkersPair(t *testing.T) {
	f, err := MeasureWorkers(LoopConfig{MACs: 1_000}, 0)
	if errors.Is(err, errOneCPU) {
		t.Skip(err)
	}
	must(t, err)
	if f.Value <= 0 || !f.AtLeast || f.Must != 1.85 {
		t.Errorf("%v", f)
	}
	t.Log(f)
}

// TestStages wants the stages and the rest to be the worker.
func TestStages(t *testing.T) {
	for d := range Direction(2) {
		s, err := stages(LoopConfig{Direction: d, MACs: 10_000}, 0)
		must(t, err)
		if sum := s.Receive + s.Parse + s.LookUp + s.Emit + s.Publish + s.Other; sum < s.Worker-0.05 || sum > s.Worker+0.05 || s.Parse <= 0 || s.LookUp <= 0 {
			t.Errorf("%v: the sum is %.2f", s, sum)
		}
		t.Log(s)
	}
}

// TestFloors wants loads to go everywhere in their memory.
func TestFloors(t *testing.T) {
	l, err := newLoads(1 << 16)
	must(t, err)
	seen := map[uint64]bool{}
	for range 100_000 {
		before := l.sum
		l.run(1, 1, false)
		seen[l.sum-before] = true
	}
	if len(seen) != len(l.lines) {
		t.Errorf("%d lines of %d", len(seen), len(l.lines))
	}
	if ns := l.nsPerLoad(32, true, 0); ns <= 0 {
		t.Errorf("%v ns", ns)
	}
	must(t, l.unmap())
	for d := range Direction(2) {
		loop, err := NewLoop(LoopConfig{Direction: d, MACs: 100})
		must(t, err)
		if ns := loop.touch(0); ns <= 0 {
			t.Errorf("%v: %v ns", d, ns)
		}
		written := 0
		for f := range loop.site.plane.Memory.Frames() {
			written += int(loop.site.plane.Memory.Bytes(uint64(f*4096+256-vxlan.Overhead), 1)[0])
		}
		if want := d == Encap; want != (written > 0) {
			t.Errorf("%v: %d frames have something in front", d, written)
		}
		must(t, loop.Close())
	}
}

// TestFigures are said to be met or not.
func TestFigures(t *testing.T) {
	for _, c := range []struct {
		f    Figure
		want bool
	}{
		{exact("R8", "", "", 0).with(0, 0), true},
		{exact("R8", "", "", 1).with(0, 0), false},
		{exact("R6", "", "", 23.4).with(26, 20), true},
		{Figure{Value: 1.8, Must: 1.85, AtLeast: true}, false},
		{Figure{Value: 1.9, Must: 1.85, AtLeast: true}, true},
	} {
		if c.f.Met() != c.want {
			t.Errorf("%v: met is %v", c.f, !c.want)
		}
	}
}

// TestQuickInMemory runs all that bench --quick does in memory, but for no time.
func TestQuickInMemory(t *testing.T) {
	m := &measuring{out: io.Discard, each: time.Millisecond, most: 1_000}
	must(t, m.run(true))
	if len(m.Packets) != 2+2*len(mixes) || m.Growth == nil || len(m.Stages) == 0 || len(m.Figures) == 0 {
		t.Errorf("%+v", m.InMemory)
	}
	last := m.Figures[len(m.Figures)-1]
	if last.ID != "R8" || !last.Met() && !raceEnabled {
		t.Errorf("%v", last)
	}
}
