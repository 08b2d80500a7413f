//go:build vmlab

package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/doctor"
	"vxgw/internal/ethtool"
	"vxgw/internal/lab"
)

// Real drivers: what binds, what they are known for, and how they spread packets; and that only --probe takes a carrier.
func TestCardDoctor(t *testing.T) {
	carrier := func(t *testing.T, h *lab.Host) {
		t.Helper()
		l, err := h.Link("ens18")
		must(t, err)
		if l.Attrs().RawFlags&unix.IFF_LOWER_UP == 0 {
			t.Error("the carrier is gone")
		}
	}
	args := []string{"--iface", "ens18", "--vni", "42", "--remote", under2.String()}
	t.Run("igb", func(t *testing.T) {
		h := newTrio(t, "igb").hosts[0]
		must(t, h.Do(func() error {
			r, err := ethtool.GetRings("ens18")
			must(t, err)
			r.Rx = 256
			return ethtool.SetRings("ens18", r)
		}))
		must(t, h.AwaitCarrier("ens18"))
		r := diagnose(t, h, nil, args...)
		carrier(t, h)
		found(t, r, "underlay.mode", doctor.OK, "zero-copy, as a socket on a queue was answered")
		found(t, r, "underlay.driver", doctor.Warning, "ethtool -G ens18 rx 1024")
		found(t, r, "spread.queues", doctor.OK, "2 queues")
		found(t, r, "spread.table", doctor.OK, "all 2 queues")
		found(t, r, "spread.hash", doctor.Warning, "ethtool -N ens18 rx-flow-hash udp4 sdfn")
		if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == "spread.interrupts" }) {
			t.Errorf("its interrupts were not found: %+v, not seen: %+v", r.Findings, r.Unseen)
		}
		must(t, h.Do(func() error { return ethtool.HashUDPPorts("ens18") }))
		found(t, diagnose(t, h, nil, args...), "spread.hash", doctor.OK, "")
		r = diagnose(t, h, nil, append(args, "--probe")...)
		found(t, r, "underlay.mode", doctor.OK, "zero-copy, as a socket on a queue was answered, with an XDP program")
		must(t, h.AwaitCarrier("ens18"))
	})
	t.Run("virtio multi", func(t *testing.T) {
		h := newTrio(t, "virtio multi").hosts[0]
		r := diagnose(t, h, nil, args...)
		found(t, r, "underlay.mode", doctor.OK, "zero-copy is what the driver virtio_net offers")
		if !slices.ContainsFunc(r.Unseen, func(u doctor.Unseen) bool { return u.ID == "underlay.mode" && strings.Contains(u.Cure, "--probe") }) {
			t.Errorf("not seen: %+v", r.Unseen)
		}
		found(t, diagnose(t, h, nil, append(args, "--probe")...), "underlay.mode", doctor.OK, "zero-copy, as a socket")
	})
	t.Run("virtio without an IOMMU", func(t *testing.T) {
		h := newCardSegment(t, "vio9", "vio10").hosts[0]
		found(t, diagnose(t, h, nil, append(args, "--probe")...), "underlay.mode", doctor.Warning, "iommu_platform=on")
	})
	t.Run("a VLAN", func(t *testing.T) { // whose program would be on the card
		h := newTrio(t, "igb").hosts[0]
		must(t, h.VLAN("ens18", "ens18.100", 100))
		must(t, h.AddAddress("ens18.100", under3.String()+"/25"))
		must(t, h.SetSysctl("net/ipv4/conf/ens18.100/rp_filter", "1"))
		r := diagnose(t, h, nil, "--iface", "ens18.100", "--vni", "42")
		for id, subject := range map[string]string{"underlay.link": "ens18.100", "underlay.mtu": "ens18.100", "underlay.mode": "ens18", "spread.queues": "ens18"} {
			if !slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == id && f.Subject == subject && f.Level == doctor.OK }) {
				t.Errorf("%s says nothing of %s: %+v", id, subject, r.Findings)
			}
		}
		found(t, r, "traffic.rp_filter", doctor.Warning, "sysctl -w net/ipv4/conf/ens18.100/rp_filter=2")
	})
	t.Run("a bridge that snoops", func(t *testing.T) {
		h := newHost(t, newLab(t), "node1")
		must(t, h.Do(func() error {
			a, snoop := netlink.NewLinkAttrs(), true
			a.Name = "br0"
			return netlink.LinkAdd(&netlink.Bridge{LinkAttrs: a, MulticastSnooping: &snoop})
		}))
		must(t, h.SetUp("br0"))
		must(t, h.AddAddress("br0", under1.String()+"/24"))
		r := diagnose(t, h, nil, "--iface", "br0", "--vni", "42", "--group", group.String())
		found(t, r, "traffic.igmp", doctor.Warning, "ip link set dev br0 type bridge mcast_querier 1")
	})
}
