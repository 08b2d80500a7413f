package main

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

// sameDump fails when the network of h is not as it was, once what follows from
// links that went has followed.
func sameDump(t *testing.T, before string, h *lab.Host) {
	t.Helper()
	eventually(t, func() string {
		if d := cmp.Diff(before, dump(t, h)); d != "" {
			return "left behind (-before +after):\n" + d
		}
		return ""
	})
}

// pings waits until an address answers, and then expects it to answer each time.
func pings(t *testing.T, h *lab.Host, addr string) {
	t.Helper()
	eventually(t, func() string {
		r, err := h.Ping(testContext(t), netip.MustParseAddr(addr), lab.PingOptions{})
		must(t, err)
		if r.Received == 0 {
			return addr + " does not answer " + h.Name()
		}
		return ""
	})
	r, err := h.Ping(testContext(t), netip.MustParseAddr(addr), lab.PingOptions{Count: 5, Interval: 10 * 1e6})
	must(t, err)
	if r.Received != r.Sent || r.Duplicates > 0 || r.Corrupt > 0 {
		t.Errorf("ping %s from %s: %+v", addr, h.Name(), r)
	}
}
