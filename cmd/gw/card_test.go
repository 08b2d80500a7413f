//go:build vmlab

package main

import (
	"testing"

	"vxgw/internal/lab"
)

// The tests of cards run in the virtual machine of internal/vmlab, on its network
// cards, which the kernel drives in zero-copy mode. Every one asks for that.

// cardPairs are cards that are back to back, by what the tests call them. A card of
// the second virtio pair has two queues, as has every igb.
var cardPairs = map[string][2]string{
	"igb":          {"igb0", "igb1"},
	"virtio":       {"vio3", "vio4"},
	"virtio multi": {"vio6", "vio7"},
}

// cards are network cards by the host that has each, as ens18.
type cards map[string]*lab.Host

// adopt waits for their carrier.
func (c cards) adopt(t *testing.T) {
	t.Helper()
	for name, h := range c {
		must(t, h.Adopt(name, "ens18"))
	}
	for _, h := range c {
		must(t, h.AwaitCarrier("ens18"))
	}
}

// checkZeroCopy wants every queue of an interface in zero-copy mode, as the kernel
// says.
func checkZeroCopy(t *testing.T, g *vtep, iface string) {
	t.Helper()
	s := g.status()
	queues := s.Underlay.Queues
	for _, p := range s.Ports {
		if p.Name == iface {
			queues = p.Queues
		}
	}
	if len(queues) == 0 || s.Underlay.Name != iface && len(queues) == len(s.Underlay.Queues) && &queues[0] == &s.Underlay.Queues[0] {
		t.Errorf("%s is not in the status", iface)
	}
	for _, q := range queues {
		if q.Mode != "zerocopy" {
			t.Errorf("queue %d of %s is in mode %s", q.Queue, iface, q.Mode)
		}
	}
}

func TestCardPointToPoint(t *testing.T) {
	for name, pair := range cardPairs {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
			cards{pair[0]: a, pair[1]: b}.adopt(t)
			must(t, a.AddAddress("ens18", under1.String()+"/24"))
			must(t, b.AddAddress("ens18", under2.String()+"/24"))
			must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.3/24"}))
			g := start(t, a, "--iface", "ens18", "--vni", "42", "--remote", under2.String(), "--address", "172.17.1.2/24")
			checkZeroCopy(t, g, "ens18")
			left, right := end{a, "gw42", over1, "ens18", under1}, end{b, "vxlan0", over2, "ens18", under2}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(output(t, a, "stats"))
				}
			})
			converse(t, left, right)
			checkPointToPoint(t, g, left, right)
			checkKernelAgrees(t, right, left)
			g.stop()
		})
	}
}
