package gateway

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMartians(t *testing.T) {
	var subnets []netip.Prefix
	for _, s := range []string{"10.1.2.3/24", "10.1.2.4/24", "172.16.0.1/12", "192.0.2.0/31", "192.0.2.9/32", "2001:db8::1/64"} {
		subnets = append(subnets, netip.MustParsePrefix(s))
	}
	want := []string{"10.1.2.3", "10.1.2.255", "10.1.2.4", "10.1.2.255", "172.16.0.1", "172.31.255.255", "192.0.2.0", "192.0.2.9", "2001:db8::1"}
	var got []string
	for _, a := range martians(subnets) {
		got = append(got, a.Netip().String())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("martians (-want +got):\n%s", diff)
	}
}
