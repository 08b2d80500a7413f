package bpf

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// The kernel's verdicts (include/uapi/linux/bpf.h, enum xdp_action).
const (
	xdpDrop     = 1
	xdpPass     = 2
	xdpRedirect = 4
)

const testPort = 4790

var (
	testLocal = netip.MustParseAddr("10.0.0.1")
	testGroup = netip.MustParseAddr("224.1.1.1")
	testVNIs  = []uint32{0, 42, maxVNI}
)

// good returns a packet that is ours: VXLAN with VNI 42 around 60 bytes.
func good() []byte {
	const inner = 60
	p := make([]byte, 50+inner)
	copy(p, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00})
	ip := p[14:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[12:], []byte{10, 0, 0, 2})
	copy(ip[16:], testLocal.AsSlice())
	udp := p[34:]
	binary.BigEndian.PutUint16(udp[0:], 50000)
	binary.BigEndian.PutUint16(udp[2:], testPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	udp[8] = 0x08
	binary.BigEndian.PutUint32(udp[12:], 42<<8)
	return p
}

// set returns the good packet with the bytes from offset on replaced.
func set(offset int, b ...byte) []byte {
	p := good()
	copy(p[offset:], b)
	return p
}

// insert returns the good packet with bytes put in at offset.
func insert(offset int, b ...byte) []byte {
	return slices.Insert(good(), offset, b...)
}

// oursTwin is the underlay's decision again, slow and from the rules.
func oursTwin(p []byte) bool {
	if len(p) < 14 || !bytes.Equal(p[12:14], []byte{0x08, 0x00}) {
		return false
	}
	ip := p[14:]
	if len(ip) < 20 || ip[0]>>4 != 4 || ip[0]&0xf != 5 || ip[9] != 17 {
		return false
	}
	more, offset := ip[6]&0x20 != 0, binary.BigEndian.Uint16(ip[6:])%0x2000
	dst := netip.AddrFrom4([4]byte(ip[16:20]))
	udp := ip[20:]
	if more || offset != 0 || dst != testLocal && dst != testGroup || len(udp) < 8 {
		return false
	}
	if binary.BigEndian.Uint16(udp[2:]) != testPort {
		return false
	}
	if len(udp) < 16 || binary.BigEndian.Uint16(udp[4:]) < 16 {
		return true
	}
	vni := uint32(udp[12])<<16 | uint32(udp[13])<<8 | uint32(udp[14])
	return slices.Contains(testVNIs, vni)
}

// takenTwin is the port's decision again.
func takenTwin(p []byte) bool {
	lldp := bytes.Equal(p[:6], []byte{1, 0x80, 0xc2, 0, 0, 0x0e}) && bytes.Equal(p[12:14], []byte{0x88, 0xcc})
	slow := bytes.Equal(p[:6], []byte{1, 0x80, 0xc2, 0, 0, 0x02}) && bytes.Equal(p[12:14], []byte{0x88, 0x09})
	return !lldp && !slow
}

// newUnderlay loads the program with the test's port, addresses and VNIs.
func newUnderlay(t testing.TB) *Underlay {
	t.Helper()
	needRoot(t)
	u, err := LoadUnderlay(UnderlayConfig{Port: testPort, Queues: 1, MaxVNIs: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, u) })
	for _, vni := range testVNIs {
		if err := u.AddVNI(vni); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []netip.Addr{testLocal, testGroup} {
		if err := u.AddAddr(a); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func newPort(t testing.TB) *Port {
	t.Helper()
	needRoot(t)
	p, err := LoadPort(PortConfig{Queues: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, p) })
	return p
}

func closeIt(t testing.TB, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// verdict runs the program once (BPF_PROG_TEST_RUN) on queue 0.
func (s *steering) verdict(t testing.TB, p []byte) uint32 {
	t.Helper()
	got, _, err := s.prog.Test(p)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestUnderlayTable(t *testing.T) {
	v6 := set(12, 0x86, 0xdd)
	v6[14] = 0x60
	for _, tt := range []struct {
		name   string
		packet []byte
		ours   bool
	}{
		{"good", good(), true},
		{"group address", set(30, 224, 1, 1, 1), true},
		{"VNI 0", set(46, 0, 0, 0), true},
		{"largest VNI", set(46, 0xff, 0xff, 0xff), true},
		{"reserved byte behind the VNI", set(49, 0xff), true},
		{"flags without I", set(42, 0x00), true},
		{"every flag", set(42, 0xff, 0xff, 0xff, 0xff), true},
		{"wrong IP checksum", set(24, 0xde, 0xad), true},
		{"wrong UDP checksum", set(40, 0xde, 0xad), true},
		{"wrong IP length", set(16, 0xff, 0xff), true},
		{"wrong UDP length", set(38, 0xff, 0xff), true},
		{"TTL 0", set(22, 0), true},
		{"TOS", set(15, 0xff), true},
		{"don't fragment", set(20, 0x40), true},
		{"foreign MAC address", set(0, 2, 9, 9, 9, 9, 9), true},
		{"short datagram in padding", set(38, 0, 15, 0, 0, 8, 0, 0, 0, 9), true},
		{"shortest with a VNI", set(38, 0, 16), true},
		{"shortest with another VNI", set(38, 0, 16, 0, 0, 8, 0, 0, 0, 9), false},
		{"frame ends behind UDP", good()[:42], true},
		{"frame ends in VXLAN", good()[:49], true},
		{"frame ends behind VXLAN", good()[:50], true},
		{"frame ends in UDP", good()[:41], false},
		{"other VNI", set(46, 0, 0, 43), false},
		{"other VNI, first byte", set(46, 1, 0, 42), false},
		{"other port", set(36, 4789>>8, 4789&0xff), false},
		{"our port as source", set(34, testPort>>8, testPort&0xff, 0, 1), false},
		{"other address", set(30, 10, 0, 0, 3), false},
		{"other group", set(30, 224, 1, 1, 2), false},
		{"other address, short", set(30, 10, 0, 0, 3)[:45], false},
		{"first fragment", set(20, 0x20, 0x00), false},
		{"middle fragment", set(20, 0x20, 0x01), false},
		{"last fragment", set(20, 0x00, 0x01), false},
		{"last fragment, high offset", set(20, 0x1f, 0x00), false},
		{"options", insert(34, 1, 1, 1, 0), false},
		{"options by ihl alone", set(14, 0x46), false},
		{"ihl 4", set(14, 0x44), false},
		{"version 6 in IPv4", set(14, 0x65), false},
		{"TCP", set(23, 6), false},
		{"UDP-Lite", set(23, 136), false},
		{"ARP", set(12, 0x08, 0x06), false},
		{"IPv6", v6, false},
		{"VLAN tag", insert(12, 0x81, 0x00, 0x00, 0x2a), false},
		{"service tag", insert(12, 0x88, 0xa8, 0x00, 0x2a), false},
		{"802.3 length", set(12, 0x00, 0x60), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := newUnderlay(t)
			if twin := oursTwin(tt.packet); twin != tt.ours {
				t.Fatalf("the twin says ours %t, want %t", twin, tt.ours)
			}
			if got := u.verdict(t, tt.packet); got != xdpPass {
				t.Errorf("verdict %d without a socket, want %d", got, xdpPass)
			}
			if err := u.SetSocket(0, socket(t)); err != nil {
				t.Fatal(err)
			}
			want, counts := uint32(xdpPass), Counters{Passed: 2}
			if tt.ours {
				want, counts = xdpRedirect, Counters{Redirected: 1, NoSocket: 1}
			}
			if got := u.verdict(t, tt.packet); got != want {
				t.Errorf("verdict %d, want %d", got, want)
			}
			wantCounters(t, u, counts)
		})
	}
}

func TestPortTable(t *testing.T) {
	to := func(last byte, rest ...byte) []byte {
		return set(0, slices.Concat([]byte{1, 0x80, 0xc2, 0, 0, last, 2, 0, 0, 0, 0, 2}, rest)...)
	}
	for _, tt := range []struct {
		name   string
		packet []byte
		taken  bool
	}{
		{"IPv4", good(), true},
		{"header alone", good()[:14], true},
		{"broadcast ARP", set(0, 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 2, 8, 6), true},
		{"VLAN tag", insert(12, 0x81, 0x00, 0x00, 0x2a), true},
		{"LLDP", to(0x0e, 0x88, 0xcc), false},
		{"LLDP, header alone", to(0x0e, 0x88, 0xcc)[:14], false},
		{"LACP", to(0x02, 0x88, 0x09, 1), false},
		{"LLDP to the bridges' address", to(0x00, 0x88, 0xcc), true},
		{"LLDP to a host", set(12, 0x88, 0xcc), true},
		{"LACP to a host", set(12, 0x88, 0x09), true},
		{"LACP to LLDP's address", to(0x0e, 0x88, 0x09), true},
		{"LLDP to LACP's address", to(0x02, 0x88, 0xcc), true},
		{"spanning tree", to(0x00, 0x00, 0x26, 0x42, 0x42), true},
		{"EAPOL", to(0x03, 0x88, 0x8e), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPort(t)
			if twin := takenTwin(tt.packet); twin != tt.taken {
				t.Fatalf("the twin says taken %t, want %t", twin, tt.taken)
			}
			without, with, counts := uint32(xdpPass), uint32(xdpPass), Counters{Passed: 2}
			if tt.taken {
				without, with, counts = xdpDrop, xdpRedirect, Counters{Redirected: 1, NoSocket: 1}
			}
			if got := p.verdict(t, tt.packet); got != without {
				t.Errorf("verdict %d without a socket, want %d", got, without)
			}
			if err := p.SetSocket(0, socket(t)); err != nil {
				t.Fatal(err)
			}
			if got := p.verdict(t, tt.packet); got != with {
				t.Errorf("verdict %d, want %d", got, with)
			}
			wantCounters(t, p, counts)
		})
	}
}

// checkTwins runs a packet through both programs, which have a socket, and
// compares with the twins.
func checkTwins(t testing.TB, u *Underlay, p *Port, packet []byte) {
	t.Helper()
	verdicts := map[bool]uint32{true: xdpRedirect, false: xdpPass}
	if got, want := u.verdict(t, packet), verdicts[oursTwin(packet)]; got != want {
		t.Fatalf("underlay: verdict %d, the twin says %d, packet %x", got, want, packet)
	}
	if got, want := p.verdict(t, packet), verdicts[takenTwin(packet)]; got != want {
		t.Fatalf("port: verdict %d, the twin says %d, packet %x", got, want, packet)
	}
}

func withSockets(t testing.TB) (*Underlay, *Port) {
	t.Helper()
	u, p, fd := newUnderlay(t), newPort(t), socket(t)
	if err := u.SetSocket(0, fd); err != nil {
		t.Fatal(err)
	}
	if err := p.SetSocket(0, fd); err != nil {
		t.Fatal(err)
	}
	return u, p
}

func TestTruncated(t *testing.T) {
	u, p := withSockets(t)
	for _, whole := range [][]byte{good(), set(46, 0, 0, 43), set(38, 0, 9), set(30, 10, 0, 0, 3)} {
		for n := 14; n <= len(whole); n++ {
			checkTwins(t, u, p, whole[:n])
		}
	}
}

// mutate changes a few bytes, mostly of the headers, at times into values that
// mean something, and cuts.
func mutate(r *rand.Rand, p []byte) []byte {
	for range r.IntN(4) {
		at := r.IntN(len(p))
		if r.IntN(8) > 0 {
			at = r.IntN(50)
		}
		switch r.IntN(3) {
		case 0:
			p[at] = byte(r.Uint32())
		case 1:
			p[at] ^= 1 << r.IntN(8)
		case 2:
			words := []uint16{0x0800, 0x8809, 0x88cc, 0x4511, testPort, 42, 0, 0x2000, 0x4000, 15, 16, 0x0a00, 0xe001}
			at = min(at, len(p)-2)
			binary.BigEndian.PutUint16(p[at:], words[r.IntN(len(words))])
		}
	}
	if r.IntN(4) == 0 {
		copy(p, []byte{1, 0x80, 0xc2, 0, 0, []byte{0, 2, 0x0e}[r.IntN(3)]})
	}
	if r.IntN(4) == 0 {
		return p[:14+r.IntN(len(p)-13)]
	}
	return p
}

func TestRandomMutations(t *testing.T) {
	u, p := withSockets(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var ours, taken int
	const rounds = 20000
	for range rounds {
		packet := mutate(r, good())
		if r.IntN(2) == 0 {
			packet = mutate(r, set(30, 224, 1, 1, 1))
		}
		checkTwins(t, u, p, packet)
		if oursTwin(packet) {
			ours++
		}
		if takenTwin(packet) {
			taken++
		}
	}
	wantCounters(t, u, Counters{Redirected: uint64(ours), Passed: uint64(rounds - ours)})
	wantCounters(t, p, Counters{Redirected: uint64(taken), Passed: uint64(rounds - taken)})
	if ours < rounds/10 || ours > rounds*9/10 || taken == rounds {
		t.Errorf("%d packets ours and %d taken of %d: the mutations reach one side only", ours, taken, rounds)
	}
}

func FuzzSteering(f *testing.F) {
	u, p := withSockets(f)
	f.Add(good())
	f.Add(good()[:42])
	f.Add(set(30, 224, 1, 1, 1))
	f.Add(set(38, 0, 9))
	f.Add(set(0, 1, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 2, 0x88, 0xcc))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) < 14 || len(packet) > 2048 {
			t.Skip("the kernel delivers no such frame")
		}
		checkTwins(t, u, p, packet)
	})
}

func wantCounters(t testing.TB, s interface{ Counters() (Counters, error) }, want Counters) {
	t.Helper()
	got, err := s.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("counters %+v, want %+v", got, want)
	}
}
