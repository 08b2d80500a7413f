package main

import (
	"testing"

	"github.com/vishvananda/netlink"
)

// A port that somebody puts into a Linux bridge and takes out again has not gone for a
// moment: it keeps its sockets, and its traffic.
func TestPortInAndOutOfBridge(t *testing.T) {
	t.Parallel()
	h, _, guest := newTriangle(t)
	g := start(t, h, everything()...)
	pings(t, guest, peerAddress)
	must(t, h.Bridge("br0"))
	must(t, h.SetMaster("veth1", "br0"))
	onLink(t, h, "veth1", netlink.LinkSetNoMaster)

	port := flap{h, "veth1", "veth1", "port veth1 of vni 42 is down"}
	port.down(t, g) // told after all that the bridge tells
	port.up(t, g)
	g.awaitHealth()
	if said := g.log.grep("the port has gone", "the port is back"); said != "" {
		t.Errorf("a port that leaves a bridge is taken for one that has gone: %s", said)
	}
	pings(t, guest, peerAddress)
	must(t, h.DeleteLink("br0"))
	g.stop()
}
