package bpf

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// options returns the good packet with IPv4 options, a multiple of four bytes.
func options(b ...byte) []byte {
	p := insert(34, b...)
	p[14] += byte(len(b) / 4)
	return p
}

// leftoverTwin is the filter's decision again. It sees the packet from the IPv4
// header on.
func leftoverTwin(p []byte) bool {
	ip := p[14:]
	if len(ip) < 20 || ip[0]>>4 != 4 || ip[0]&0xf < 5 || ip[9] != 17 {
		return false
	}
	dst, header := netip.AddrFrom4([4]byte(ip[16:20])), int(ip[0]&0xf)*4
	if dst != testLocal && dst != testGroup || len(ip) < header+8 {
		return false
	}
	udp := ip[header:]
	if binary.BigEndian.Uint16(udp[2:]) != testPort {
		return false
	}
	if len(udp) < 16 || binary.BigEndian.Uint16(udp[4:]) < 16 {
		return true
	}
	return slices.Contains(testVNIs, binary.BigEndian.Uint32(udp[12:])>>8)
}

// keeps runs the filter once (BPF_PROG_TEST_RUN): all of the packet, or nothing.
func (u *Underlay) keeps(t testing.TB, p []byte) bool {
	t.Helper()
	n, _, err := u.filter.Test(p)
	if err != nil {
		t.Fatal(err)
	}
	if n != 0 && n != uint32(len(p)-14) {
		t.Fatalf("the filter keeps %d bytes of %d", n, len(p)-14)
	}
	return n != 0
}

func TestLeftoverTable(t *testing.T) {
	u := newUnderlay(t)
	many := slices.Repeat([]byte{1}, 40)
	for _, tt := range []struct {
		name   string
		packet []byte
		keeps  bool
	}{
		{"good", good(), true},
		{"group address", set(30, 224, 1, 1, 1), true},
		{"largest VNI", set(46, 0xff, 0xff, 0xff), true},
		{"other VNI", set(46, 0, 0, 43), false},
		{"other port", set(36, 4789>>8, 4789&0xff), false},
		{"our port as source", set(34, testPort>>8, testPort&0xff, 0, 1), false},
		{"other address", set(30, 10, 0, 0, 3), false},
		{"other group", set(30, 224, 1, 1, 2), false},
		{"options", options(1, 1, 1, 0), true},
		{"forty bytes of options", options(many...), true},
		{"options, other VNI", func() []byte { p := options(many...); p[46+40+2] = 43; return p }(), false},
		{"options, our VNI where it was without", func() []byte {
			p := options(many...)
			copy(p[42:], []byte{8, 0, 0, 0, 0, 0, 42, 0})
			p[46+40+2] = 43
			return p
		}(), false},
		{"options, cut behind UDP", options(many...)[:42+40], true},
		{"options, cut in UDP", options(many...)[:41+40], false},
		{"cut behind UDP", good()[:42], true},
		{"cut in VXLAN", good()[:49], true},
		{"cut in UDP", good()[:41], false},
		{"UDP length 15, other VNI", set(38, 0, 15, 0, 0, 8, 0, 0, 0, 0, 0, 43), true},
		{"UDP length 16, other VNI", set(38, 0, 16, 0, 0, 8, 0, 0, 0, 0, 0, 43), false},
		{"header of 16 bytes", set(14, 0x44), false},
		{"version 6", set(14, 0x65), false},
		{"TCP", set(23, 6), false},
	} {
		if twin := leftoverTwin(tt.packet); twin != tt.keeps {
			t.Fatalf("%s: the twin says %t, want %t", tt.name, twin, tt.keeps)
		}
		if got := u.keeps(t, tt.packet); got != tt.keeps {
			t.Errorf("%s: kept %t, want %t", tt.name, got, tt.keeps)
		}
	}
}

// TestLeftoverOurOwn has the kernel say that the packet came over lo, which is how
// this host sends to its own addresses.
func TestLeftoverOurOwn(t *testing.T) {
	u := newUnderlay(t)
	const lo = 1
	for ingress, want := range map[uint32]uint32{lo: 0, 2: uint32(len(good()) - 14)} {
		var ctx [192]byte // struct __sk_buff (include/uapi/linux/bpf.h)
		binary.NativeEndian.PutUint32(ctx[36:], ingress)
		got, err := u.filter.Run(&ebpf.RunOptions{Data: good(), Context: ctx[:]})
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("from interface %d: %d bytes kept, want %d", ingress, got, want)
		}
	}
}

func TestLeftoverMutations(t *testing.T) {
	u := newUnderlay(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	kept := 0
	const rounds = 20000
	for range rounds {
		p := good()
		if n := r.IntN(11); n > 0 {
			p = options(slices.Repeat([]byte{1}, 4*n)...)
		}
		if p = mutate(r, p); len(p) < 34 {
			continue // test runs want an IPv4 header, and so does the kernel's stack before it delivers
		}
		want := leftoverTwin(p)
		if got := u.keeps(t, p); got != want {
			t.Fatalf("kept %t, the twin says %t, packet %x", got, want, p)
		}
		if want {
			kept++
		}
	}
	if kept < rounds/10 || kept > rounds*9/10 {
		t.Errorf("%d packets kept of %d: the mutations reach one side only", kept, rounds)
	}
}

// TestLeftoverFollows deletes and adds what is ours while the filter is on a socket.
func TestLeftoverFollows(t *testing.T) {
	u := newUnderlay(t)
	do := func(name string, err error, want bool) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if got := u.keeps(t, good()); got != want {
			t.Errorf("%s: kept %t, want %t", name, got, want)
		}
	}
	do("without the VNI", u.DeleteVNI(42), false)
	do("with it", u.AddVNI(42), true)
	do("without the address", u.DeleteAddr(testLocal), false)
	do("with it", u.AddAddr(testLocal), true)
}

func TestLeftoverRefusals(t *testing.T) {
	u := newUnderlay(t)
	fd := rawSocket(t)
	wantError(t, u.FilterLeftovers(-1, false), unix.EBADF, "attach BPF program leftover")
	if err := u.FilterLeftovers(fd, false); err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, u.FilterLeftovers(fd, false), os.ErrClosed)
}

func rawSocket(t testing.TB) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}
