package dataplane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// tagged puts a tag into a frame.
func tagged(frame []byte, tpid, tci uint16) []byte {
	return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(bytes.Clone(frame[:12]), tpid), tci), frame[12:]...)
}

// rule gives a port of the rig's a rule for tags, from the next publish on.
func (r *rig) rule(port int, rule TagRule) {
	p := *r.snap.Ports[port]
	p.Tagging, p.Exit = &Tagging{Rule: rule}, TagExit{Bare: true}
	r.snap.Ports = append([]*Port(nil), r.snap.Ports...)
	r.snap.Ports[port] = &p
}

// domains makes VNIs 42, 43 and so on of the rig's first one.
func (r *rig) domains(n int) {
	all := make([]*Domain, n)
	for i := range all {
		d := *r.snap.Domains[0]
		d.Index, d.VNI, d.FloodPorts = uint16(i), 42+uint32(i), nil
		all[i] = &d
	}
	r.snap.Domains = all
}

// join adds a port to the domain that it is of.
func (r *rig) join(p *Port) {
	r.snap.Ports = append(r.snap.Ports, p)
	d := r.snap.Domains[p.Domain]
	d.FloodPorts = append(d.FloodPorts, p.Index)
	if !p.Isolated {
		d.OpenPorts = append(d.OpenPorts, p.Index)
	}
}

// vlans are those of the rigs below: by VNI from 42 on. 0 is the native one.
var vlans = []uint16{100, 200, 0}

// newTrunkRig has an access port in VNI 42 and a trunk whose VLANs are VNI 42 and those
// behind it. The trunk's queue is the last worker's.
func newTrunkRig(t testing.TB, workers int, tpid uint16) *rig {
	r := newRigWith(t, workers, 0, workers-1)
	access, trunk := *r.snap.Ports[0], *r.snap.Ports[1]
	r.snap.Ports = nil
	r.domains(len(vlans))
	access.Isolated = true
	r.join(&access)
	trunk.Domain, trunk.Isolated, trunk.Tagging = NoDomain, true, &Tagging{Rule: TagsMapped, TPID: tpid}
	r.snap.Ports = append(r.snap.Ports, &trunk)
	for i, id := range vlans {
		p := &Port{Index: 2 + uint32(i), Domain: uint16(i), MTU: trunk.MTU, Up: true, Isolated: i == 0, Account: 1,
			Exit: TagExit{Member: true, Trunk: 1, Tag: uint32(tpid)<<16 | uint32(id)}}
		if id == 0 {
			p.Exit.Tag, p.Exit.Bare = 0, true
		}
		trunk.Tagging.VLAN[id] = VLAN{Port: p.Index, Domain: p.Domain, Mapped: true}
		r.join(p)
	}
	r.publish()
	return r
}

// newTwinRig is the same with a port in the place of each of the trunk's VLANs.
func newTwinRig(t *testing.T, workers int) *rig {
	r := newRigWith(t, workers, 0, workers-1, workers-1, workers-1)
	ports := r.snap.Ports
	r.snap.Ports = nil
	r.domains(len(vlans))
	for i, p := range ports {
		p := *p
		p.Domain, p.Isolated = uint16(max(i-1, 0)), i <= 1
		r.join(&p)
	}
	r.publish()
	return r
}

// A trunk does what as many ports without tags would do, and its frames have the tags of
// their VLANs: random traffic through both, in which every byte that leaves is compared.
func TestTrunkIsPorts(t *testing.T) {
	for _, workers := range []int{1, 2} {
		for _, tpid := range []uint16{0x8100, 0x88a8} {
			t.Run(fmt.Sprintf("%d workers, %#x", workers, tpid), func(t *testing.T) {
				trunk, twin := newTrunkRig(t, workers, tpid), newTwinRig(t, workers)
				rnd := rand.New(rand.NewPCG(uint64(workers), uint64(tpid)))
				macs := []uint64{bcast, bridgeGroup, 0, hostA, hostB, hostR, 0x020000000031, 0x020000000032, 0x020000000033}
				const full = 1472 // such a frame has no room for a second tag
				for step := range 6000 {
					size := []int{0, 1, 18, 200, full, full + 5, 1500}[rnd.IntN(7)]
					if rnd.IntN(200) == 0 {
						for _, r := range []*rig{trunk, twin} {
							r.plane.FDB.FlushIf(func(fdb.Key, fdb.Value) bool { return true })
						}
					}
					in := ipFrame(macs[rnd.IntN(len(macs))], macs[rnd.IntN(len(macs))], uint16(rnd.Uint32()), size)
					switch i := rnd.IntN(len(vlans)); rnd.IntN(3) {
					case 0:
						trunk.deliver(trunk.ports[0], in)
						twin.deliver(twin.ports[0], in)
					case 1:
						if vlans[i] != 0 && size != full && rnd.IntN(4) == 0 {
							in = tagged(in, []uint16{0x8100, 0x88a8}[rnd.IntN(2)], uint16(rnd.Uint32()))
						}
						twin.deliver(twin.ports[1+i], in)
						if vlans[i] != 0 || rnd.IntN(2) == 0 {
							in = tagged(in, tpid, vlans[i]|uint16(rnd.IntN(16))<<12) // of any priority
						}
						trunk.deliver(trunk.ports[1], in)
					case 2:
						if vlans[i] != 0 && size != full && rnd.IntN(4) == 0 {
							in = tagged(in, 0x8100, uint16(rnd.Uint32()))
						}
						out := tunnelled(t, remote, 42+uint32(i), uint8(rnd.IntN(4)), in)
						trunk.deliver(trunk.wire, out)
						twin.deliver(twin.wire, out)
					}
					trunk.run()
					twin.run()
					compareTrunk(t, step, tpid, trunk, twin)
					if t.Failed() {
						return
					}
				}
				for _, r := range []*rig{trunk, twin} {
					r.run()
					checkBalance(t, r)
					r.account()
				}
				for v := Verdict(1); v < verdictCount; v++ {
					a, b := trunk.verdicts(v)
					c, d := twin.verdicts(v)
					if a != c || b != d {
						t.Errorf("%v: %d frames and %d copies through the trunk, %d and %d through ports", v, a, b, c, d)
					}
				}
				for _, v := range []Verdict{ToPort, ToRemote, Flooded, TooBig, Isolated, SamePort, LinkLocal, BadSourceMAC, SplitHorizon} {
					if n, _ := trunk.verdicts(v); n == 0 {
						t.Errorf("no frame came to %v", v)
					}
				}
				if answers := trunk.workers[workers-1].Counters.Answers.Load(); answers == 0 {
					t.Error("nobody behind the trunk was told that a frame is too big")
				}
				a, b := trunk.ledger(), twin.ledger()
				for i := range vlans {
					if a.Domains[i] != b.Domains[i] {
						t.Errorf("vni %d: %+v with the trunk, %+v with ports", 42+i, a.Domains[i], b.Domains[i])
					}
				}
				if n := len(a.Ports); n != 2 {
					t.Errorf("%d accounts for two interfaces", n)
				}
			})
		}
	}
}

// compareTrunk compares what has left.
func compareTrunk(t *testing.T, step int, tpid uint16, trunk, twin *rig) {
	t.Helper()
	same := func(where string, got, want []taken) {
		t.Helper()
		if len(got) != len(want) {
			t.Errorf("step %d: %d frames at %s, want %d", step, len(got), where, len(want))
			return
		}
		for i := range got {
			if !bytes.Equal(got[i].data, want[i].data) {
				t.Errorf("step %d: at %s left\n% x, want\n% x", step, where, got[i].data, want[i].data)
			}
		}
	}
	same("the underlay", trunk.take(trunk.wire), twin.take(twin.wire))
	same("the access port", trunk.take(trunk.ports[0]), twin.take(twin.ports[0]))
	byVLAN := map[uint16][]taken{}
	for _, f := range trunk.take(trunk.ports[1]) {
		id := uint16(0)
		if binary.BigEndian.Uint16(f.data[12:]) == tpid {
			id = binary.BigEndian.Uint16(f.data[14:])
			f.data = append(f.data[:12], f.data[16:]...)
		}
		byVLAN[id] = append(byVLAN[id], f)
	}
	for i, id := range vlans {
		same(fmt.Sprintf("VLAN %d", id), byVLAN[id], twin.take(twin.ports[1+i]))
		delete(byVLAN, id)
	}
	for id, frames := range byVLAN {
		t.Errorf("step %d: %d frames left with VLAN %d", step, len(frames), id)
	}
}

// What is of none of a trunk's VLANs is dropped, in a batch with what is: on the trunk's
// account, and on no VNI's.
func TestTrunkDrops(t *testing.T) {
	r := newTrunkRig(t, 1, 0x8100)
	plain := ipFrame(bcast, hostA, 7, 40)
	for _, f := range [][]byte{
		tagged(plain, 0x8100, 101), tagged(plain, 0x8100, 4095), tagged(plain, 0x8100, 0x7000|300), // no such VLAN
		tagged(plain, 0x88a8, 100),                                                                   // another kind of tag
		tagged(tagged(plain, 0x8100, 200), 0x8100, 0), tagged(tagged(plain, 0x88a8, 200), 0x8100, 0), // VLANs that come as the native one
	} {
		r.deliver(r.ports[1], f)
		r.deliver(r.ports[1], tagged(plain, 0x8100, 100))
	}
	for _, n := range []int{13, 15, 17} { // in its header, and in a tag
		r.deliver(r.ports[1], tagged(plain, 0x8100, 100)[:n])
	}
	// Out of the native VLAN nothing goes that would be another VLAN's.
	r.deliver(r.wire, tunnelled(t, remote, 44, 0, tagged(plain, 0x8100, 200)))
	r.deliver(r.wire, tunnelled(t, remote, 44, 0, tagged(plain, 0x88a8, 200)))
	r.run()
	in, _ := r.verdicts(InnerVLAN)
	if _, copies := r.verdicts(InnerVLAN); in != 6 || copies != 2 {
		t.Errorf("%d frames and %d copies dropped for their tags, want 6 and 2; verdicts %v", in, copies, r.nonzero())
	}
	if short, _ := r.verdicts(InnerShort); short != 3 {
		t.Errorf("verdicts %v, want 3 short ones", r.nonzero())
	}
	for _, f := range r.take(r.ports[1]) {
		t.Errorf("the trunk sent % x", f.data[:20])
	}
	if n := len(r.take(r.wire)); n != 6 {
		t.Errorf("%d frames of VLAN 100 came through, want 6", n)
	}
	l := r.ledger()
	if d := l.Ports[1]; d.Received[InnerVLAN] != 6 || d.Leaving[InnerVLAN] != 2 {
		t.Errorf("on the trunk's account: %d received, %d leaving", d.Received[InnerVLAN], d.Leaving[InnerVLAN])
	}
	for i, d := range l.Dropped {
		if d.Frames != 0 {
			t.Errorf("vni %d: %d drops", 42+i, d.Frames)
		}
	}
	r.account()
}

// A port without VLANs of its own takes tags off and lets none out, or none in and out.
func TestTagRules(t *testing.T) {
	plain := ipFrame(hostR, hostA, 7, 40)
	single, double := tagged(plain, 0x8100, 5), tagged(tagged(plain, 0x8100, 5), 0x88a8, 6)
	for _, c := range []struct {
		name string
		rule TagRule
		in   map[string][]byte // to the tunnel, by what comes in
	}{
		{"off", TagsOff, map[string][]byte{string(plain): plain, string(single): plain, string(double): single}},
		{"refused", TagsRefused, map[string][]byte{string(plain): plain, string(single): nil, string(double): nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 2)
			r.rule(0, c.rule)
			r.publish()
			for in, want := range c.in {
				r.deliver(r.ports[0], []byte(in))
				r.run()
				got := r.take(r.wire)
				if want == nil && len(got) == 0 {
					continue
				}
				if len(got) != 1 || !bytes.Equal(got[0].data[vxlan.Overhead:], want) {
					t.Errorf("% x: the tunnel got %d frames", in[:24], len(got))
				}
			}
			r.take(r.ports[1])
			r.pin(hostB, fdb.PortDest(0))
			out := ipFrame(hostB, hostR, 7, 40)
			for _, f := range [][]byte{out, tagged(out, 0x8100, 5), tagged(out, 0x88a8, 5), tagged(out, 0x8100, 0)} {
				r.deliver(r.wire, tunnelled(t, remote, 42, 0, f))
				r.deliver(r.ports[1], f)
			}
			r.run()
			got := r.take(r.ports[0])
			if len(got) != 2 || !bytes.Equal(got[0].data, out) || !bytes.Equal(got[1].data, out) {
				t.Errorf("%d frames left by the port, want the two without a tag", len(got))
			}
			if l := r.ledger(); l.Ports[0].Leaving[InnerVLAN] != 6 {
				t.Errorf("%d frames with a tag could not leave, want 6", l.Ports[0].Leaving[InnerVLAN])
			}
			checkBalance(t, r)
			r.account()
		})
	}
}

// No path of a trunk allocates.
func TestTrunkAllocations(t *testing.T) {
	r := newTrunkRig(t, 1, 0x8100)
	must(t, r.plane.FDB.Add(fdb.MakeKey(1, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	must(t, r.plane.FDB.Add(fdb.MakeKey(1, hostA), fdb.PortDest(3), fdb.Static, 1))
	for name, tc := range map[string]struct {
		to    end
		frame []byte
		want  Verdict
	}{
		"in":      {r.ports[1], tagged(ipFrame(hostR, hostB, 1, 18), 0x8100, 200), ToRemote},
		"out":     {r.wire, tunnelled(t, remote, 43, 0, ipFrame(hostA, hostR, 1, 18)), ToPort},
		"flood":   {r.wire, tunnelled(t, remote, 43, 0, ipFrame(bcast, hostR, 1, 18)), Flooded},
		"drop":    {r.ports[1], tagged(ipFrame(hostR, hostB, 1, 18), 0x8100, 201), InnerVLAN},
		"too big": {r.ports[1], tagged(ipFrame(hostR, hostB, 1, 1472), 0x8100, 200), TooBig},
	} {
		before, _ := r.verdicts(tc.want)
		none, ends := func(uint64, []byte) {}, r.ends()
		if allocs := testing.AllocsPerRun(200, func() {
			tc.to.kernel.Deliver(tc.frame)
			r.run()
			for _, e := range ends {
				e.kernel.Take(none)
			}
			r.run()
		}); allocs != 0 {
			t.Errorf("%s: %v allocations per frame", name, allocs)
		}
		if after, _ := r.verdicts(tc.want); after != before+201 {
			t.Errorf("%s: %d frames %v, want 201", name, after-before, tc.want)
		}
	}
}

// A tag needs room in front of the frame.
func TestTagNoHeadroom(t *testing.T) {
	r := newTrunkRig(t, 1, 0x8100)
	r.pin(hostB, fdb.PortDest(2))
	open := *r.snap.Ports[0]
	open.Isolated = false
	r.snap.Ports[0] = &open
	r.publish()
	k := r.ports[0].kernel
	k.Fill.Peek(1)
	addr := k.Fill.At(0)
	k.Fill.Release(1)
	f := ipFrame(hostB, hostA, 1, 18)
	copy(r.plane.Memory.Bytes(addr+3, uint32(len(f))), f)
	k.DeliverDesc(descOf(addr+3, f))
	r.run()
	if n, _ := r.verdicts(NoHeadroom); n != 1 || len(r.take(r.ports[1])) != 0 {
		t.Errorf("verdicts %v", r.nonzero())
	}
	r.account()
}

// A frame that got its tag and finds the ring full is dropped, on the trunk's account.
func TestTrunkFull(t *testing.T) {
	r := newTrunkRig(t, 1, 0x8100)
	must(t, r.plane.FDB.Replace(fdb.MakeKey(1, hostR), fdb.RemoteDest(0), fdb.Learned, 1))
	must(t, r.plane.FDB.Replace(fdb.MakeKey(1, hostA), fdb.PortDest(3), fdb.Learned, 1))
	const frames = 200 // the tx ring holds 128
	for range frames {
		r.deliver(r.wire, tunnelled(t, remote, 43, 0, ipFrame(hostA, hostR, 1, 18)))
		r.publish()
		r.run()
	}
	out, _ := r.verdicts(ToPort)
	full, _ := r.verdicts(TxFull)
	if out+full != frames || full == 0 || r.ledger().Ports[1].Leaving[TxFull] != full {
		t.Errorf("verdicts %v", r.nonzero())
	}
	if n := len(r.take(r.ports[1])); n != int(out) {
		t.Errorf("%d frames left, want %d", n, out)
	}
	checkBalance(t, r)
	r.account()
}

func descOf(addr uint64, frame []byte) ring.Desc {
	return ring.Desc{Addr: addr, Len: uint32(len(frame))}
}
