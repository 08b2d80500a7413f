package dataplane

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// six6 makes remote6 the one remote that the rig's domain floods to, and returns its number.
func (r *rig) six(state PathState) uint32 {
	r.t.Helper()
	n, err := r.plane.Remotes.Add(remote6)
	must(r.t, err)
	r.path(n, state)
	r.snap.Domains[0].FloodRemotes = []uint32{n}
	r.publish()
	return n
}

// tunnelled6 is a packet of remote6, changed and with a UDP checksum if change is not nil.
func (r *rig) tunnelled6(change func(p []byte)) []byte {
	return packet6(r.t, remote6, local6, ipFrame(hostA, hostR, 1, 20), change)
}

func packet6(t testing.TB, src, dst netip.Addr, inner []byte, change func(p []byte)) []byte {
	t.Helper()
	h, err := vxlan.NewHeaders(vxlan.TemplateConfig{
		SrcMAC: macBytes(peerMAC), DstMAC: macBytes(ourMAC), Src: src, Dst: dst, DstPort: vxlan.Port, TTL: 64, InheritTOS: true,
	})
	must(t, err)
	p := append(make([]byte, h.Len()), inner...)
	h.Put(p, 42, 0, 0)
	if change != nil {
		h.PutChecksum(p)
		change(p)
	}
	return p
}

func TestTunnel6Verdicts(t *testing.T) {
	from := func(addr string) []byte {
		return packet6(t, netip.MustParseAddr(addr), local6, ipFrame(hostA, hostR, 1, 20), func([]byte) {})
	}
	change := func(f func(p []byte)) []byte {
		return packet6(t, remote6, local6, ipFrame(hostA, hostR, 1, 20), f)
	}
	for _, tc := range []struct {
		name   string
		packet []byte
		want   Verdict
	}{
		{"good", change(func([]byte) {}), ToPort},
		{"link-local", from("fe80::2"), ToPort},
		{"no UDP checksum", change(func(p []byte) { p[60], p[61] = 0, 0 }), ZeroChecksum},
		{"wrong UDP checksum", change(func(p []byte) { p[60]++ }), UDPChecksum},
		{"hop limit 0", change(func(p []byte) { p[21] = 0 }), ToPort},
		{"cut", change(func([]byte) {})[:69], Short},
		{"payload length", change(func(p []byte) { p[18] = 0xff }), IPLength},
		{"fragment", change(func(p []byte) { p[20] = 44 }), Fragment},
		{"hop-by-hop options", change(func(p []byte) { p[20] = 0 }), NotIP},
		{"loopback source", change(func(p []byte) { copy(p[22:38], netip.IPv6Loopback().AsSlice()) }), Martian},
		{"zero source", change(func(p []byte) { clear(p[22:38]) }), Martian},
		{"multicast source", change(func(p []byte) { p[22] = 0xff }), Martian},
		{"mapped source", change(func(p []byte) { copy(p[22:34], []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}) }), Martian},
		{"our own source", from("2001:db8::1"), Martian},
		{"another source of our own", from("2001:db8::77"), Martian},
		{"another host's MAC", change(func(p []byte) { p[5] = 0x77 }), OuterMAC},
		{"a group's MAC", change(func(p []byte) { copy(p, []byte{0x33, 0x33, 0, 0, 0, 1}) }), ToPort},
		{"UDP length", change(func(p []byte) { p[58] = 0xff }), UDPLength},
		{"no I flag", change(func(p []byte) { p[62] = 0 }), BadFlags},
		{"another VNI", change(func(p []byte) { p[68] = 43 }), UnknownVNI},
	} {
		for _, injected := range []bool{false, true} {
			if injected && (tc.want == OuterMAC || tc.name == "cut") {
				continue
			}
			t.Run(fmt.Sprintf("%s/injected=%v", tc.name, injected), func(t *testing.T) {
				r := newRig(t, 1)
				r.snap.Martians = append(r.snap.Martians, vxlan.AddrOf(netip.MustParseAddr("2001:db8::77")))
				r.publish()
				r.pin(hostA, fdb.PortDest(0))
				if injected {
					r.injectBy(r.worker.Inject6, tc.packet)
				} else {
					r.deliver(r.wire, tc.packet)
				}
				r.run()
				r.wantVerdict(tc.want, 1)
				if n := len(r.take(r.ports[0])); (n == 1) != (tc.want == ToPort) {
					t.Errorf("%d frames came out", n)
				}
				r.run()
				r.account()
			})
		}
	}
}

// A checksum that a veth's sender left unfinished is right, and zero is where it was asked for.
func TestTunnel6Checksums(t *testing.T) {
	r := newRig(t, 1)
	r.pin(hostA, fdb.PortDest(0))
	r.snap.Domains[0].Tunnel.ZeroChecksumRx = true
	r.publish()
	r.deliver(r.wire, r.tunnelled6(nil))
	r.deliver(r.wire, r.tunnelled6(func(p []byte) {
		p[60], p[61] = 0, 0
		sum := vxlan.Fold(vxlan.Sum(p[22:54], 17+uint64(len(p)-54)))
		p[60], p[61] = byte(sum>>8), byte(sum)
	}))
	r.run()
	r.wantVerdict(ToPort, 2)
}

// VTEPs of both families are told apart, and each frame goes back to where its sender was met.
func TestBothFamilies(t *testing.T) {
	r := newRig(t, 1)
	r.pin(hostA, fdb.PortDest(0))
	n6 := r.six(PathDirect)
	n4, _ := r.plane.Remotes.Find(remote)
	const other = hostR + 1
	for range 2 { // new, and remembered
		r.deliver(r.wire, packet6(t, remote6, local6, ipFrame(hostA, hostR, 1, 20), func([]byte) {}))
		r.deliver(r.wire, tunnelled(t, remote, 42, 0, ipFrame(hostA, other, 1, 20)))
		r.run()
	}
	r.wantVerdict(ToPort, 4)
	for mac, n := range map[uint64]uint32{hostR: n6, other: n4} {
		if v := r.plane.FDB.Lookup(fdb.MakeKey(0, mac)); !v.Found() || v.Dest() != fdb.RemoteDest(n) {
			t.Errorf("%x was learned as %v", mac, v)
		}
	}
	l := r.ledger()
	if l.Remotes[n4].RxPackets != 2 || l.Remotes[n6].RxPackets != 2 {
		t.Errorf("heard %+v and %+v", l.Remotes[n4], l.Remotes[n6])
	}
	for mac, length := range map[uint64]int{hostR: vxlan.Overhead6, other: vxlan.Overhead} {
		frame := ipFrame(mac, hostA, 1, 100)
		r.deliver(r.ports[0], frame)
		r.run()
		out := r.take(r.wire)
		if len(out) != 1 || !bytes.Equal(out[0].data[length:][:40], frame[:40]) {
			t.Errorf("to %x: %x", mac, out)
		}
	}
}

// A frame leaves with a checksum, unless none is asked for, directly and by way of the kernel.
func TestEncap6(t *testing.T) {
	for _, zero := range []bool{false, true} {
		for _, state := range []PathState{PathDirect, PathSlow} {
			r := newRig(t, 1)
			r.snap.Domains[0].Tunnel.ZeroChecksumTx = zero
			r.pin(hostR, fdb.RemoteDest(r.six(state)))
			frame := ipFrame(hostR, hostA, 9, 100)
			r.deliver(r.ports[0], frame)
			r.run()
			var pkt []byte
			if state == PathDirect {
				pkt = r.take(r.wire)[0].data
			} else {
				out := &recorder{}
				r.runSlow(out)
				pkt = append([]byte{2, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0, 0xaa, 0x86, 0xdd}, out.packets[0]...)
			}
			var o vxlan.Outer
			if f := vxlan.ParseOuter(pkt, &o); f != vxlan.OK {
				t.Fatal(f)
			}
			if o.Src.Netip() != local6 || o.Dst.Netip() != remote6 || o.VNI != 42 || o.Len != len(pkt) || o.DstMAC != peerMAC || o.SrcPort < 49152 {
				t.Errorf("%+v", o)
			}
			if (o.Checksum == 0) != zero || !o.ChecksumOK(pkt) {
				t.Errorf("checksum %#x", o.Checksum)
			}
			if got := pkt[o.HeaderLen:]; len(got) != len(frame) || !bytes.Equal(got[:40], frame[:40]) {
				t.Errorf("inner frame %x", got)
			}
			r.run()
			r.account()
		}
	}
}

// What does not fit is answered with the MTU that is left behind 56 bytes more.
func TestTooBig6(t *testing.T) {
	r := newRig(t, 1)
	r.pin(hostR, fdb.RemoteDest(r.six(PathDirect)))
	for _, payload := range []int{1500 - 56 - 42, 1500 - 56 - 41} {
		r.deliver(r.ports[0], ipFrame(hostR, hostA, 9, payload))
	}
	r.run()
	if out := r.take(r.wire); len(out) != 1 || len(out[0].data) != 1514 {
		t.Errorf("%d packets left", len(out))
	}
	back := r.take(r.ports[0])
	if len(back) != 1 || back[0].data[34] != 3 || int(back[0].data[40])<<8|int(back[0].data[41]) != 1500-56-14 {
		t.Errorf("%x came back", back)
	}
}

// Without a source of the remote's family nothing is sent to it.
func TestNoSource6(t *testing.T) {
	r := newRig(t, 1)
	r.snap.Domains[0].Tunnel.Source = func(dst netip.Addr) netip.Addr {
		if dst.Is4() {
			return local
		}
		return netip.Addr{}
	}
	n, err := r.plane.Remotes.Add(remote6) // not in the snapshot yet
	must(t, err)
	r.pin(hostR, fdb.RemoteDest(n))
	r.deliver(r.ports[0], ipFrame(hostR, hostA, 9, 10))
	r.run()
	r.wantVerdict(NoRoute, 1)
}
