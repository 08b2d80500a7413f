package dataplane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"vxgw/fdb"
	"vxgw/neigh"
	"vxgw/vxlan"
)

// ofBusyMachines are the verdicts that a trial does not come to: they tell of rings and memory, not of the frame.
var ofBusyMachines = []Verdict{NoNeighbour, TxFull, LaneFull, NoFrame, NoHeadroom}

// For a frame of each verdict, a trial says what becomes of it when it is delivered for real.
func TestTrialSaysEveryVerdict(t *testing.T) {
	for v := Verdict(1); v < verdictCount; v++ {
		if slices.Contains(ofBusyMachines, v) {
			continue
		}
		for _, owners := range [][]int{{0, 0}, {0, 1}} {
			t.Run(fmt.Sprintf("%v on %v", v, owners), func(t *testing.T) {
				r := newRigWith(t, owners[1]+1, owners...)
				p := newProphet(r)
				reached[v](r)
				p.check()
				if p.said[v] == 0 {
					t.Errorf("the trial never said %q: %v", v, p.said)
				}
			})
		}
	}
}

// A trial says the same as what happens, of frames at random between stations that come, move and speak first.
func TestTrialSaysWhatHappens(t *testing.T) {
	r := newRig(t, 3)
	r.neighbours(false)
	r.flooding(Flooding{Limit: [ClassCount]uint32{Broadcast: 3, UnknownUnicast: 40}, Storm: new(Storm)})
	r.isolate(0, 2)
	must(t, r.plane.FDB.Replace(fdb.MakeKey(0, 0x0200_0000_0105), fdb.PortDest(1), fdb.Static, 1))
	r.plane.FDB.SetMoveLimit(0, fdb.MoveLimit{Moves: 4, Within: 3, Freeze: 2})
	r.plane.FDB.SetLimit(0, 12)
	p := newProphet(r)
	random := rand.New(rand.NewPCG(7, 7))
	station := func() uint64 { return 0x0200_0000_0100 + random.Uint64N(16) }
	for i := range 600 {
		p.check()
		r.plane.Tick(1 + uint32(i/30))
		dst := station()
		if random.IntN(4) == 0 {
			dst = bcast
		}
		f := ipFrame(dst, station(), uint16(i), random.IntN(1470))
		switch from := random.IntN(5); {
		case from < 3:
			r.deliver(r.ports[from], f)
		case from == 3:
			r.deliver(r.wire, tunnelled(t, remote, 42, uint8(random.IntN(256)), f))
		default:
			r.deliver(r.wire, tunnelled(t, third.Next(), 42, 0, f))
		}
	}
	p.check()
	for _, v := range []Verdict{ToPort, ToRemote, Flooded, StormLimit, MoveFrozen, StaticConflict, SplitHorizon, SamePort, TooBig, Isolated} {
		if p.said[v] == 0 {
			t.Errorf("no frame was said to be %v: %v", v, p.said)
		}
	}
}

// On a trunk, over IPv6, with suppression and every option of outer headers, too.
func TestTrialOfTrunk(t *testing.T) {
	for _, workers := range []int{1, 2} {
		r := newTrunkRig(t, workers, 0x8100)
		r.options(func(t *Tunnel) { t.InheritTTL, t.InheritDF, t.UDPChecksum, t.Outer.Tag = true, true, true, 0x81000007 })
		r.suppressing()
		n, err := r.plane.Remotes.Add(remote6)
		must(t, err)
		r.path(n, PathDirect)
		r.everywhere(func(d *Domain) { d.FloodRemotes = append(d.FloodRemotes[:1:1], n) })
		must(t, r.plane.FDB.Replace(fdb.MakeKey(1, hostR), fdb.RemoteDest(n), fdb.Static, 1))
		r.storms(3)
		p := newProphet(r)
		rnd := rand.New(rand.NewPCG(uint64(workers), 12))
		macs := []uint64{bcast, hostA, hostB, hostR, 0x020000000031, 0x01005e000001}
		for step := range 250 {
			p.check()
			r.plane.Tick(uint32(step/25) + 1)
			in := ipFrame(macs[rnd.IntN(len(macs))], macs[1+rnd.IntN(4)], uint16(rnd.Uint32()), []int{1, 18, 200, 1410, 1470}[rnd.IntN(5)])
			in[22] = byte(rnd.IntN(3)) * 90 // TTL
			if rnd.IntN(4) == 0 {
				in = askFor([]string{ipR, llR, ipB, "fe80::200", ipA}[rnd.IntN(5)])
			}
			switch i := rnd.IntN(len(vlans)); rnd.IntN(3) {
			case 0:
				r.deliver(r.ports[0], in)
			case 1:
				if id := vlans[i]; rnd.IntN(8) == 0 {
					in = tagged(in, 0x8100, 77)
				} else if id != 0 || rnd.IntN(2) == 0 {
					in = tagged(in, 0x8100, id)
				}
				r.deliver(r.ports[1], in)
			default:
				r.deliver(r.wire, tunnelled(t, remote, 42+uint32(i), uint8(rnd.IntN(4)), in))
			}
		}
		p.check()
		for _, v := range []Verdict{ToPort, ToRemote, Flooded, StormLimit, SplitHorizon, SamePort, TooBig, Isolated, InnerVLAN, Answered, Suppressed} {
			if p.said[v] == 0 {
				t.Errorf("no frame was said to be %v: %v", v, p.said)
			}
		}
	}
}

// prophet has each frame tried before it is delivered, and compares what was said with what happens.
type prophet struct {
	r    *rig
	fate *Fate // of the last one
	was  tally
	said map[Verdict]int
}

func newProphet(r *rig) *prophet {
	p := &prophet{r: r, said: map[Verdict]int{}}
	r.watch = func(e end, frame []byte) {
		p.check()
		r.publish()
		r.run()
		p.clear()
		before := p.dump()
		trial, err := r.plane.NewTrial()
		must(r.t, err)
		defer trial.Close()
		for range 2 { // the second time the same
			p.fate, err = trial.Try(e.queue.Port, frame)
			must(r.t, err)
		}
		if after := p.dump(); after != before {
			r.t.Fatalf("the trial has changed something:\n%s\n%s", before, after)
		}
		p.said[p.fate.Verdict]++
		p.was = p.counts()
	}
	return p
}

// counts is what the workers have counted.
func (p *prophet) counts() (c tally) {
	for v := range verdictCount {
		frames, copies := p.r.verdicts(v)
		c.verdicts[v], c.copies[v] = uint32(frames), uint32(copies)
	}
	return c
}

// clear has the kernel take what is on the tx rings.
func (p *prophet) clear() (sent map[uint32][][]byte) {
	sent = map[uint32][][]byte{}
	for _, e := range p.r.ends() {
		for _, one := range p.r.take(e) {
			sent[e.queue.Port] = append(sent[e.queue.Port], one.data)
		}
	}
	for _, w := range p.r.workers {
		w.Slow.publish()
		for packet := []byte{}; packet != nil; {
			packet = nil
			if w.Slow.carry(keeper{&packet}, func(uint32) {}, time.Now()); packet != nil {
				sent[throughKernel] = append(sent[throughKernel], packet)
			}
		}
		w.Round()
	}
	return sent
}

// throughKernel stands for the kernel where a port is expected.
const throughKernel = Underlay - 1

// check compares what was said with what happens to the frame that was delivered.
func (p *prophet) check() {
	t, f := p.r.t, p.fate
	t.Helper()
	if f == nil {
		return
	}
	p.fate = nil
	p.r.publish()
	p.r.run()
	is := p.counts()
	var copies [VerdictCount + 1]uint32
	want := map[uint32][][]byte{}
	single := !f.Flood
	for _, c := range f.Copies {
		if !single {
			copies[c.Verdict]++
		}
		if c.Packet == nil {
			continue
		}
		port := c.To.Index()
		if c.To.IsRemote() {
			if port = Underlay; c.Verdict == ToKernel {
				port = throughKernel
			}
		} else if e := p.r.snap.Ports[port].Exit; e.Member {
			port = e.Trunk
		}
		want[port] = append(want[port], c.Packet)
	}
	if f.Answer != nil {
		port := f.Port
		if e := p.r.snap.Ports[port].Exit; e.Member {
			port = e.Trunk
		}
		want[port] = append(want[port], f.Answer)
	}
	for v := Verdict(1); v < verdictCount; v++ {
		if n := is.verdicts[v] - p.was.verdicts[v]; (n == 1) != (v == f.Verdict) || n > 1 {
			t.Errorf("%d frames had verdict %v, and %v was said of %.60x", n, v, f.Verdict, f.Frame)
		}
		if n := is.copies[v] - p.was.copies[v]; n != copies[v] {
			t.Errorf("%d copies had verdict %v, %d were said to", n, v, copies[v])
		}
	}
	got := p.clear()
	for _, port := range []uint32{0, 1, 2, Underlay, throughKernel} {
		if !slices.EqualFunc(got[port], want[port], sameBytes) {
			t.Errorf("by %d left\n%.100x\nand was said to leave\n%.100x", port, got[port], want[port])
		}
	}
	if f.Source != 0 {
		if v := p.r.plane.FDB.Lookup(f.Source); v != f.Is {
			t.Errorf("source %v is %x after %v, and was said to be %x", f.Source, v, f.Learn, f.Is)
		}
	}
}

// sameBytes compares packets but for what is another in each: the IPv4 ID and the checksum over it.
func sameBytes(a, b []byte) bool { return bytes.Equal(withoutID(a), withoutID(b)) }

func withoutID(p []byte) []byte {
	at := 14
	if len(p) > 18 && binary.BigEndian.Uint16(p[12:]) == 0x8100 {
		at = 18
	}
	if len(p) < at+36 || p[at] != 0x45 || binary.BigEndian.Uint16(p[at+22:]) != vxlan.Port {
		return p
	}
	p = bytes.Clone(p)
	copy(p[at+4:], []byte{0, 0})
	copy(p[at+10:], []byte{0, 0})
	return p
}

// dump is all that a frame may change.
func (p *prophet) dump() string {
	var out bytes.Buffer
	plane := p.r.plane
	plane.FDB.Range(func(k fdb.Key, v fdb.Value) bool { fmt.Fprintf(&out, "%v=%x ", k, v); return true })
	fmt.Fprintf(&out, "\n%+v %v\n", plane.FDB.Stats(), plane.FDB.CountFrozen(plane.Now()))
	fmt.Fprintln(&out, plane.Remotes.Endpoints(), len(plane.Remotes.free))
	for _, d := range plane.Snapshot().Domains {
		if s := d.Flooding.Storm; s != nil {
			for i := range s.counts {
				fmt.Fprint(&out, s.counts[i].Load(), " ")
			}
		}
		if n := d.Neighbours; n != nil {
			n.Range(plane.Now(), func(k neigh.Key, e neigh.Entry) { fmt.Fprint(&out, k, e) })
			fmt.Fprintf(&out, "\n%v\n", fmt.Sprint(&n.Counts))
		}
	}
	for _, w := range p.r.workers {
		fmt.Fprintf(&out, "%v %v %v %v\n", w.said(), w.tally, w.Slow.queue.Empty(), len(w.hold.frames))
	}
	fmt.Fprintf(&out, "%+v %d", p.r.ledger(), plane.Depot.Len())
	return out.String()
}
