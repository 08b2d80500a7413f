package demo

import (
	"context"
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
	return vtep{
		name:  "node" + string('0'+rune(n)),
		gw:    gw,
		outer: netip.AddrFrom4([4]byte{10, 65, 132, 186 + n}),
		inner: netip.AddrFrom4([4]byte{172, 17, 1, 1 + n}),
	}
}

// pair makes two nodes that know one another.
func pair(gw1, gw2 bool) []vtep {
	a, b := node(1, gw1), node(2, gw2)
	a.peer, b.peer = b.outer, a.outer
	return []vtep{a, b}
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
		nodes: []vtep{node(1, true), node(2, false), node(3, false)},
		act:   multicast,
	}}
}

// pointToPoint pings both ways and with full frames.
func pointToPoint(ctx context.Context, st *stage) error {
	a, b := st.nodes[0], st.nodes[1]
	first, err := st.ping(ctx, a, b, "the first one waits for ARP", 1, 56)
	if err != nil {
		return err
	}
	st.packets("first ping, with ARP", first)
	st.check("the ARP request and its reply go through the tunnel", arpThere(first, a.outer, b.outer))
	if _, err := st.ping(ctx, a, b, "addresses are known now", 5, 56); err != nil {
		return err
	}
	if _, err := st.ping(ctx, b, a, "from the other end", 3, 56); err != nil {
		return err
	}
	return st.fullFrames(ctx, a, b)
}

// multicast lets gw speak first to one kernel device, and another kernel device to gw.
func multicast(ctx context.Context, st *stage) error {
	a, b, c := st.nodes[0], st.nodes[1], st.nodes[2]
	to := netip.MustParseAddr(group)
	st.check("node1 joins the group: its IGMP report is seen", st.joined(ctx, a))

	first, err := st.ping(ctx, a, b, "nobody knows where node2 is", 1, 56)
	if err != nil {
		return err
	}
	st.packets("ARP asks the group, the answer and all later packets are unicast", first)
	st.check("node1's first ARP request goes to "+group+", and its reply does not", arpThere(first, a.outer, to))
	st.check("packets to the group have TTL 1", onlyTTL1(first, to))
	st.check("the first echo request goes to node2 alone", noneTo(first, to, echoRequest))

	later, err := st.ping(ctx, a, b, "node1 and node2 know one another", 5, 56)
	if err != nil {
		return err
	}
	st.packets("no ARP any more, nothing goes to the group", later[:min(2, len(later))])
	st.check("no later packet goes to the group", noneTo(later, to, arpRequest, echoRequest))

	back, err := st.ping(ctx, c, a, "node3 speaks first: its ARP reaches gw by the group", 1, 56)
	if err != nil {
		return err
	}
	st.packets("node3 asks the group", back)
	st.check("node3's first ARP request goes to "+group+", and gw's reply does not", arpThere(back, c.outer, to))
	return st.fullFrames(ctx, a, c)
}
