package dataplane

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"vxgw/fdb"
	"vxgw/vxlan"
)

func TestTunnelVerdicts(t *testing.T) {
	inner := ipFrame(hostA, hostR, 1, 20)
	change := func(f func(p []byte) []byte) func(*rig) []byte {
		return func(r *rig) []byte { return f(tunnelled(r.t, remote, 42, 0, inner)) }
	}
	refresh := func(p []byte) []byte { // the outer header checksum
		p[24], p[25] = 0, 0
		binary.BigEndian.PutUint16(p[24:], ^vxlan.Fold(vxlan.Sum(p[14:34], 0)))
		return p
	}
	from := func(addr string) func(*rig) []byte {
		return change(func(p []byte) []byte {
			a := netip.MustParseAddr(addr).As4()
			copy(p[26:], a[:])
			return refresh(p)
		})
	}
	carrying := func(in []byte) func(*rig) []byte {
		return func(r *rig) []byte { return tunnelled(r.t, remote, 42, 0, in) }
	}
	for _, tc := range []struct {
		name  string
		frame func(r *rig) []byte
		want  Verdict
	}{
		{"unknown destination", carrying(inner), Flooded},
		{"broadcast", carrying(ipFrame(bcast, hostR, 1, 0)), Flooded},
		{"truncated", change(func(p []byte) []byte { return p[:49] }), Short},
		{"no IP", change(func(p []byte) []byte { p[12] = 9; return p }), NotIP},
		{"IP length", change(func(p []byte) []byte { p[16] = 0xff; return refresh(p) }), IPLength},
		{"IP checksum", change(func(p []byte) []byte { p[24]++; return p }), IPChecksum},
		{"TTL", change(func(p []byte) []byte { p[22] = 0; return refresh(p) }), TTL},
		{"fragment", change(func(p []byte) []byte { p[20] = 0x20; return refresh(p) }), Fragment},
		{"source route", change(func(p []byte) []byte {
			p = append(p[:34:34], append([]byte{0x83, 3, 4, 0}, p[34:]...)...)
			p[14] = 0x46
			binary.BigEndian.PutUint16(p[16:], uint16(len(p)-14))
			p[24], p[25] = 0, 0
			binary.BigEndian.PutUint16(p[24:], ^vxlan.Fold(vxlan.Sum(p[14:38], 0)))
			return p
		}), IPOptions},
		{"loopback source", from("127.0.0.1"), Martian},
		{"multicast source", from("224.0.0.9"), Martian},
		{"zero source", from("0.0.0.0"), Martian},
		{"broadcast source", from("255.255.255.255"), Martian},
		{"our own source", from("10.0.0.1"), Martian},
		{"another source of our own", from("10.0.0.77"), Martian},
		{"the subnet's broadcast source", from("10.0.0.255"), Martian},
		{"another host's MAC", change(func(p []byte) []byte { putMAC(p, 0x020000000077); return p }), OuterMAC},
		{"a group's MAC", change(func(p []byte) []byte { putMAC(p, 0x01005e010101); return p }), Flooded},
		{"UDP length", change(func(p []byte) []byte { p[38] = 0xff; return p }), UDPLength},
		{"UDP checksum", change(func(p []byte) []byte { p[40], p[41] = 0x12, 0x34; return p }), UDPChecksum},
		{"no I flag", change(func(p []byte) []byte { p[42] = 0; return p }), BadFlags},
		{"reserved bits", change(func(p []byte) []byte { p[42], p[43], p[49] = 0xff, 0xff, 0xff; return p }), Flooded},
		{"another VNI", func(r *rig) []byte { return tunnelled(r.t, remote, 43, 0, inner) }, UnknownVNI},
		{"congestion on Not-ECT", func(r *rig) []byte { return tunnelled(r.t, remote, 42, 3, inner) }, ECN},
		{"inner runt", carrying(inner[:13]), InnerShort},
		{"empty", carrying(nil), InnerShort},
		{"zero inner source", carrying(ipFrame(hostA, 0, 1, 0)), BadSourceMAC},
		{"multicast inner source", carrying(ipFrame(hostA, bcast, 1, 0)), BadSourceMAC},
		{"link-local", carrying(ipFrame(bridgeGroup, hostR, 1, 0)), LinkLocal},
		{"our own device's MAC", carrying(ipFrame(bcast, device, 1, 0)), OwnMACLoop},
		{"behind a tunnel", carrying(ipFrame(0x020000000008, hostR, 1, 0)), SplitHorizon},
		{"pinned source", carrying(ipFrame(hostA, 0x020000000007, 1, 0)), StaticConflict},
		{"known", carrying(ipFrame(hostB, hostR, 1, 0)), ToPort},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 2)
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, 0x020000000008), fdb.RemoteDest(0), fdb.Static, 1))
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, 0x020000000007), fdb.PortDest(1), fdb.Static, 1))
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(1), fdb.Static, 1))
			r.deliver(r.wire, tc.frame(r))
			r.run()
			if n, _ := r.verdicts(tc.want); n != 1 {
				t.Errorf("no verdict %v: %v", tc.want, r.nonzero())
			}
			if len(r.take(r.wire)) != 0 {
				t.Error("a frame from a tunnel went into a tunnel")
			}
			r.run()
			r.account()
		})
	}
}

// What a tunnel delivers is the inner frame as it was, without the padding of a
// short outer packet, and its sender is learned behind the remote.
func TestTunnelToPort(t *testing.T) {
	r := newRig(t, 1)
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
	inner := ipFrame(hostA, hostR, 1, 18)
	vxlan.Mend(inner, parsed(t, inner))
	pkt := append(tunnelled(t, remote, 42, 0, inner), 1, 2, 3, 4)
	r.deliver(r.wire, pkt)
	r.run()
	got := r.take(r.ports[0])
	if len(got) != 1 || !bytes.Equal(got[0].data, inner) {
		t.Fatalf("the port got %x, want %x", got, inner)
	}
	if v := r.plane.FDB.Lookup(fdb.MakeKey(0, hostR)); !v.Found() || v.Dest() != fdb.RemoteDest(0) {
		t.Errorf("the sender was learned as %v", v)
	}
}

// An outer UDP checksum is right if it is so for the packet as it came, or once an
// inner checksum that was left unfinished is complete. The port gets it complete.
func TestTunnelUnfinished(t *testing.T) {
	unfinished := ipFrame(hostA, hostR, 1, 18)
	binary.BigEndian.PutUint16(unfinished[40:], vxlan.Fold(vxlan.Sum(unfinished[26:34], 17+26)))
	complete := bytes.Clone(unfinished)
	if !vxlan.Mend(complete, parsed(t, complete)) {
		t.Fatal("the inner checksum is not unfinished")
	}
	meant := tunnelled(t, remote, 42, 0, complete)
	vxlan.PutChecksum(meant)
	copy(meant[vxlan.Overhead:], unfinished)
	asItIs := tunnelled(t, remote, 42, 0, unfinished)
	vxlan.PutChecksum(asItIs)
	wrong := bytes.Clone(asItIs)
	wrong[40]++
	for _, tc := range []struct {
		name string
		pkt  []byte
		want Verdict
	}{
		{"by a kernel that leaves both to a card", meant, ToPort},
		{"by a card that knows the outer headers", asItIs, ToPort},
		{"wrong either way", wrong, UDPChecksum},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, 1)
			must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostA), fdb.PortDest(0), fdb.Static, 1))
			r.deliver(r.wire, bytes.Clone(tc.pkt))
			r.run()
			if n, _ := r.verdicts(tc.want); n != 1 {
				t.Errorf("no verdict %v: %v", tc.want, r.nonzero())
			}
			for _, got := range r.take(r.ports[0]) {
				if !bytes.Equal(got.data, complete) {
					t.Errorf("the port got %x, want %x", got.data, complete)
				}
			}
		})
	}
}

// A congestion mark on the outer packet arrives on the inner one.
func TestTunnelECN(t *testing.T) {
	r := newRig(t, 1)
	inner := ipFrame(bcast, hostR, 1, 18)
	inner[15] = 2 // ECT(0)
	inner[24], inner[25] = 0, 0
	binary.BigEndian.PutUint16(inner[24:], ^vxlan.Fold(vxlan.Sum(inner[14:34], 0)))
	r.deliver(r.wire, tunnelled(t, remote, 42, 3, inner))
	r.run()
	got := r.take(r.ports[0])
	if len(got) != 1 {
		t.Fatal("nothing came")
	}
	if ip := got[0].data[14:34]; ip[1] != 3 || vxlan.Fold(vxlan.Sum(ip, 0)) != 0xffff {
		t.Errorf("inner header % x", ip)
	}
}

// A VTEP that speaks first is known at once: the answer goes to it alone, by way
// of the kernel, which finds its next hop.
func TestStranger(t *testing.T) {
	r := newRig(t, 1)
	r.snap.Domains[0].FloodRemotes = nil
	r.publish()
	r.deliver(r.wire, tunnelled(t, third, 42, 0, ipFrame(bcast, hostR, 1, 18)))
	r.run()
	r.deliver(r.ports[0], ipFrame(hostR, hostA, 1, 18))
	r.run()
	out := &recorder{}
	r.runSlow(out)
	if len(out.packets) != 1 || !bytes.Equal(out.packets[0][16:20], []byte{10, 0, 0, 3}) {
		t.Fatalf("the answer went to %x", out.packets)
	}
	select {
	case <-r.plane.Remotes.Fresh():
	default:
		t.Error("the control side was not told")
	}
	r.run()
	r.account()
}

// Strangers beyond what the table holds are served but not learned.
func TestStrangersBounded(t *testing.T) {
	r := newRig(t, 1)
	for i := range 200 {
		a := netip.AddrFrom4([4]byte{10, 1, 0, byte(i + 1)})
		r.deliver(r.wire, tunnelled(t, a, 42, 0, ipFrame(bcast, 0x020000010000+uint64(i), 1, 18)))
		r.run()
		r.take(r.ports[0])
	}
	r.run()
	if n := r.worker.Counters.Unnumbered.Load(); n != 200-63 { // 64 less the configured remote
		t.Errorf("%d packets of unnumbered strangers, want 137", n)
	}
	if n, _ := r.verdicts(Flooded); n != 200 {
		t.Errorf("%d frames flooded, want 200", n)
	}
	if n := r.plane.FDB.Len(); n != 63 {
		t.Errorf("%d entries learned, want 63", n)
	}
	must(t, r.plane.FDB.Add(fdb.MakeKey(0, hostB), fdb.PortDest(0), fdb.Static, 1))
	r.deliver(r.wire, tunnelled(t, netip.MustParseAddr("10.2.0.1"), 42, 0, ipFrame(bcast, hostB, 1, 18)))
	r.run()
	if n, _ := r.verdicts(StaticConflict); n != 1 {
		t.Error("a stranger without a number used a pinned address")
	}
	r.account()
}

// Without learning nothing is learned and nobody gets a number.
func TestNoLearning(t *testing.T) {
	r := newRig(t, 1)
	r.snap.Domains[0].Learning = false
	r.publish()
	r.deliver(r.wire, tunnelled(t, third, 42, 0, ipFrame(bcast, hostR, 1, 18)))
	r.deliver(r.ports[0], ipFrame(bcast, hostA, 1, 18))
	r.run()
	if n := r.plane.FDB.Len(); n != 0 {
		t.Errorf("%d entries learned", n)
	}
	if _, ok := r.plane.Remotes.Find(third); ok {
		t.Error("the stranger has a number")
	}
}

func parsed(t testing.TB, frame []byte) *vxlan.Inner {
	t.Helper()
	var in vxlan.Inner
	if f := vxlan.ParseInner(frame, &in); f != vxlan.OK {
		t.Fatal(f)
	}
	return &in
}
