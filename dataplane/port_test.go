package dataplane

import (
	"bytes"
	"testing"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// What is known goes one way only, in the same frame, behind the right headers.
func TestPortToRemote(t *testing.T) {
	r := newRig(t, 1)
	key := fdb.MakeKey(0, hostR)
	must(t, r.plane.FDB.Add(key, fdb.RemoteDest(0), fdb.Static, 1))
	frame := ipFrame(hostR, hostA, 1000, 18)
	r.deliver(r.ports[0], frame)
	r.run()
	sent := r.take(r.wire)
	if len(sent) != 1 {
		t.Fatalf("%d packets on the underlay, want 1", len(sent))
	}
	var o vxlan.Outer
	if f := vxlan.ParseOuter(sent[0].data, &o); f != vxlan.OK {
		t.Fatalf("outer headers: %v", f)
	}
	if o.VNI != 42 || o.Src.Netip() != local || o.Dst.Netip() != remote || o.DstMAC != peerMAC || o.SrcPort < 49152 {
		t.Errorf("outer headers say %+v", o)
	}
	if !bytes.Equal(sent[0].data[o.HeaderLen:o.Len], frame) && !bytes.Equal(sent[0].data[o.HeaderLen:][:40], frame[:40]) {
		t.Error("the inner frame changed")
	}
	if v := r.plane.FDB.Lookup(fdb.MakeKey(0, hostA)); v.Dest() != fdb.PortDest(0) || !v.Found() {
		t.Errorf("the sender was not learned: %v", v)
	}
	if n, _ := r.verdicts(ToRemote); n != 1 {
		t.Errorf("%d verdicts to_remote", n)
	}
}

// The memory of a frame is the same at rx and at tx, both ways and from port to
// port: nothing is copied in user space.
func TestNoCopy(t *testing.T) {
	r := newRig(t, 2)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
	inbound := tunnelled(t, remote, 42, 0, ipFrame(hostA, hostR, 1, 100))
	for _, tc := range []struct {
		name     string
		from, to end
		frame    []byte
		moved    int64 // from the first byte received to the first byte sent
	}{
		{"encap", r.ports[0], r.wire, ipFrame(hostR, hostA, 1, 100), -vxlan.Overhead},
		{"decap", r.wire, r.ports[0], inbound, vxlan.Overhead},
		{"bridge", r.ports[0], r.ports[1], ipFrame(hostB, hostA, 1, 100), 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.from.kernel.Fill.Peek(1) == 0 {
				t.Fatal("no frame to receive into")
			}
			in := tc.from.kernel.Fill.At(0)
			r.deliver(tc.from, tc.frame)
			r.run()
			sent := r.take(tc.to)
			if len(sent) != 1 {
				t.Fatalf("%d frames sent", len(sent))
			}
			mem := r.plane.Memory
			if mem.Frame(sent[0].addr) != mem.Frame(in) {
				t.Errorf("received in frame %d, sent from frame %d", mem.Frame(in), mem.Frame(sent[0].addr))
			}
			if moved := int64(sent[0].addr) - int64(in) - 256; moved != tc.moved {
				t.Errorf("first byte moved by %d, want %d", moved, tc.moved)
			}
			r.run()
		})
	}
}

func TestPortVerdicts(t *testing.T) {
	for _, tc := range []struct {
		name  string
		setup func(r *rig)
		frame []byte
		want  Verdict
	}{
		{"runt", nil, make([]byte, 13), InnerShort},
		{"multicast source", nil, ipFrame(hostR, bcast, 1, 0), BadSourceMAC},
		{"zero source", nil, ipFrame(hostR, 0, 1, 0), BadSourceMAC},
		{"link-local destination", nil, ipFrame(bridgeGroup|2, hostA, 1, 0), LinkLocal},
		{"broadcast", nil, ipFrame(bcast, hostA, 1, 0), Flooded},
		{"unknown unicast", nil, ipFrame(hostR, hostA, 1, 0), Flooded},
		{"to itself", nil, ipFrame(hostA, hostA, 1, 0), Flooded}, // the look-up came before the learning
		{"behind the same port", func(r *rig) {
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(0), fdb.Static, 1))
		}, ipFrame(hostB, hostA, 1, 0), SamePort},
		{"nowhere to flood", func(r *rig) { r.snap.Domains[0].FloodRemotes = nil }, ipFrame(bcast, hostA, 1, 0), NoTarget},
		{"too big for the route", func(r *rig) {
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
		}, ipFrame(hostR, hostA, 1, 1450-28+1), TooBig},
		{"as big as the route allows", func(r *rig) {
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
		}, ipFrame(hostR, hostA, 1, 1450-28), ToRemote},
		{"no route", func(r *rig) {
			r.path(0, PathNoRoute)
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
		}, ipFrame(hostR, hostA, 1, 0), NoRoute},
		{"underlay down", func(r *rig) {
			r.snap.Underlay = false
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
		}, ipFrame(hostR, hostA, 1, 0), PortDown},
		{"unresolved next hop", func(r *rig) {
			r.path(0, PathSlow)
			must(r.t, r.plane.FDB.Add(fdb.MakeKey(0, hostR), fdb.RemoteDest(0), fdb.Static, 1))
		}, ipFrame(hostR, hostA, 1, 0), ToKernel},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 1)
			if tc.setup != nil {
				tc.setup(r)
				r.publish()
			}
			r.deliver(r.ports[0], tc.frame)
			r.run()
			if n, _ := r.verdicts(tc.want); n != 1 {
				t.Errorf("no verdict %v: %v", tc.want, r.nonzero())
			}
			r.account()
		})
	}
}

// nonzero lists the verdicts that were given.
func (r *rig) nonzero() map[string]uint64 {
	out := map[string]uint64{}
	for v := range VerdictCount {
		if n := r.worker.Counters.Verdicts[v].Load(); n > 0 {
			out[Verdict(v).String()] = n
		}
	}
	return out
}

// Flooding reaches every other port and every remote once, with the same bytes.
func TestFlood(t *testing.T) {
	r := newRig(t, 3)
	n, err := r.plane.Remotes.Add(third)
	must(t, err)
	r.snap.Domains[0].FloodRemotes = append(r.snap.Domains[0].FloodRemotes, n)
	r.path(n, PathDirect)
	r.publish()
	frame := ipFrame(bcast, hostA, 5, 60)
	r.deliver(r.ports[0], frame)
	r.run()
	if got := r.take(r.ports[0]); len(got) != 0 {
		t.Error("the frame came back to its port")
	}
	for i := 1; i < 3; i++ {
		if got := r.take(r.ports[i]); len(got) != 1 || !bytes.Equal(got[0].data[:40], frame[:40]) {
			t.Errorf("port %d got %d frames", i, len(got))
		}
	}
	dsts := map[vxlan.Addr]int{}
	for _, p := range r.take(r.wire) {
		var o vxlan.Outer
		if f := vxlan.ParseOuter(p.data, &o); f != vxlan.OK {
			t.Fatal(f)
		}
		dsts[o.Dst]++
		if !bytes.Equal(p.data[o.HeaderLen:][:40], frame[:40]) {
			t.Error("a remote got other bytes")
		}
	}
	if dsts[vxlan.AddrOf(remote)] != 1 || dsts[vxlan.AddrOf(third)] != 1 || len(dsts) != 2 {
		t.Errorf("flooded to %x", dsts)
	}
	if frames, _ := r.verdicts(Flooded); frames != 1 {
		t.Errorf("%d frames flooded", frames)
	}
	_, toPort := r.verdicts(ToPort)
	_, toRemote := r.verdicts(ToRemote)
	if toPort != 2 || toRemote != 2 {
		t.Errorf("%d copies to ports, %d to remotes, want 2 and 2", toPort, toRemote)
	}
	r.run()
	r.account()
}
