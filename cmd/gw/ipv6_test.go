package main

import (
	"net/netip"
	"testing"

	"vxgw/internal/lab"
)

// IPv6 on the overlay: neighbour discovery goes to multicast addresses, and TCP and
// UDP have unfinished checksums of their own.
func TestIPv6Overlay(t *testing.T) {
	t.Parallel()
	six1, six2 := netip.MustParseAddr("fd17::2"), netip.MustParseAddr("fd17::3")
	for _, far := range []string{"kernel", "gw"} {
		t.Run(far, func(t *testing.T) {
			s := newSegment(t)
			g, left := s.gw(t, 0, "--remote", under2.String(), "--address", six1.String()+"/64")
			var right end
			if far == "gw" {
				var other *vtep
				other, right = s.gw(t, 1, "--remote", under1.String(), "--address", six2.String()+"/64")
				defer other.stop()
			} else {
				right = s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
				must(t, right.host.AddAddress("vxlan0", six2.String()+"/64"))
			}
			left.addr, right.addr = six1, six2
			resolve(t, left, right)
			exchange(t, left, right)
			sent := outers(t, s.probes[0], under1)
			n := 0
			for _, p := range sent {
				if p.inner.kind == 0x86dd {
					n++
				}
			}
			if n < 1000 {
				t.Errorf("%d packets with IPv6 inside", n)
			}
			checkPorts(t, sent)
			checkVerdicts(t, g)
			g.stop()
		})
	}
}
