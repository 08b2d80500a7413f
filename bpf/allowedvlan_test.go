package bpf

import (
	"net/netip"
	"testing"
)

// In a VLAN of an interface who may send is asked as on any underlay, over both families, with a socket or without; other
// VLANs' packets are nobody's business.
func TestAllowedVLAN(t *testing.T) {
	for _, bound := range []bool{false, true} {
		u := newVLAN(t, testVLAN, 0)
		if err := u.AddAddr(testLocal6); err != nil {
			t.Fatal(err)
		}
		want := uint32(xdpPass)
		if bound {
			if err := u.SetSocket(0, socket(t)); err != nil {
				t.Fatal(err)
			}
			want = xdpRedirect
		}
		u.allowOne(t, 42, prefixes("10.9.0.0/16", "2001:db8::2/128"))
		for _, c := range []struct {
			name   string
			packet []byte
			want   uint32
		}{
			{"allowed", from(netip.MustParseAddr("10.9.8.7"), 42), want},
			{"not allowed", from(netip.MustParseAddr("10.8.8.7"), 42), xdpDrop},
			{"to a VNI without a list", from(netip.MustParseAddr("10.8.8.7"), maxVNI), want},
			{"allowed, IPv6", good6(), want},
			{"not allowed, IPv6", set6(22+15, 3), xdpDrop},
		} {
			if got := u.verdict(t, tagged(c.packet, testVLAN.Type, 0x6000|testVLAN.ID)); got != c.want {
				t.Errorf("%s, a socket %v: verdict %d, want %d", c.name, bound, got, c.want)
			}
			for what, p := range map[string][]byte{"another VLAN": tagged(c.packet, testVLAN.Type, testVLAN.ID+1), "none": c.packet} {
				if got := u.verdict(t, p); got != xdpPass {
					t.Errorf("%s, of %s: verdict %d", c.name, what, got)
				}
			}
		}
		counts := Counters{Refused: 2, Passed: 10, NoSocket: 3}
		if bound {
			counts.Redirected, counts.NoSocket = 3, 0
		}
		wantCounters(t, u, counts)
		if n, err := u.Refusals(42); n != 2 || err != nil {
			t.Errorf("%d refusals: %v", n, err)
		}
	}
}
