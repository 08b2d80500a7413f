package dataplane

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// reached has a way to each verdict. A verdict that is added to the list without one
// fails TestEveryVerdict.
var reached = [VerdictCount]func(r *rig){
	ToPort: func(r *rig) {
		r.pin(hostB, fdb.PortDest(1))
		r.deliver(r.ports[0], ipFrame(hostB, hostA, 1, 0))
	},
	ToRemote: func(r *rig) { r.toRemote(100) },
	Flooded:  func(r *rig) { r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0)) },
	ToKernel: func(r *rig) {
		r.path(0, PathSlow)
		r.toRemote(100)
	},

	Answered: func(r *rig) {
		r.neighbours(false)
		r.neighbour(ipR, hostR, false)
		r.pin(hostR, fdb.RemoteDest(0))
		r.deliver(r.ports[0], askFor(ipR))
	},
	Suppressed: func(r *rig) {
		r.neighbours(false)
		r.deliver(r.ports[0], arpFrame(bcast, hostA, 1, hostA, ipA, ipA))
	},

	Short:        func(r *rig) { r.tunnelled(cutTo(49)) },
	NotIP:        func(r *rig) { r.tunnelled(byteAt(12, 9)) },
	IPLength:     func(r *rig) { r.tunnelled(byteAt(16, 0xff), ipSum) },
	IPChecksum:   func(r *rig) { r.tunnelled(byteAt(24, 1)) },
	IPOptions:    func(r *rig) { r.tunnelled(sourceRoute) },
	TTL:          func(r *rig) { r.tunnelled(byteAt(22, 0), ipSum) },
	Fragment:     func(r *rig) { r.tunnelled(byteAt(20, 0x20), ipSum) },
	Martian:      func(r *rig) { r.tunnelled(byteAt(26, 127), ipSum) },
	OuterMAC:     func(r *rig) { r.tunnelled(byteAt(5, 0x77)) },
	UDPLength:    func(r *rig) { r.tunnelled(byteAt(38, 0xff)) },
	UDPChecksum:  func(r *rig) { r.tunnelled(byteAt(40, 0x12)) },
	ZeroChecksum: func(r *rig) { r.deliver(r.wire, r.tunnelled6(nil)) },
	BadFlags:     func(r *rig) { r.tunnelled(byteAt(42, 0)) },
	ReservedBits: func(r *rig) {
		d, t := *r.snap.Domains[0], *r.snap.Domains[0].Tunnel
		t.Reserved = vxlan.Reserved
		d.Tunnel = &t
		r.snap.Domains = []*Domain{&d}
		r.tunnelled(byteAt(43, 1))
	},
	UnknownVNI: func(r *rig) { r.tunnelled(byteAt(48, 1)) },
	RemoteNotAllowed: func(r *rig) {
		d := *r.snap.Domains[0]
		d.Allow = NewAllow([]netip.Prefix{netip.PrefixFrom(third, 32)})
		r.snap.Domains = []*Domain{&d}
		r.publish()
		r.tunnelled()
	},
	ECN: func(r *rig) { r.tunnelled(byteAt(15, 3), ipSum) },

	InnerShort:   func(r *rig) { r.deliver(r.ports[0], make([]byte, 13)) },
	BadSourceMAC: func(r *rig) { r.deliver(r.ports[0], ipFrame(hostB, 0, 1, 0)) },
	LinkLocal:    func(r *rig) { r.deliver(r.ports[0], ipFrame(bridgeGroup, hostA, 1, 0)) },
	OwnMACLoop:   func(r *rig) { r.deliver(r.wire, tunnelled(r.t, remote, 42, 0, ipFrame(bcast, device, 1, 0))) },
	InnerVLAN: func(r *rig) {
		r.rule(0, TagsRefused)
		r.deliver(r.ports[0], tagged(ipFrame(bcast, hostA, 1, 0), 0x8100, 5))
	},
	StaticConflict: func(r *rig) {
		r.pin(hostR, fdb.PortDest(1))
		r.tunnelled()
	},
	MoveFrozen: func(r *rig) {
		r.plane.FDB.SetMoveLimit(0, fdb.MoveLimit{Moves: 1, Within: 10})
		for _, p := range []int{0, 1, 0} {
			r.deliver(r.ports[p], ipFrame(bcast, hostA, 1, 0))
			r.run()
		}
	},

	SamePort: func(r *rig) {
		r.pin(hostB, fdb.PortDest(0))
		r.deliver(r.ports[0], ipFrame(hostB, hostA, 1, 0))
	},
	SplitHorizon: func(r *rig) {
		r.pin(hostA, fdb.RemoteDest(0))
		r.tunnelled()
	},
	Isolated: func(r *rig) {
		r.isolate(0, 1)
		r.pin(hostB, fdb.PortDest(1))
		r.deliver(r.ports[0], ipFrame(hostB, hostA, 1, 0))
	},
	FloodOff: func(r *rig) {
		r.flooding(Flooding{Off: [ClassCount]bool{Broadcast: true}})
		r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
	},
	StormLimit: func(r *rig) {
		r.flooding(Flooding{Limit: [ClassCount]uint32{Broadcast: 1}, Storm: new(Storm)})
		for range 2 {
			r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
		}
	},
	NoTarget: func(r *rig) {
		d := *r.snap.Domains[0]
		d.FloodPorts, d.FloodRemotes = nil, nil
		r.snap.Domains = []*Domain{&d}
		r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
	},
	TooBig: func(r *rig) { r.toRemote(1450) },
	NoRoute: func(r *rig) {
		r.path(0, PathNoRoute)
		r.toRemote(100)
	},
	NoNeighbour: func(r *rig) {
		r.path(0, PathSlow)
		for range slowQueue + 1 {
			r.toRemote(100)
			r.publish()
			r.run()
		}
	},
	PortDown: func(r *rig) {
		r.snap.Underlay = false
		r.toRemote(100)
	},

	TxFull: func(r *rig) {
		for range 200 { // the tx ring holds 128
			r.toRemote(100)
			r.publish()
			r.run()
		}
	},
	LaneFull: func(r *rig) {
		r.pin(hostB, fdb.PortDest(1))
		for range laneSize + 1 {
			r.deliver(r.ports[0], ipFrame(hostB, hostA, 1, 0))
			r.publish()
			for r.worker.Round() > 0 { // the other one rests
			}
		}
	},
	NoFrame: func(r *rig) {
		r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 0))
		r.publish()
		r.worker.adopt(r.plane.Snapshot())
		for _, ok := r.worker.pool.Get(); ok; _, ok = r.worker.pool.Get() {
		}
	},
	NoHeadroom: func(r *rig) {
		k := r.ports[0].kernel
		k.Fill.Peek(1)
		addr := k.Fill.At(0) + vxlan.Overhead - 1
		k.Fill.Release(1)
		f := ipFrame(hostR, hostA, 1, 18)
		copy(r.plane.Memory.Bytes(addr, uint32(len(f))), f)
		r.pin(hostR, fdb.RemoteDest(0))
		k.DeliverDesc(ring.Desc{Addr: addr, Len: uint32(len(f))})
	},
}

func TestEveryVerdict(t *testing.T) {
	for v := Verdict(1); v < verdictCount; v++ {
		t.Run(v.String(), func(t *testing.T) {
			reach := reached[v]
			if reach == nil {
				t.Fatalf("no frame in this test comes to %q: %s", v, v.Sentence())
			}
			workers, owners := 1, []int{0, 0}
			if v == LaneFull {
				workers, owners = 2, []int{0, 1}
			}
			r := newRigWith(t, workers, owners...)
			reach(r)
			r.publish()
			r.run()
			frames, copies := r.verdicts(v)
			if frames+copies == 0 {
				t.Errorf("verdicts %v", r.nonzero())
			}
			checkBalance(t, r)
			if v != NoFrame { // for which the test has taken frames away
				r.account()
			}
		})
	}
}

// checkBalance fails unless every frame received has one verdict, and every drop is on
// the account of the interface that received it and of the one it should have left by.
func checkBalance(t *testing.T, r *rig) {
	t.Helper()
	received, verdicts := uint64(0), uint64(0)
	for _, w := range r.workers {
		received += w.Inject.Packets.Load() + w.Inject6.Packets.Load()
	}
	for _, e := range r.ends() {
		received += e.queue.Stats.RxPackets.Load()
	}
	l := r.ledger()
	for v := Verdict(1); v < verdictCount; v++ {
		frames, copies := r.verdicts(v)
		verdicts += frames
		if !v.Drop() {
			continue
		}
		// Verdicts from TooBig on are given where a frame should leave, InnerVLAN at either place.
		in, out := l.Underlay.Received[v], l.Underlay.Leaving[v]
		for _, p := range l.Ports {
			in, out = in+p.Received[v], out+p.Leaving[v]
		}
		if in != frames && len(r.workers) == 1 {
			t.Errorf("%d frames %v, %d on the accounts of those that received them", frames, v, in)
		}
		if v >= TooBig && out != frames+copies {
			t.Errorf("%d frames and %d copies %v, %d on the accounts of the ways out", frames, copies, v, out)
		}
	}
	if received != verdicts {
		t.Errorf("%d frames received, %d verdicts: %v", received, verdicts, r.nonzero())
	}
}

// ledger is what Plane.Ledger has of running workers.
func (r *rig) ledger() Ledger {
	var sum Ledger
	for _, w := range r.workers {
		c := census{remotes: r.plane.Remotes.count(), done: make(chan struct{})}
		w.tell(&c)
		sum.add(&c.Ledger)
	}
	return sum
}

// pin makes a static entry.
func (r *rig) pin(mac uint64, to fdb.Dest) {
	r.t.Helper()
	must(r.t, r.plane.FDB.Replace(fdb.MakeKey(0, mac), to, fdb.Static, 1))
}

// toRemote has the first port receive a frame to a host behind the remote.
func (r *rig) toRemote(payload int) {
	r.t.Helper()
	r.pin(hostR, fdb.RemoteDest(0))
	r.deliver(r.ports[0], ipFrame(hostR, hostA, 1, payload))
}

// tunnelled has the underlay receive a packet of the remote, changed.
func (r *rig) tunnelled(edits ...func(p []byte) []byte) {
	r.t.Helper()
	p := tunnelled(r.t, remote, 42, 0, ipFrame(hostA, hostR, 1, 20))
	for _, edit := range edits {
		p = edit(p)
	}
	r.deliver(r.wire, p)
}

func cutTo(n int) func(p []byte) []byte { return func(p []byte) []byte { return p[:n] } }

func byteAt(i int, b byte) func(p []byte) []byte {
	return func(p []byte) []byte { p[i] = b; return p }
}

// ipSum makes the checksum of an outer IP header without options right.
func ipSum(p []byte) []byte {
	p[24], p[25] = 0, 0
	binary.BigEndian.PutUint16(p[24:], ^vxlan.Fold(vxlan.Sum(p[14:34], 0)))
	return p
}

// sourceRoute puts that option into the outer IP header.
func sourceRoute(p []byte) []byte {
	p = append(p[:34:34], append([]byte{0x83, 3, 4, 0}, p[34:]...)...)
	p[14] = 0x46
	binary.BigEndian.PutUint16(p[16:], uint16(len(p)-14))
	p[24], p[25] = 0, 0
	binary.BigEndian.PutUint16(p[24:], ^vxlan.Fold(vxlan.Sum(p[14:38], 0)))
	return p
}
