//go:build vmlab

package main

import (
	"fmt"
	"net/netip"
	"testing"

	"vxgw/control"
	"vxgw/internal/lab"
)

// The underlay is a VLAN of a card, which is driven in zero-copy mode for it. A card that takes tags
// out of what it receives is told not to, until gw stops; what is untagged goes to the kernel as ever.
func TestCardVLAN(t *testing.T) {
	eachKind(t, func(t *testing.T, s *segment) {
		for i, h := range s.hosts[:2] {
			must(t, h.VLAN("ens18", "ens18.100", underlayVLAN))
			must(t, h.AddAddress("ens18.100", fmt.Sprintf("10.99.0.%d/24", i+1)))
		}
		before, err := s.hosts[0].Offloads("ens18")
		must(t, err)
		near, far := "10.99.0.1", "10.99.0.2"
		left, right := end{s.hosts[0], "gw42", over1, "ens18.100", netip.MustParseAddr(near)}, end{s.hosts[1], "vxlan0", over2, "ens18.100", netip.MustParseAddr(far)}
		must(t, s.hosts[1].KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18.100", Remote: left.under, Address: peerAddress + "/24"}))
		g := start(t, s.hosts[0], onVLAN("--remote", far)...)
		checkZeroCopy(t, g, "ens18.100")
		if u := g.status().Underlay; u.Tags != control.TagsOffloads || u.Below != "ens18" {
			t.Errorf("underlay %+v", u)
		}
		now, err := s.hosts[0].Offloads("ens18")
		must(t, err)
		if now["rx-vlan-hw-parse"] {
			t.Error("the card still takes tags out")
		}
		converse(t, left, right)
		pings(t, s.hosts[0], under2.String())
		pings(t, s.hosts[1], under1.String())
		if n := g.status().Underlay.Injected.Packets; n > 0 {
			t.Errorf("%d packets came by way of the kernel", n)
		}
		checkVerdicts(t, g)
		g.stop()
		after, err := s.hosts[0].Offloads("ens18")
		must(t, err)
		if after["rx-vlan-hw-parse"] != before["rx-vlan-hw-parse"] {
			t.Errorf("rx-vlan-hw-parse was %t, and is %t after gw", before["rx-vlan-hw-parse"], after["rx-vlan-hw-parse"])
		}
	})
}
