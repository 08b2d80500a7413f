package bpf

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// to is a good packet to an address.
func to(addr netip.Addr, vni uint32) []byte {
	p := good()
	binary.BigEndian.PutUint32(p[46:], vni<<8)
	if addr.Is4() {
		copy(p[30:], addr.AsSlice())
		return p
	}
	p = good6()
	copy(p[38:], addr.AsSlice())
	binary.BigEndian.PutUint32(p[66:], vni<<8)
	return p
}

// TestQuickAgrees changes addresses, VNIs and lists at random, and compares each verdict with what the tables say, for which
// what is quick is a short way.
func TestQuickAgrees(t *testing.T) {
	needRoot(t)
	u, err := LoadUnderlay(UnderlayConfig{Port: testPort, Queues: 1, MaxVNIs: 16})
	if err != nil {
		t.Fatal(err)
	}
	defer closeIt(t, u)
	if err := u.SetSocket(0, socket(t)); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(7, 11))
	addrs := []netip.Addr{
		testLocal, netip.MustParseAddr("10.0.0.99"), netip.MustParseAddr("239.1.1.1"),
		testLocal6, netip.MustParseAddr("2001:db8::99"), netip.MustParseAddr("ff05::9"),
	}
	vnis := []uint32{0, 1, 62, 63, 64, maxVNI} // neighbours in words of 64 bits, and the ends
	ours, taken, listed := map[netip.Addr]bool{}, map[uint32]bool{}, map[uint32]bool{}
	change := func(now bool, on, off func() error) bool {
		do := on
		if now {
			do = off
		}
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return !now
	}
	for range 300 {
		addr, vni := addrs[random.IntN(len(addrs))], vnis[random.IntN(len(vnis))]
		switch random.IntN(3) {
		case 0:
			ours[addr] = change(ours[addr], func() error { return u.AddAddr(addr) }, func() error { return u.DeleteAddr(addr) })
		case 1:
			taken[vni] = change(taken[vni], func() error { return u.AddVNI(vni) }, func() error { return u.DeleteVNI(vni) })
		case 2:
			listed[vni] = change(listed[vni], func() error {
				return u.Allow(map[uint32][]netip.Prefix{vni: prefixes("192.0.2.0/24")}) // not who sends
			}, func() error {
				return u.Allow(map[uint32][]netip.Prefix{vni: nil})
			})
		}
		for _, addr := range addrs {
			for _, vni := range vnis {
				want := uint32(xdpRedirect)
				switch {
				case !ours[addr] || !taken[vni]:
					want = xdpPass
				case listed[vni]:
					want = xdpDrop
				}
				if got := u.verdict(t, to(addr, vni)); got != want {
					t.Fatalf("to %v, VNI %d: verdict %d, want %d (address %t, VNI %t, list %t)", addr, vni, got, want, ours[addr], taken[vni], listed[vni])
				}
			}
		}
	}
}
