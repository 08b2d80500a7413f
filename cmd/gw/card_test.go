//go:build vmlab

package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"vxgw/control"
	"vxgw/internal/lab"
)

// The tests of cards run in the virtual machine of internal/vmlab, on its network
// cards, which the kernel drives in zero-copy mode. Every one asks for that.

func init() { emulated = true }

// trios are cards on one segment, by what the tests call them. Those called multi have
// two queues, as has every igb.
var trios = map[string][3]string{
	"igb":          {"igb0", "igb1", "igb2"},
	"virtio":       {"vio3", "vio4", "vio5"},
	"virtio multi": {"vio6", "vio7", "vio8"},
}

// newCardSegment gives each of a few hosts a card as ens18, with an address.
func newCardSegment(t *testing.T, cards ...string) *segment {
	t.Helper()
	s := &segment{lab: newLab(t), under: []netip.Addr{under1, under2, under3}, over: []netip.Addr{over1, over2, over3}}
	for i, card := range cards {
		h := newHost(t, s.lab, fmt.Sprintf("node%d", i+1))
		s.hosts = append(s.hosts, h)
		must(t, h.Adopt(card, "ens18"))
	}
	for i, h := range s.hosts {
		must(t, h.AwaitCarrier("ens18"))
		must(t, h.AddAddress("ens18", s.under[i].String()+"/24"))
	}
	return s
}

// newTrio is newCardSegment with the cards of a trio.
func newTrio(t *testing.T, kind string) *segment {
	t.Helper()
	cards := trios[kind]
	return newCardSegment(t, cards[:]...)
}

// eachKind runs a test for every kind of card, as the underlay.
func eachKind(t *testing.T, test func(t *testing.T, s *segment)) {
	for _, kind := range slices.Sorted(maps.Keys(trios)) {
		t.Run(kind, func(t *testing.T) { test(t, newTrio(t, kind)) })
	}
}

// checkZeroCopy wants every queue of an interface in zero-copy mode, as the kernel
// says.
func checkZeroCopy(t *testing.T, g *vtep, iface string) {
	t.Helper()
	s := g.status()
	all := []control.Interface{s.Underlay.Interface}
	for _, p := range s.Ports {
		all = append(all, p.Interface)
	}
	i := slices.IndexFunc(all, func(c control.Interface) bool { return c.Name == iface })
	if i < 0 || len(all[i].Queues) == 0 {
		t.Fatalf("%s has no queues in the status", iface)
	}
	for _, q := range all[i].Queues {
		if q.Mode != "zerocopy" {
			t.Errorf("queue %d of %s is in mode %s", q.Queue, iface, q.Mode)
		}
	}
}

func TestCardPointToPoint(t *testing.T) {
	eachKind(t, func(t *testing.T, s *segment) {
		right := s.kernel(t, 1, lab.VXLANConfig{Remote: under1})
		g, left := s.gw(t, 0, "--remote", under2.String())
		checkZeroCopy(t, g, "ens18")
		converse(t, left, right)
		checkPointToPoint(t, g, left, right)
		checkKernelAgrees(t, right, left)
		g.stop()
	})
}

// Two gw and a kernel device in one group. A card lets only through what the kernel
// has told it to, so that this takes the membership, too.
func TestCardMulticast(t *testing.T) {
	eachKind(t, func(t *testing.T, s *segment) {
		kernel := s.kernel(t, 2, lab.VXLANConfig{Group: group})
		wire, err := s.hosts[2].Capture("ens18", nil)
		must(t, err)
		ga, a := s.gw(t, 0, "--group", group.String())
		gb, b := s.gw(t, 1, "--group", group.String())
		converse(t, a, kernel)
		resolve(t, a, b)
		bulk(t, a, b)
		resolve(t, kernel, b)
		checkGroupUse(t, outers(t, wire, under1))
		for _, g := range []*vtep{ga, gb} {
			checkZeroCopy(t, g, "ens18")
			checkVerdicts(t, g)
			g.stop()
		}
	})
}

// gw is the bridge of two containers; behind the tunnel it is the kernel's.
func TestCardBridge(t *testing.T) {
	eachKind(t, func(t *testing.T, s *segment) {
		container := func(i int, link, name string, addr netip.Addr) end {
			c, err := s.hosts[i].BridgePort(link, name, addr.String()+"/24", lab.VethOptions{MTU: 1450})
			must(t, err)
			return end{host: c, dev: "veth0", addr: addr}
		}
		one, two := container(0, "veth1", "one", over1), container(0, "veth2", "two", over2)
		far := container(1, "veth1", "far", over3)
		must(t, s.hosts[1].Bridge("br0", "veth1"))
		must(t, s.hosts[1].KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: group, Master: "br0"}))
		g := start(t, s.hosts[0], on("--group", group.String(), "--port", "veth1", "--port", "veth2")...)
		checkZeroCopy(t, g, "ens18")
		converse(t, one, far)
		resolve(t, two, one)
		transfer(t, two, one, 1<<20)
		resolve(t, far, two)
		transfer(t, far, two, 1<<20)
		g.awaitFDB(learned(t, "gw42", end{host: far.host, dev: far.dev, under: under2}),
			one.mac(t)+" dev veth1 master gw42", two.mac(t)+" dev veth2 master gw42")
		checkVerdicts(t, g)
		g.stop()
	})
}
