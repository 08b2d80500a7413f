package main

import (
	"fmt"
	"testing"

	"vxgw/internal/lab"
)

// Over IPv6 the tunnel takes 20 bytes more: devices follow when a VNI gets its first VTEP of that family and when it loses the last one,
// and a port that fitted is told of.
func TestDeviceMTU6(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	h := s.hosts[0]
	for i, six := range []string{six1.String(), six2.String()} {
		must(t, s.hosts[i].AddAddress("ens18", six+"/64"))
	}
	_, err := h.BridgePort("veth1", "box", "172.17.1.9/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	g, left := s.gw(t, 0, "--remote", under2.String(), "--device", "gw42", "--port", "veth1")
	has := func(mtu int) {
		t.Helper()
		eventually(t, func() string {
			if now, tunnel := left.mtu(t), g.status().VNIs[0].TunnelMTU; now != mtu || tunnel != mtu {
				return fmt.Sprintf("gw42 has an MTU of %d and the tunnel one of %d, want %d", now, tunnel, mtu)
			}
			return ""
		})
	}
	has(1450)
	g.problem()
	output(t, h, "remote", "add", six2.String(), "--vni", "42")
	has(1430)
	g.problem("port veth1 of vni 42 has an MTU of 1450, and the tunnel carries 1430", "ip link set dev veth1 mtu 1430, and at its other end; or give the underlay 1520")
	eventually(t, func() string {
		if g.log.grep(`"mtu":1450,"tunnel":1430`) == "" {
			return "no warning"
		}
		return ""
	})
	must(t, h.SetMTU("ens18", 1520))
	has(1450)
	g.problem()
	must(t, h.SetMTU("ens18", 1500))
	has(1430)
	output(t, h, "remote", "del", six2.String(), "--vni", "42")
	has(1450)
	g.problem()
	g.stop()
}
