package dataplane

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// Lists against netip, at the edges of their prefixes.
func TestAllow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		var list []netip.Prefix
		var edges []vxlan.Addr
		for range rnd.IntN(9) {
			var b [16]byte
			binary.BigEndian.PutUint64(b[:], rnd.Uint64()&0xf00000000000000f) // near to one another
			binary.BigEndian.PutUint64(b[8:], rnd.Uint64()&0xff0000000000000f)
			p := netip.PrefixFrom(netip.AddrFrom16(b), rnd.IntN(129))
			if rnd.IntN(2) == 0 {
				p = netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(rnd.IntN(3)), byte(rnd.IntN(3)), byte(rnd.IntN(256))}), rnd.IntN(33))
			}
			list = append(list, p)
			s := spanOf(p)
			edges = append(edges, s.first, s.last, vxlan.Addr{Hi: s.first.Hi, Lo: s.first.Lo - 1}, vxlan.Addr{Hi: s.last.Hi, Lo: s.last.Lo + 1})
		}
		a := NewAllow(list)
		for _, k := range append(edges, vxlan.Addr4(rnd.Uint32()), vxlan.Addr{}) {
			want := false
			for _, p := range list { // netip keeps the families apart, which are one space here
				if k.Netip().Is4() != p.Addr().Is4() && k.Netip().Is4() {
					want = want || netip.PrefixFrom(p.Addr(), p.Bits()).Masked() == netip.PrefixFrom(netip.AddrFrom16(k.Netip().As16()), p.Bits()).Masked()
				} else {
					want = want || p.Contains(k.Netip())
				}
			}
			if got := a.has(k); got != want {
				t.Fatalf("%v: %t, want %t of %v", k.Netip(), got, want, list)
			}
		}
	}
}

// Another list holds from the next snapshot on, for VTEPs that were met too; nothing of a VTEP
// that may not send is learned, and it gets no number.
func TestAllowChanges(t *testing.T) {
	r := newRig(t, 1)
	send := func(from netip.Addr) {
		r.deliver(r.wire, tunnelled(t, from, 42, 0, ipFrame(hostA, hostR, 1, 20)))
		r.run()
	}
	allow := func(a *Allow) {
		d := *r.snap.Domains[0]
		d.Allow = a
		r.snap.Domains = []*Domain{&d}
		r.publish()
	}
	only := func(a netip.Addr) *Allow { return NewAllow([]netip.Prefix{netip.PrefixFrom(a, 32)}) }
	for i, c := range []struct {
		allow *Allow
		from  netip.Addr
		lost  uint64
	}{
		{only(remote), third, 1}, {only(remote), remote, 1}, {nil, remote, 1}, {only(third), remote, 2}, {only(third), remote, 3},
		{NewAllow(nil), remote, 4}, {only(remote), remote, 4}, {nil, third, 4}, {only(remote), third, 5},
	} {
		allow(c.allow)
		send(c.from)
		if lost, _ := r.verdicts(RemoteNotAllowed); lost != c.lost {
			t.Fatalf("step %d: %d packets refused, want %d", i, lost, c.lost)
		}
		_, known := r.plane.Remotes.Find(third)
		if v := r.plane.FDB.Lookup(fdb.MakeKey(0, hostR)); known != (i >= 7) || i == 0 && v.Found() {
			t.Errorf("step %d: the VTEP that may not send has a number: %t; learned: %t", i, known, v.Found())
		}
	}
	checkBalance(t, r)
	r.account()
}
