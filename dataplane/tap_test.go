package dataplane

import (
	"bytes"
	"cmp"
	"errors"
	"testing"
	"time"

	"vxgw/fdb"
	"vxgw/filter"
	"vxgw/vxlan"
)

// everything chooses all frames at all times.
func everything() TapConfig {
	return TapConfig{Received: true, Sent: true, Dropped: true, VNI: NoVNI, Filter: new(filter.Program)}
}

// seen is a record with its bytes.
type seen struct {
	Record
	frame []byte
}

func (r *rig) tap(c TapConfig) *Tap {
	r.t.Helper()
	t, err := r.plane.AddTap(c)
	must(r.t, err)
	r.tapsHaveTime()
	return t
}

// tapsHaveTime gives the taps that there are so much of it that none is lost where the machine is busy with something else.
func (r *rig) tapsHaveTime() {
	for _, b := range r.plane.taps.Load().batches {
		b.most = int64(time.Hour)
	}
}

// all reads what a tap has.
func all(t *Tap) (out []seen) {
	for t.Read(func(h *Record, frame []byte) bool {
		out = append(out, seen{*h, bytes.Clone(frame)})
		return true
	}) > 0 {
	}
	return out
}

// Whatever becomes of a frame, the tap has a record that says so; and all that it has adds up with what is counted.
func TestTapEveryVerdict(t *testing.T) {
	for v := Verdict(1); v < verdictCount; v++ {
		t.Run(v.String(), func(t *testing.T) {
			workers, owners := 1, []int{0, 0}
			if v == LaneFull {
				workers, owners = 2, []int{0, 1}
			}
			r := newRigWith(t, workers, owners...)
			tap := r.tap(everything())
			reached[v](r)
			r.publish()
			r.run()
			received, lost, sent := [VerdictCount]uint64{}, [VerdictCount]uint64{}, uint64(0)
			for _, s := range all(tap) {
				switch s.Way {
				case Received:
					received[s.Verdict]++
				case Lost:
					lost[s.Verdict]++
				default:
					sent++
				}
				if s.Verdict == v && v.Drop() != s.Dropped() {
					t.Errorf("record %+v: dropped %v", s.Record, s.Dropped())
				}
				if int(s.Len) != len(s.frame) || s.Time == 0 {
					t.Errorf("record %+v has %d bytes", s.Record, len(s.frame))
				}
			}
			frames, copies := r.verdicts(v)
			if received[v]+lost[v] == 0 || received[v] != frames && workers == 1 || v.Drop() && lost[v] != copies {
				t.Errorf("%d records of received frames and %d of lost ones, %d frames and %d copies counted", received[v], lost[v], frames, copies)
			}
			for _, e := range r.ends() {
				n, _ := e.queue.Socket.Sent()
				sent -= n
			}
			if sent != 0 || tap.Lost() != 0 {
				t.Errorf("records of sent frames differ by %d from what was sent; %d were lost", int64(sent), tap.Lost())
			}
		})
	}
}

// A frame is told as it came, with its VNI and VTEP, and as it leaves, with where it was received.
func TestTapRecords(t *testing.T) {
	r := newRig(t, 2)
	tap := r.tap(everything())
	r.pin(hostB, fdb.PortDest(1))
	r.pin(hostR, fdb.RemoteDest(0))
	inner := ipFrame(hostB, 0x0200000000ab, 1, 20)
	in := tunnelled(t, remote, 42, 0, inner)
	out := ipFrame(hostR, hostA, 3, 50)
	everyone := ipFrame(bcast, hostA, 4, 10)
	r.deliver(r.wire, in)
	r.deliver(r.ports[0], out)
	r.run()
	left, wire := r.take(r.ports[1]), r.take(r.wire)
	r.deliver(r.ports[0], everyone)
	r.run()
	flooded := [][]byte{r.take(r.ports[1])[0].data, r.take(r.wire)[0].data}
	peer := vxlan.AddrOf(remote)
	want := []seen{
		{Record{Port: Underlay, VNI: 42, Remote: peer, From: NoPlace, To: fdb.PortDest(1), Verdict: ToPort}, in},
		{Record{Port: 0, VNI: 42, Remote: peer, From: NoPlace, To: fdb.RemoteDest(0), Verdict: ToRemote}, out},
		{Record{Port: Underlay, VNI: 42, Remote: peer, From: fdb.PortDest(0), To: NoPlace, Way: Sent}, wire[0].data},
		{Record{Port: 1, VNI: 42, Remote: peer, From: fdb.RemoteDest(0), To: NoPlace, Way: Sent}, left[0].data},
		{Record{Port: 0, VNI: 42, From: NoPlace, To: NoPlace, Verdict: Flooded, Marks: MarkFlooded}, everyone},
		{Record{Port: Underlay, VNI: 42, Remote: peer, From: fdb.PortDest(0), To: NoPlace, Way: Sent, Marks: MarkFlooded}, flooded[1]},
		{Record{Port: 1, VNI: 42, From: fdb.PortDest(0), To: NoPlace, Way: Sent, Marks: MarkFlooded}, flooded[0]},
	}
	got := all(tap)
	if len(got) != len(want) {
		t.Fatalf("%d records: %+v", len(got), got)
	}
	for i, w := range want {
		g := got[i]
		w.Len, w.Kept = uint32(len(w.frame)), uint32(len(w.frame))
		g.Time, g.at = 0, 0
		if g.Record != w.Record || !bytes.Equal(g.frame, w.frame) {
			t.Errorf("record %d:\n got %+v\nwant %+v", i, g, w)
		}
	}
}

// Each condition chooses by itself, and the bytes are cut where they should be.
func TestTapChooses(t *testing.T) {
	icmp, err := filter.Parse("udp port 3")
	must(t, err)
	for _, c := range []struct {
		name   string
		change func(c *TapConfig)
		port   uint32
		want   int
	}{
		{"everything", func(*TapConfig) {}, AnyPort, 5},
		{"received", func(c *TapConfig) { c.Sent, c.Dropped = false, false }, AnyPort, 3},
		{"sent", func(c *TapConfig) { c.Received, c.Dropped = false, false }, AnyPort, 2},
		{"dropped", func(c *TapConfig) { c.Received, c.Sent = false, false }, AnyPort, 1},
		{"VNI", func(c *TapConfig) { c.VNI = 42 }, AnyPort, 4},
		{"other VNI", func(c *TapConfig) { c.VNI = 43 }, AnyPort, 1},
		{"remote", func(c *TapConfig) { c.Remote = vxlan.AddrOf(remote) }, AnyPort, 5},
		{"other remote", func(c *TapConfig) { c.Remote = vxlan.AddrOf(third) }, AnyPort, 0},
		{"filter", func(c *TapConfig) { c.Filter = icmp }, AnyPort, 1},
		{"port", func(*TapConfig) {}, 0, 1},
		{"underlay", func(*TapConfig) {}, Underlay, 3},
		{"no port", func(*TapConfig) {}, NoPort, 0},
		{"snaplen", func(c *TapConfig) { c.Snaplen = 60 }, AnyPort, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 2)
			cfg := everything()
			c.change(&cfg)
			tap := r.tap(cfg)
			tap.SetPort(c.port)
			r.pin(hostB, fdb.PortDest(1))
			r.pin(hostR, fdb.RemoteDest(0))
			r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(hostB, 0x0200000000ab, 1, 20)))
			r.deliver(r.wire, tunnelled(t, remote, 43, 0, ipFrame(hostB, 0x0200000000ab, 1, 20)))
			r.deliver(r.ports[0], ipFrame(hostR, hostA, 3, 50))
			r.run()
			got := all(tap)
			if len(got) != c.want {
				t.Errorf("%d records, want %d: %+v", len(got), c.want, got)
			}
			for _, s := range got {
				if want := min(int(s.Len), cmp.Or(int(cfg.Snaplen), 1<<16)); len(s.frame) != want {
					t.Errorf("%d bytes of %d are kept, want %d", len(s.frame), s.Len, want)
				}
			}
		})
	}
}

// What goes through the kernel is told where the kernel takes or refuses it, what comes that way too.
func TestTapKernelsWay(t *testing.T) {
	for _, refuse := range []error{nil, errors.New("no")} {
		r := newRig(t, 1)
		tap := r.tap(everything())
		r.path(0, PathSlow)
		r.publish()
		r.toRemote(20)
		r.run()
		r.runSlow(&recorder{err: refuse})
		r.inject(tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 1, 20)))
		r.run()
		marks, way := MarkViaKernel, Sent
		if refuse != nil {
			marks, way = marks|MarkRefused, Lost
		}
		var slow, injected bool
		for _, s := range all(tap) {
			slow = slow || s.Way == way && s.Port == Underlay && s.Marks == marks && s.VNI == 42 && s.Remote == vxlan.AddrOf(remote) && s.From == fdb.PortDest(0)
			injected = injected || s.Way == Received && s.Port == Underlay && s.Marks == MarkViaKernel && s.VNI == 42
		}
		if !slow || !injected {
			t.Errorf("error %v: slow path %v, injected %v", refuse, slow, injected)
		}
	}
}

// Taps are few, and one that has gone is written to no more.
func TestTapsBounded(t *testing.T) {
	r := newRig(t, 1)
	var taps []*Tap
	for range MostTaps {
		taps = append(taps, r.tap(everything()))
	}
	if _, err := r.plane.AddTap(everything()); !errors.Is(err, ErrTapsFull) {
		t.Errorf("one more: %v", err)
	}
	r.plane.RemoveTap(taps[1])
	r.tapsHaveTime()
	r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
	r.run()
	for i, tap := range taps {
		if n := len(all(tap)); n > 0 == (i == 1) {
			t.Errorf("tap %d: %d records", i, n)
		}
	}
	for _, tap := range taps {
		r.plane.RemoveTap(tap)
	}
	if r.plane.taps.Load() != nil {
		t.Error("workers still have taps")
	}
}

// A tap that nobody reads loses records, counts each, and costs no allocation; what it has kept is whole.
func TestTapOverrun(t *testing.T) {
	r := newRig(t, 2)
	tap := r.tap(everything())
	r.pin(hostB, fdb.PortDest(1))
	frame := ipFrame(hostB, hostA, 1, 1000)
	rounds := 0
	step := func() {
		for range 100 {
			r.ports[0].kernel.Deliver(frame)
		}
		r.worker.Round()
		r.ports[1].kernel.Take(func(uint64, []byte) {})
		r.worker.Round()
		rounds++
	}
	if n := testing.AllocsPerRun(50, step); n != 0 {
		t.Errorf("%v allocations", n)
	}
	got := all(tap)
	if total := uint64(len(got)) + tap.Lost(); total != uint64(rounds*200) || tap.Lost() == 0 {
		t.Errorf("%d records and %d lost of %d", len(got), tap.Lost(), rounds*200)
	}
	for _, s := range got {
		if !bytes.Equal(s.frame, frame) {
			t.Fatalf("record %+v has other bytes", s.Record)
		}
	}
	step()
	if n := len(all(tap)); n != 200 {
		t.Errorf("%d records after it was read, want 200", n)
	}
}

// A worker that has given taps all the time that they may have goes on without them: what they do not see is counted, with filter and
// without, and by and by they see again.
func TestTapBudget(t *testing.T) {
	port3, err := filter.Parse("udp port 3")
	must(t, err)
	r := newRig(t, 2)
	r.pin(hostB, fdb.PortDest(1))
	all, some, cond := everything(), everything(), everything()
	some.Filter, cond.VNI = port3, 42
	taps := []*Tap{r.tap(all), r.tap(some), r.tap(cond)}
	send := func() {
		r.deliver(r.ports[0], ipFrame(hostB, hostA, 3, 50))
		r.deliver(r.ports[0], ipFrame(hostB, hostA, 4, 50))
		r.run()
	}
	b := &r.plane.taps.Load().batches[0].tapBudget
	b.since, b.credit = time.Now().Add(time.Hour).UnixNano(), -1 // and none is earned
	send()
	for i, want := range []uint64{4, 2, 4} {
		if got := taps[i].Lost(); got != want {
			t.Errorf("tap %d lost %d records, want %d", i, got, want)
		}
		if n := taps[i].Read(func(*Record, []byte) bool { return true }); n != 0 {
			t.Errorf("tap %d has %d records", i, n)
		}
	}
	b.since = time.Now().Add(-time.Hour).UnixNano()
	send()
	for i, want := range []int{4, 2, 4} {
		if n := taps[i].Read(func(*Record, []byte) bool { return true }); n != want {
			t.Errorf("tap %d has %d records, want %d", i, n, want)
		}
	}
}
