package demo

import (
	"context"
	"fmt"
	"net/netip"
)

// What all scenarios share, as in the article.
const (
	vni          = 42
	group        = "224.1.1.1"
	underlayBits = "/24"
	overlayBits  = "/24"
	mtu          = 1450 // of the overlay: 1500 less 50 for the outer headers
)

// scenario is one network and what is done in it.
type scenario struct {
	title, story string
	nodes        []vtep
	act          func(ctx context.Context, st *stage) error
}

// node makes the nth node of the article: its addresses follow from n.
func node(n byte, gw bool) vtep {
	v := vtep{
		end: end{
			name:  fmt.Sprintf("node%d", n),
			inner: netip.AddrFrom4([4]byte{172, 17, 1, 1 + n}),
		},
		gw:    gw,
		outer: netip.AddrFrom4([4]byte{10, 65, 132, 186 + n}),
	}
	v.link = v.device()
	return v
}

// holding puts containers on a node: their addresses follow from their numbers.
func (v vtep) holding(numbers ...byte) vtep {
	for i, n := range numbers {
		v.containers = append(v.containers, &container{
			end: end{
				name:  fmt.Sprintf("net%d", n),
				inner: netip.AddrFrom4([4]byte{172, 19, 1, 1 + n}),
				link:  "veth0",
			},
			port: fmt.Sprintf("veth%d", i+1),
		})
	}
	return v
}

// pair makes two nodes that know one another.
func pair(gw1, gw2 bool) []vtep {
	a, b := node(1, gw1), node(2, gw2)
	a.peer, b.peer = b.outer, a.outer
	return []vtep{a, b}
}

// trio makes three nodes that know their group only.
func trio(gw1, gw2, gw3 bool) []vtep { return []vtep{node(1, gw1), node(2, gw2), node(3, gw3)} }

// housed is trio with containers.
func housed(gw1, gw2, gw3 bool) []vtep {
	all := trio(gw1, gw2, gw3)
	return []vtep{all[0].holding(1, 2), all[1].holding(3), all[2].holding(4)}
}

// scenarios returns what the demo plays, in order.
func scenarios() []scenario {
	return []scenario{{
		title: "1a  Point to point: gw and the kernel's vxlan device",
		story: "Each end is told the address of the other.",
		nodes: pair(true, false),
		act:   pointToPoint,
	}, {
		title: "1b  Point to point: gw at both ends",
		story: "The same with gw on node2 too.",
		nodes: pair(true, true),
		act:   pointToPoint,
	}, {
		title: "2   Multicast: three VTEPs, none of which knows another",
		story: "All are told the group " + group + " only. They find one another by their traffic.",
		nodes: trio(true, false, false),
		act:   multicast,
	}, {
		title: "3   Multicast and bridges: containers on three hosts in one network",
		story: "gw is VTEP and bridge for the containers on node1. The others have the kernel's device and bridge.",
		nodes: housed(true, false, false),
		act:   bridged,
	}}
}

// pointToPoint pings both ways and with full frames.
func pointToPoint(ctx context.Context, st *stage) error {
	a, b := st.nodes[0], st.nodes[1]
	first, err := st.ping(ctx, &a.end, &b.end, "the first one waits for ARP", 1, 56)
	if err != nil {
		return err
	}
	st.packets("first ping, with ARP", first)
	st.check("the ARP request and its reply go through the tunnel", arpThere(first, a.outer, b.outer))
	if _, err := st.ping(ctx, &a.end, &b.end, "addresses are known now", 5, 56); err != nil {
		return err
	}
	if _, err := st.ping(ctx, &b.end, &a.end, "from the other end", 3, 56); err != nil {
		return err
	}
	return st.fullFrames(ctx, &a.end, &b.end)
}

// multicast lets gw speak first to one kernel device, and another kernel device to gw.
func multicast(ctx context.Context, st *stage) error {
	a, b, c := st.nodes[0], st.nodes[1], st.nodes[2]
	to := netip.MustParseAddr(group)
	st.check("node1 joins the group: its IGMP report is seen", st.joined(ctx, a))

	first, err := st.ping(ctx, &a.end, &b.end, "nobody knows where node2 is", 1, 56)
	if err != nil {
		return err
	}
	st.packets("ARP asks the group, the answer and all later packets are unicast", first)
	st.check("node1's first ARP request goes to "+group+", and its reply does not", arpThere(first, a.outer, to))
	st.check("packets to the group have TTL 1", onlyTTL1(first, to))
	st.check("the first echo request goes to node2 alone", noneTo(first, to, echoRequest))

	later, err := st.ping(ctx, &a.end, &b.end, "node1 and node2 know one another", 5, 56)
	if err != nil {
		return err
	}
	st.packets("no ARP any more, nothing goes to the group", later[:min(2, len(later))])
	st.check("no later packet goes to the group", noneTo(later, to, arpRequest, echoRequest))

	back, err := st.ping(ctx, &c.end, &a.end, "node3 speaks first: its ARP reaches gw by the group", 1, 56)
	if err != nil {
		return err
	}
	st.packets("node3 asks the group", back)
	st.check("node3's first ARP request goes to "+group+", and gw's reply does not", arpThere(back, c.outer, to))
	return st.fullFrames(ctx, &a.end, &c.end)
}

// bridged lets containers find one another, across hosts and on the same one.
func bridged(ctx context.Context, st *stage) error {
	a, b, c := st.nodes[0], st.nodes[1], st.nodes[2]
	net1, net2, net3, net4 := a.containers[0], a.containers[1], b.containers[0], c.containers[0]
	to := netip.MustParseAddr(group)
	st.check("node1 joins the group: its IGMP report is seen", st.joined(ctx, a))

	first, err := st.ping(ctx, &net1.end, &net3.end, "a container behind gw, one behind a kernel bridge", 1, 56)
	if err != nil {
		return err
	}
	st.packets("net1's ARP asks the group, the answer and all later packets are unicast", first)
	st.check("net1's ARP request goes to "+group+", and its reply does not", arpThere(first, a.outer, to))
	st.check("the first echo request goes to node2 alone", noneTo(first, to, echoRequest))
	st.neighbour(&net1.end, &net3.end)

	local, err := st.ping(ctx, &net1.end, &net2.end, "both behind gw, which is their bridge", 3, 56)
	if err != nil {
		return err
	}
	st.packets("the ARP request alone: an answer and packets for net2 have no business there", local)
	st.check("packets between net1 and net2 stay on node1", absent(local, &net1.end, &net2.end, arpReply, echoRequest, echoReply))

	back, err := st.ping(ctx, &net4.end, &net2.end, "net4 speaks first: its ARP reaches gw by the group", 3, 56)
	if err != nil {
		return err
	}
	st.check("net4's ARP request goes to "+group+", and net2's reply does not", arpThere(back, c.outer, to))
	return st.fullFrames(ctx, &net1.end, &net4.end)
}
