package bpf

import (
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
	for _, a := range []netip.Addr{testLocal, testGroup, testLocal6, testGroup6} {
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
		{"IPv4 that says it is IPv6", v6, false},
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
