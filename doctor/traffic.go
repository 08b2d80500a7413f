package doctor

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

var trafficChecks = []Check{
	{"traffic.vxlan", "Kernel vxlan devices on the same UDP port: one with a VNI of ours gets no more frames from this underlay.", "`ip link del DEV`, or another VNI", "gateway/fit.go", kernelTwins},
	{"traffic.firewall", "Rules of nftables and iptables for what does not pass them by in XDP: outer fragments and packets with IP options that come in, the first packets to a remote that go out, IGMP. Each rule is applied to such packets; what it asks that is not known (who sends, marks, connections) is told apart from what certainly drops.",
		"`nft insert rule ... udp dport 4789 accept`, `iptables -I INPUT -p udp --dport 4789 -j ACCEPT`", "docs/architecture.md#what-the-kernel-was-left", firewall},
	{"traffic.rp_filter", "Reverse path filtering, which drops outer fragments, packets with options, and IGMP queries that come from where no packet to their sender would leave.",
		"`sysctl -w net.ipv4.conf.DEV.rp_filter=2`", "Documentation/networking/ip-sysctl.rst", reversePath},
	{"traffic.fragments", "Room for outer fragments, which the kernel puts together.", "`sysctl -w net.ipv4.ipfrag_high_thresh=4194304`", "Documentation/networking/ip-sysctl.rst", fragmentRoom},
	{"traffic.igmp", "What group membership needs: a socket may join groups, the interface is not forced to IGMPv1, and bridges that snoop are told of queriers.",
		"`sysctl -w net.ipv4.igmp_max_memberships=20`, `sysctl -w net.ipv4.conf.DEV.force_igmp_version=0`, `ip link set dev BRIDGE type bridge mcast_querier 1`", "igmp(4), net/bridge/br_multicast.c", groupMembership},
}

func kernelTwins(f *facts, n *notes) {
	if _, ok := seen(n, f.host.links, "kernel vxlan devices"); !ok {
		return
	}
	port := int(f.Config.Underlay.DstPort)
	before := len(n.report.Findings)
	var beside []string
	for _, v := range f.host.vxlans {
		if v.port != port || v.on != 0 && f.underlay != nil && v.on != f.underlay.info.Index {
			continue
		}
		switch {
		case v.external:
			beside = append(beside, v.name+" (external)")
		case slices.Contains(f.vnis, uint32(v.vni)):
			n.of(v.name).warn("ip link del "+v.name, "a kernel vxlan device has VNI %d and UDP port %d, too: it gets no more frames while gw runs", v.vni, port)
		default:
			beside = append(beside, fmt.Sprintf("%s (VNI %d)", v.name, v.vni))
		}
	}
	switch {
	case len(n.report.Findings) > before:
	case len(beside) > 0:
		n.ok("kernel vxlan devices on UDP port %d have other VNIs, and go on beside gw: %s", port, few(beside))
	default:
		n.ok("no kernel vxlan device is on UDP port %d", port)
	}
}

// few is a list of names for one sentence.
func few(names []string) string {
	const most = 4
	text := ""
	for i, name := range names[:min(len(names), most)] {
		if i > 0 {
			text += ", "
		}
		text += name
	}
	if more := len(names) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

func reversePath(f *facts, n *notes) {
	u := f.underlay
	if !u.there() {
		return
	}
	n = n.of(u.name)
	all, ok1 := seen(n, f.host.sysctls["ipv4/conf/all/rp_filter"], "rp_filter of all interfaces")
	own, ok2 := seen(n, f.host.sysctls["ipv4/conf/"+u.name+"/rp_filter"], "rp_filter")
	if !ok1 || !ok2 {
		return
	}
	if max(all, own) != 1 {
		n.ok("packets are not dropped for the way that they came (rp_filter is %d)", max(all, own))
		return
	}
	loose := "sysctl -w " + dots("net/ipv4/conf/"+u.name+"/rp_filter") + "=2"
	var others []string
	for _, r := range f.remotes {
		by := u.reverse[r]
		if !r.Is4() || by.err != nil {
			continue
		}
		if by.value != u.name {
			others = append(others, fmt.Sprintf("%s (by %s)", r, cmp.Or(by.value, "nothing")))
		}
	}
	switch {
	case len(others) > 0:
		n.warn(loose, "rp_filter is strict, and packets to %s leave elsewhere: what comes from there in fragments is dropped", few(others))
	case !slices.ContainsFunc(f.remotes, netip.Addr.Is4):
		n.warn(loose, "rp_filter is strict: fragments of VTEPs to which packets would leave elsewhere are dropped")
	default:
		n.ok("rp_filter is strict, and packets to all remotes leave by it")
	}
}

// leastFragments is room for some dozens of packets of 64 KiB in fragments, as the kernel counts.
const leastFragments = 1 << 20

func fragmentRoom(f *facts, n *notes) {
	for _, key := range []string{"ipv4/ipfrag_high_thresh", "ipv6/ip6frag_high_thresh"} {
		if key[:4] == "ipv6" && !f.overIPv6() {
			continue
		}
		room, ok := seen(n, f.host.sysctls[key], "net."+dots(key))
		switch {
		case !ok:
		case room < leastFragments:
			n.warn(fmt.Sprintf("sysctl -w net.%s=4194304", dots(key)), "the kernel has %d bytes for fragments (net.%s): packets that come in fragments are lost", room, dots(key))
		default:
			n.ok("the kernel has room for fragments (net.%s is %d)", dots(key), room)
		}
	}
}

func groupMembership(f *facts, n *notes) {
	u := f.underlay
	if !u.there() || len(f.groups) == 0 {
		return
	}
	n = n.of(u.name)
	before := len(n.report.Findings)
	if most, ok := seen(n, f.host.sysctls["ipv4/igmp_max_memberships"], "net.ipv4.igmp_max_memberships"); ok && most < 1 && slices.ContainsFunc(f.groups, netip.Addr.Is4) {
		n.fail("sysctl -w net.ipv4.igmp_max_memberships=20", "sockets may join no group (net.ipv4.igmp_max_memberships is %d)", most)
	}
	for _, of := range []string{"all", u.name} {
		if v := f.host.sysctls["ipv4/conf/"+of+"/force_igmp_version"]; v.err == nil && v.value == 1 {
			n.warn("sysctl -w "+dots("net/ipv4/conf/"+of+"/force_igmp_version")+"=0", "it is forced to IGMPv1, which leaves no group: switches go on sending for minutes")
		}
	}
	if b, ok := u.bridge.value, u.bridge.err == nil; ok && b.snoops && !b.asks {
		n.warn(fmt.Sprintf("ip link set dev %s type bridge mcast_querier 1", b.name), "the bridge %s snoops and asks nobody itself: unless there is another querier, switches forget members after minutes", b.name)
	}
	if len(n.report.Findings) == before {
		version := f.host.igmp.value[u.name]
		n.ok("%s can be joined (IGMP%s); switches that snoop want a querier, which tcpdump -ni %s igmp shows", count(len(f.groups), "group"), version, u.name)
	}
}
