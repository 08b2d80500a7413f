package bpf

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// from returns the good packet, to a VNI, as another VTEP sends it.
func from(src netip.Addr, vni uint32) []byte {
	p := good()
	copy(p[26:], src.AsSlice())
	binary.BigEndian.PutUint32(p[46:], vni<<8)
	return p
}

func prefixes(list ...string) []netip.Prefix {
	out := []netip.Prefix{}
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// allow is Allow for one VNI, which has to succeed.
func (u *Underlay) allowOne(t testing.TB, vni uint32, list []netip.Prefix) {
	t.Helper()
	if err := u.Allow(map[uint32][]netip.Prefix{vni: list}); err != nil {
		t.Fatal(err)
	}
}

// places counts the prefixes in the kernel.
func (u *Underlay) places(t testing.TB) (n int) {
	t.Helper()
	var k allowedKey
	var v uint8
	it := u.allow.maps.allowed.Iterate()
	for it.Next(&k, &v) {
		n++
	}
	if err := it.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

// Lists against netip, at the edges of their prefixes: in both programs, for the VNI that has the
// list and no other.
func TestAllowed(t *testing.T) {
	u, _ := withSockets(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func() netip.Addr {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], rnd.Uint32())
		return netip.AddrFrom4(b)
	}
	var counts Counters
	refused := uint64(0)
	for round := range 40 {
		list := []netip.Prefix{} // in some rounds nobody
		for range round % 8 {
			p := netip.PrefixFrom(random(), rnd.IntN(33))
			list = append(list, p) // with bits behind the prefix, which do not matter
		}
		u.allowOne(t, 42, list)
		var sources []netip.Addr
		for _, p := range list {
			first := p.Masked().Addr()
			last := binary.BigEndian.Uint32(first.AsSlice()) | uint32(uint64(1)<<(32-p.Bits())-1)
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], last)
			sources = append(sources, first, first.Prev(), netip.AddrFrom4(b), netip.AddrFrom4(b).Next())
		}
		sources = append(sources, random(), random())
		for _, src := range sources {
			if !src.IsValid() { // in front of 0.0.0.0, or behind 255.255.255.255
				continue
			}
			allowed := false
			for _, p := range list {
				allowed = allowed || p.Contains(src)
			}
			want := uint32(xdpDrop)
			if allowed {
				want = xdpRedirect
				counts.Redirected++
			} else {
				counts.Refused++
				counts.Late++
				refused += 2
			}
			if got := u.verdict(t, from(src, 42)); got != want {
				t.Fatalf("from %s: verdict %d, want %d of %v", src, got, want, list)
			}
			if got := u.keeps(t, from(src, 42)); got != allowed {
				t.Fatalf("from %s: kept %t, want %t of %v", src, got, allowed, list)
			}
			if got := u.verdict(t, from(src, maxVNI)); got != xdpRedirect {
				t.Fatalf("from %s to another VNI: verdict %d", src, got)
			}
			counts.Redirected++
		}
		if n, err := u.Refusals(42); err != nil || n != refused {
			t.Fatalf("%d refusals, want %d: %v", n, refused, err)
		}
	}
	// What is not ours is not judged either, nor is what is too short for a VNI.
	u.allowOne(t, 42, prefixes())
	for want, p := range map[uint32][]byte{xdpPass: set(30, 10, 0, 0, 3), xdpRedirect: set(38, 0, 15)} {
		if got := u.verdict(t, p); got != want {
			t.Errorf("verdict %d, want %d", got, want)
		}
	}
	counts.Passed++
	counts.Redirected++
	wantCounters(t, u, counts)
	if n, err := u.Refusals(maxVNI); n != 0 || err != nil {
		t.Errorf("%d refusals of a VNI without a list: %v", n, err)
	}
	u.allowOne(t, 42, nil)
	if got := u.verdict(t, good()); got != xdpRedirect {
		t.Errorf("without a list: verdict %d", got)
	}
	if n := u.places(t); n != 0 {
		t.Errorf("%d prefixes are left", n)
	}
}

// Lists hold for VNIs that are added later, equal ones are one, and what nobody needs goes.
func TestAllowedLists(t *testing.T) {
	u := newUnderlay(t)
	if err := u.SetSocket(0, socket(t)); err != nil {
		t.Fatal(err)
	}
	a, b := prefixes("10.0.0.0/24", "10.0.1.0/24"), prefixes("10.0.1.0/24", "10.0.0.0/24", "10.0.0.0/24")
	if err := u.Allow(map[uint32][]netip.Prefix{42: a, 7: b, 0: prefixes("10.0.0.2/32")}); err != nil {
		t.Fatal(err)
	}
	if n := u.places(t); n != 3 {
		t.Errorf("%d prefixes in the kernel, want 3", n)
	}
	if err := u.AddVNI(7); err != nil {
		t.Fatal(err)
	}
	forged, friend := netip.MustParseAddr("10.0.2.1"), netip.MustParseAddr("10.0.1.200")
	for _, vni := range []uint32{42, 7} {
		if got := u.verdict(t, from(forged, vni)); got != xdpDrop {
			t.Errorf("forged, to VNI %d: verdict %d", vni, got)
		}
		if got := u.verdict(t, from(friend, vni)); got != xdpRedirect {
			t.Errorf("to VNI %d: verdict %d", vni, got)
		}
	}
	u.allowOne(t, 42, nil) // 7 has the list still
	if got := u.verdict(t, from(forged, 42)); got != xdpRedirect {
		t.Errorf("without a list: verdict %d", got)
	}
	if got := u.verdict(t, from(forged, 7)); got != xdpDrop {
		t.Errorf("the other VNI of the list: verdict %d", got)
	}
	if err := u.DeleteVNI(7); err != nil {
		t.Fatal(err)
	}
	if err := u.AddVNI(7); err != nil {
		t.Fatal(err)
	}
	if n, err := u.Refusals(7); n != 0 || err != nil {
		t.Errorf("%d refusals of a VNI that is new: %v", n, err)
	}
	if got := u.verdict(t, from(forged, 7)); got != xdpDrop {
		t.Errorf("deleted and added: verdict %d", got)
	}
	if err := u.Allow(map[uint32][]netip.Prefix{7: nil, 0: nil}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(u.DeleteVNI(7), u.Allow(map[uint32][]netip.Prefix{9: prefixes()}), u.Allow(map[uint32][]netip.Prefix{9: nil})); err != nil {
		t.Fatal(err)
	}
	var count []uint64
	if n := u.places(t); n != 0 || len(u.allow.all) != 0 {
		t.Errorf("%d prefixes and %d lists are left", n, len(u.allow.all))
	}
	for _, gone := range []uint32{7, 9} {
		if err := u.allow.maps.refusals.Lookup(gone, &count); !errors.Is(err, ebpf.ErrKeyNotExist) {
			t.Errorf("refusals of VNI %d, which is no more: %v, %v", gone, count, err)
		}
	}
}

// The same over IPv6, whose prefixes have no part in IPv4.
func TestAllowed6(t *testing.T) {
	u, _ := withSockets(t)
	u.allowOne(t, 42, prefixes("2001:db8::/64", "fe80::2/128", "10.0.0.0/8"))
	from6 := func(src string) []byte { return set6(22, netip.MustParseAddr(src).AsSlice()...) }
	refused := uint64(0)
	for src, want := range map[string]uint32{
		"2001:db8::2": xdpRedirect, "2001:db8::ffff:0:0:1": xdpRedirect, "2001:db8:0:1::": xdpDrop, "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff": xdpDrop,
		"fe80::2": xdpRedirect, "fe80::3": xdpDrop, "fe80::1:0:0:2": xdpDrop,
	} {
		if got := u.verdict(t, from6(src)); got != want {
			t.Errorf("from %s: verdict %d, want %d", src, got, want)
		}
		if want == xdpDrop {
			refused++
		}
	}
	if got := u.verdict(t, from(netip.MustParseAddr("10.1.2.3"), 42)); got != xdpRedirect {
		t.Errorf("over IPv4: verdict %d", got)
	}
	if n, err := u.Refusals(42); n != refused || err != nil {
		t.Errorf("%d refusals, want %d: %v", n, refused, err)
	}
	// What the filter is given here begins at the IP header, and is read as UDP all the same: what it takes for a
	// VXLAN header is the first half of the source address.
	p := good6()
	binary.BigEndian.PutUint16(p[16:], testPort)
	copy(p[22:], []byte{8, 0, 0, 0, 0, 0, 42, 0})
	for list, want := range map[string]uint32{"800:0:0:2a00::2/128": uint32(len(p) - 14), "800:0:0:2a00::3/128": 0} {
		u.allowOne(t, 42, prefixes(list))
		if n, _, err := u.filter6.Test(p); n != want || err != nil {
			t.Errorf("the filter keeps %d bytes, want %d: %v", n, want, err)
		}
	}
	if n, err := u.Counters(); n.Late != 1 || err != nil {
		t.Errorf("%d datagrams refused late: %v", n.Late, err)
	}
	u.allowOne(t, 42, prefixes("2001:db8::/32"))
	if got := u.verdict(t, good()); got != xdpDrop {
		t.Errorf("over IPv4, which is not on the list: verdict %d", got)
	}
}

// While lists take turns, who is in both is never dropped, and who is in neither never passes.
func TestAllowedSwap(t *testing.T) {
	u, _ := withSockets(t)
	both, neither := from(netip.MustParseAddr("10.0.0.2"), 42), from(netip.MustParseAddr("10.9.0.2"), 42)
	lists := [][]netip.Prefix{prefixes("10.0.0.0/24", "10.1.0.0/16"), prefixes("10.2.0.0/16", "10.0.0.2/32")}
	u.allowOne(t, 42, lists[0])
	var stop atomic.Bool
	var wg sync.WaitGroup
	var times [2]atomic.Int32
	for i, c := range []struct {
		packet []byte
		want   uint32
	}{{both, xdpRedirect}, {neither, xdpDrop}} {
		wg.Go(func() {
			defer stop.Store(true)
			for ; !stop.Load(); times[i].Add(1) {
				got, err := u.prog.Run(&ebpf.RunOptions{Data: c.packet, Repeat: 1000})
				if err != nil || got != c.want {
					t.Errorf("verdict %d, want %d: %v", got, c.want, err)
					return
				}
			}
		})
	}
	for i := 0; !stop.Load() && (i < 100 || min(times[0].Load(), times[1].Load()) < 3); i++ { // both had their turns
		u.allowOne(t, 42, lists[i%2])
	}
	stop.Store(true)
	wg.Wait()
	n, err := u.Counters()
	if err != nil || n.Redirected == 0 || n.Refused == 0 || n.Passed+n.NoSocket != 0 {
		t.Errorf("counters %+v: %v", n, err)
	}
}

// A list that does not fit leaves nothing behind, and lets anyone send.
func TestAllowedRefused(t *testing.T) {
	u := newUnderlay(t)
	small, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.LPMTrie, KeySize: 24, ValueSize: 1, MaxEntries: 3, Flags: unix.BPF_F_NO_PREALLOC})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	u.allow.maps.allowed = small
	u.allowOne(t, 42, prefixes("10.0.0.0/24"))
	wantError(t, u.Allow(map[uint32][]netip.Prefix{42: prefixes("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24")}), nil,
		"allow VTEPs of VNI 42: all lists together have more than 3 prefixes", "allow whole networks")
	if n := u.places(t); n != 0 {
		t.Errorf("%d prefixes are left", n)
	}
	wantError(t, u.Allow(map[uint32][]netip.Prefix{42: {{}}}), nil, "allow VTEPs of VNI 42: no prefix is given")
	closeIt(t, u)
	wantError(t, u.Allow(map[uint32][]netip.Prefix{42: nil}), os.ErrClosed)
	_, err = u.Refusals(42)
	wantError(t, err, os.ErrClosed)
}
