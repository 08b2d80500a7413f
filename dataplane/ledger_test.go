package dataplane

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// What is counted for each remote and for the VNI is what went over the underlay, the
// outer headers less: on the quick path and on the long one, flooded, through the
// kernel, and with snapshots that come and go meanwhile.
func TestLedgerAgreesWithTheWire(t *testing.T) {
	r := newRig(t, 2)
	rnd := rand.New(rand.NewPCG(3, 4))
	far := []netip.Addr{remote, third, besides(r.worker, remote)} // the last in the place of the first
	for i, addr := range far {
		n, err := r.plane.Remotes.Add(addr)
		must(t, err)
		r.path(n, PathDirect)
		r.pin(hostR+uint64(i), fdb.RemoteDest(n))
	}
	d := *r.snap.Domains[0]
	d.FloodRemotes = []uint32{0, 2}
	r.snap.Domains = []*Domain{&d}
	r.publish()

	want := make([]Traffic, len(far))
	wire := &recorder{}
	take := func() {
		for _, f := range r.take(r.wire) {
			n, _ := r.plane.Remotes.Find(netip.AddrFrom4([4]byte(f.data[30:])))
			want[n].Add(Traffic{TxPackets: 1, TxBytes: uint64(len(f.data) - vxlan.Overhead)})
		}
		r.runSlow(wire)
		for _, p := range wire.packets {
			n, _ := r.plane.Remotes.Find(netip.AddrFrom4([4]byte(p[16:])))
			want[n].Add(Traffic{TxPackets: 1, TxBytes: uint64(len(p) - (vxlan.Overhead - ethernet))})
		}
		wire.packets = nil
		for _, p := range r.ports {
			r.take(p)
		}
	}
	for step := range 400 {
		for range 1 + rnd.IntN(30) {
			i := rnd.IntN(len(far))
			in := ipFrame([]uint64{hostA, bcast}[rnd.IntN(2)], hostR+uint64(i), uint16(rnd.Uint32()), rnd.IntN(1400))
			r.deliver(r.wire, tunnelled(t, far[i], 42, uint8(rnd.IntN(2)*46<<2), in))
			want[i].Add(Traffic{RxPackets: 1, RxBytes: uint64(len(in))})
			r.deliver(r.ports[0], ipFrame([]uint64{hostR, hostR + 1, hostR + 2, bcast}[rnd.IntN(4)], hostA, uint16(rnd.Uint32()), rnd.IntN(1400)))
		}
		r.run()
		take()
		if step%40 == 0 {
			r.path(1, []PathState{PathSlow, PathDirect}[step/40%2])
			r.publish()
		}
	}
	r.run()
	take()

	l := r.ledger()
	var all Traffic
	for n := range want {
		if l.Remotes[n] != want[n] {
			t.Errorf("remote %s: %+v, want %+v", far[n], l.Remotes[n], want[n])
		}
		all.Add(want[n])
	}
	if l.Domains[0] != all {
		t.Errorf("the VNI: %+v, want %+v", l.Domains[0], all)
	}
	for _, v := range []Verdict{ToRemote, ToPort, ToKernel, Flooded} {
		if n, _ := r.verdicts(v); n == 0 {
			t.Errorf("no frame came to %v", v)
		}
	}
	checkBalance(t, r)
}

// Drops are on the account of the VNI, once it is known.
func TestLedgerOfDomain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		deliver func(r *rig)
		dropped uint64
	}{
		{"a port's bad source", func(r *rig) { r.deliver(r.ports[0], ipFrame(hostB, 0, 1, 0)) }, 1},
		{"a port's frame too big", func(r *rig) { r.toRemote(1450) }, 1},
		{"a tunnel's bad source", func(r *rig) { r.deliver(r.wire, tunnelled(r.t, remote, 43, 0, ipFrame(hostB, 0, 1, 0))) }, 1},
		{"a tunnel's congestion", func(r *rig) { r.deliver(r.wire, tunnelled(r.t, remote, 43, 3, ipFrame(hostB, hostR, 1, 0))) }, 1},
		{"split horizon", func(r *rig) {
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(1, hostB), fdb.RemoteDest(0), fdb.Static, 1))
			r.deliver(r.wire, tunnelled(r.t, remote, 43, 0, ipFrame(hostB, hostR, 1, 0)))
		}, 1},
		{"before the VNI is known", func(r *rig) { r.tunnelled(byteAt(24, 1)) }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 1)
			other := *r.snap.Domains[0]
			other.VNI = 41
			mine := *r.snap.Domains[0]
			mine.Index, mine.VNI = 1, 43
			r.snap.Domains = []*Domain{&other, &mine}
			r.snap.Ports = []*Port{{MTU: 1500, Up: true, Domain: 1}}
			r.publish()
			r.pinIn(1, hostR, fdb.RemoteDest(0))
			tc.deliver(r)
			r.run()
			l := r.ledger()
			if l.Dropped[1].Frames != tc.dropped || l.Dropped[0].Frames != 0 {
				t.Errorf("%d drops of the VNI, %d of the other, verdicts %v", l.Dropped[1].Frames, l.Dropped[0].Frames, r.nonzero())
			}
			for v, n := range l.Dropped[1].Reasons {
				if counted, _ := r.verdicts(Verdict(v)); Verdict(v).Drop() && n != counted*tc.dropped {
					t.Errorf("%d drops of the VNI as %s, %d verdicts", n, Verdict(v), counted)
				}
			}
		})
	}
}

func (r *rig) pinIn(domain uint16, mac uint64, to fdb.Dest) {
	r.t.Helper()
	must(r.t, r.plane.FDB.Replace(fdb.MakeKey(domain, mac), to, fdb.Static, 1))
}

// Workers that run tell everything up to now, asleep or not.
func TestLedgerOfRunningWorkers(t *testing.T) {
	r := newRigWith(t, 2, 0, 1)
	r.pin(hostB, fdb.PortDest(1))
	r.pin(hostR, fdb.RemoteDest(0))
	var ended sync.WaitGroup
	for _, w := range r.workers {
		ended.Go(func() {
			if err := w.Run(); err != nil {
				t.Error(err)
			}
		})
		for !w.running.Load() {
			time.Sleep(time.Millisecond)
		}
	}
	r.allTold()
	total := uint64(0)
	for range 50 {
		for range 20 {
			r.deliver(r.ports[0], ipFrame(hostR, hostA, 1, 100))
			r.deliver(r.ports[1], ipFrame(hostR, hostB, 1, 100))
			total += 2
		}
		for _, w := range r.workers {
			w.Wake()
		}
		for deadline := time.Now().Add(20 * time.Second); ; {
			got := r.plane.Ledger().Remotes[0]
			if got == (Traffic{TxPackets: total, TxBytes: total * 142}) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%+v after %d frames", got, total)
			}
		}
		r.take(r.wire)
	}

	// What is forgotten is not counted for who gets the number next.
	r.plane.Forget(Leaving{Remotes: []uint32{0}, Domains: []uint16{0}, Ports: []uint32{0, 1}})
	l := r.plane.Ledger()
	if l.Remotes[0] != (Traffic{}) || l.Domains[0] != (Traffic{}) || l.Gone.TxPackets != total {
		t.Errorf("after Forget: %+v %+v, gone %+v of %d", l.Remotes[0], l.Domains[0], l.Gone, total)
	}
	for _, w := range r.workers {
		w.Stop()
	}
	ended.Wait()
	if again := r.plane.Ledger(); again.Gone != l.Gone {
		t.Errorf("without workers: %+v, want %+v", again.Gone, l.Gone)
	}
}

// allTold returns when every worker that runs has told its ledger once: Ledger has something of each from then on, also
// where one does not get its CPU for a while.
func (r *rig) allTold() {
	r.t.Helper()
	if !r.plane.Alive(time.Minute) {
		r.t.Fatal("the workers do not begin")
	}
}

// Workers that do not get their CPU do not hold up who asks.
func TestLedgerOfStuckWorker(t *testing.T) {
	r := newRigWith(t, 2, 0)
	r.toRemote(100)
	r.run()
	for _, w := range r.workers {
		w.running.Store(true)
		defer w.running.Store(false)
	}
	if l := r.plane.Ledger(); len(l.Remotes) != 0 {
		t.Errorf("nobody has told %+v", l.Remotes)
	}
	for _, w := range r.workers {
		if w.asked.Load() != nil {
			t.Error("the question is still there")
		}
	}
}

// A worker that does its rounds is alive, one that hangs is not, and neither holds up who asks.
func TestAlive(t *testing.T) {
	r := newRig(t, 1)
	if !r.plane.Alive(time.Hour) {
		t.Error("a plane on which nobody works is not alive")
	}
	r.worker.running.Store(true)
	if r.plane.Alive(20 * time.Millisecond) {
		t.Error("a worker that does no rounds is alive")
	}
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-stop:
				return
			default:
				r.worker.Round()
			}
		}
	}()
	if !r.plane.Alive(time.Hour) {
		t.Error("a worker that does its rounds is not alive")
	}
	close(stop)
	<-ended
	r.worker.running.Store(false)
}

// besides is an address that a worker remembers in the place of another one, in VNI 42.
func besides(w *Worker, addr netip.Addr) netip.Addr {
	place := w.meetingOf(vxlan.AddrOf(addr), 42)
	for a := uint32(10<<24 + 1<<8); ; a++ {
		if w.meeting(a, 42) == place {
			return vxlan.Addr4(a).Netip()
		}
	}
}
