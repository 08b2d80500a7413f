package gateway

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMartians(t *testing.T) {
	var subnets []netip.Prefix
	for _, s := range []string{"10.1.2.3/24", "10.1.2.4/24", "172.16.0.1/12", "192.0.2.0/31", "192.0.2.9/32"} {
		subnets = append(subnets, netip.MustParsePrefix(s))
	}
	want := []string{"10.1.2.3", "10.1.2.255", "10.1.2.4", "10.1.2.255", "172.16.0.1", "172.31.255.255", "192.0.2.0", "192.0.2.9"}
	var got []string
	for _, a := range martians(subnets) {
		got = append(got, netip.AddrFrom4([4]byte{byte(a >> 24), byte(a >> 16), byte(a >> 8), byte(a)}).String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("martians (-want +got):\n%s", diff)
	}
}
