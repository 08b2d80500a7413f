package doctor

import (
	"cmp"
	"fmt"
	"strings"

	"vxgw/config"
)

var portChecks = []Check{
	{"port.link", "Whether each port is there, is an Ethernet interface, belongs to no bridge or bond, and is up.", "`ip link set dev PORT nomaster`, `ip link set dev PORT up`", "gateway/fit.go", portLink},
	{"port.mtu", "Whether the MTU of each port, and of the other end of a veth pair, is at most what the tunnel carries.", "`ip link set dev PORT mtu N`, and at its other end", "docs/mtu.md", portMTU},
	{"port.xdp", "XDP programs of others on ports.", "`ip link set dev PORT xdp off`", "dev_xdp_attach in net/core/dev.c", portProgram},
	{"port.queues", "Whether the other end of a veth pair sends on more queues than the port receives on, with which native XDP is refused.", "`ethtool -L PORT rx N`, or `ethtool -L PEER tx N`", "veth_xdp_set in drivers/net/veth.c", portQueues},
	{"port.driver", "What the drivers of ports are known for, as underlay.driver.", "as there", "gateway/drivers.go", portDriver},
	{"port.mode", "The mode that would bind, as underlay.mode.", "as there", "xsk_bind in net/xdp/xsk.c", portBound},
	{"port.tags", "VLAN tags that travel beside the frames where XDP cannot see them: before Linux 6.8, and in generic mode.", "`ethtool -K PEER txvlan off tx-vlan-stag-hw-insert off`", "docs/kernels.md, docs/vlan.md", portTags},
	{"port.offloads", "Segmentation offloads of whoever sends to a port where XDP runs in the stack, and GRO and LRO of the port: frames above the MTU are lost. Checksums that a veth's other end leaves to a NIC are completed by `gw`.",
		"`ethtool -K PEER tso off gso off tx-udp-segmentation off`, `ethtool -K PORT gro off`", "docs/operations.md, gateway/journal.go", portOffloads},
}

func portLink(f *facts, n *notes) {
	for _, p := range f.ports {
		n := n.of(p.name)
		switch {
		case p.err != nil:
			n.warn("make it, or name another; gw takes it when it comes", "%v", p.err)
		case p.fit != nil:
			text, cure := apart(p.fit.Error())
			n.fail(cure, "%s", text)
		case !p.info.Up:
			n.warn("ip link set dev "+p.name+" up", "it is down")
		case !p.info.Carrier:
			cure := "set its other end up"
			if other := p.peer.value; p.peer.err == nil {
				cure = other.at("ip link set dev " + other.name + " up")
			}
			n.warn(cure, "it has no carrier")
		default:
			n.ok("it is up (%s, driver %s)", p.info.Kind, cmp.Or(p.info.Driver, "none"))
		}
	}
}

// eachPort has look see those that are there.
func (f *facts) eachPort(n *notes, look func(p *iface, n *notes)) {
	for _, p := range f.ports {
		if p.there() {
			look(p, n.of(p.name))
		}
	}
}

func portMTU(f *facts, n *notes) {
	if !f.underlay.there() {
		return
	}
	f.eachPort(n, func(p *iface, n *notes) {
		takes := f.portTakes(p.name)
		tunnel := f.underlay.info.MTU - takes
		other, ok := p.peer.value, p.peer.err == nil
		switch {
		case p.info.MTU > tunnel:
			cure := fmt.Sprintf("ip link set dev %s mtu %d", p.name, tunnel)
			if ok && other.mtu > tunnel {
				cure += "; " + other.at(fmt.Sprintf("ip link set dev %s mtu %d", other.name, tunnel))
			}
			n.warn(cure, "its MTU is %d, and the tunnel carries %d (with an MTU of %d the underlay would do): larger packets are dropped, and their senders told by ICMP", p.info.MTU, tunnel, p.info.MTU+takes)
		case ok && other.mtu > p.info.MTU:
			n.warn(other.at(fmt.Sprintf("ip link set dev %s mtu %d", other.name, p.info.MTU)), "its other end %s has an MTU of %d and it has %d: what is larger is lost without a word", other.name, other.mtu, p.info.MTU)
		default:
			n.ok("its MTU of %d fits the tunnel's %d", p.info.MTU, tunnel)
		}
	})
}

func portProgram(f *facts, n *notes) {
	for _, p := range f.ports {
		f.noProgram(p, n)
	}
}

func portQueues(f *facts, n *notes) {
	f.eachPort(n, func(p *iface, n *notes) { vethQueues(p, n) })
	if f.underlay.there() && f.wire.there() {
		vethQueues(f.wire, n.of(f.wire.name))
	}
}

func vethQueues(p *iface, n *notes) {
	if !p.info.IsVeth {
		return
	}
	other, ok := seen(n, p.peer, "the queues of its other end")
	switch {
	case !ok:
	case other.txQueues > p.info.RxQueues:
		cure := other.at(fmt.Sprintf("ethtool -L %s tx %d", other.name, p.info.RxQueues))
		if p.channels.err == nil && other.txQueues <= int(p.channels.value.MaxRx) {
			cure = fmt.Sprintf("ethtool -L %s rx %d", p.name, other.txQueues)
		}
		n.fail(cure, "its other end %s sends on %d queues and it receives on %d, with which native XDP is refused", other.name, other.txQueues, p.info.RxQueues)
	default:
		n.ok("it receives on %s, its other end sends on %d", count(p.info.RxQueues, "queue"), other.txQueues)
	}
}

func portDriver(f *facts, n *notes) {
	for _, p := range f.ports {
		traps(f, p, n)
	}
}

func portBound(f *facts, n *notes) {
	for _, p := range f.ports {
		mode(f, p, n)
	}
}

func portTags(f *facts, n *notes) {
	f.eachPort(n, func(p *iface, n *notes) {
		if tells(p) && !f.generic(p) {
			n.ok("XDP sees VLAN tags")
			return
		}
		why := "this driver does not tell XDP of VLAN tags, which Linux 6.8 would"
		if f.generic(p) {
			why = "XDP in the stack does not see VLAN tags"
		}
		if !p.info.IsVeth {
			if on, ok := seen(n, p.offloads, "offloads"); ok && (on["rx-vlan-hw-parse"] || on["rx-vlan-stag-hw-parse"]) {
				n.ok("%s; gw switches off the offloads that take them out, while it runs", why)
			}
			return
		}
		other, ok := seen(n, p.peer, "the offloads of its other end")
		switch {
		case !ok:
		case !other.offloads["tx-vlan-hw-insert"] && !other.offloads["tx-vlan-stag-hw-insert"]:
			n.ok("VLAN tags are within the frames")
		case !other.elsewhere:
			n.ok("%s; gw switches off the offloads of %s that take them out, while it runs", why, other.name)
		default:
			n.warn(other.at("ethtool -K "+other.name+" txvlan off tx-vlan-stag-hw-insert off"), "%s, and %s sends them beside the frames: VLANs would be one", why, other.name)
		}
	})
}

// segmenting are the features of a sender that leaves cutting to others.
var segmenting = []struct{ feature, word string }{
	{"tx-tcp-segmentation", "tso"}, {"tx-tcp6-segmentation", "tso"}, {"tx-generic-segmentation", "gso"}, {"tx-udp-segmentation", "tx-udp-segmentation"},
}

func portOffloads(f *facts, n *notes) {
	f.eachPort(n, func(p *iface, n *notes) {
		if !f.generic(p) || p.info.IsVeth && f.Config.Underlay.Mode != config.ModeGeneric && p.bound.value.native == nil {
			if words, names := f.joins(p, p.offloads.value); len(words) > 0 {
				n.warn("ethtool -K "+p.name+" "+strings.Join(words, " "), "it joins packets (%s), and what is longer than the MTU is lost", strings.Join(names, ", "))
				return
			}
			n.ok("XDP in the driver sees frames as they were sent; checksums left to a NIC are completed")
			return
		}
		if on := p.offloads; !p.info.IsVeth && on.err == nil && on.value["rx-gro"] {
			n.warn("ethtool -K "+p.name+" gro off", "XDP in the stack gets what GRO has joined, and what is longer than the MTU is lost")
			return
		}
		other, ok := seen(n, p.peer, "the offloads of its other end")
		if !ok {
			return
		}
		var words []string
		for _, s := range segmenting {
			if word := s.word + " off"; other.offloads[s.feature] && (len(words) == 0 || words[len(words)-1] != word) {
				words = append(words, word)
			}
		}
		switch {
		case len(words) == 0:
			n.ok("its other end cuts packets by itself")
		case !other.elsewhere:
			n.ok("gw switches segmentation offloads of %s off while it runs", other.name)
		default:
			n.warn(other.at("ethtool -K "+other.name+" "+strings.Join(words, " ")), "its other end %s sends packets longer than the MTU, which XDP in the stack loses", other.name)
		}
	})
}
