package gateway

import (
	"cmp"
	"fmt"
	"strings"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/vxlan"
)

// capture is what shows a packet where it comes from.
const capture = "look at what sends it: tcpdump -e -vv -XX there"

// cures says what to do about each verdict that means a drop; what stands in braces is filled in. Those of a kind that nothing
// is wrong with say so.
var cures = [dataplane.VerdictCount]string{
	dataplane.Short:            capture,
	dataplane.NotIP:            "nothing: the XDP program leaves such packets to the kernel, and workers do not see them",
	dataplane.IPLength:         capture,
	dataplane.IPChecksum:       capture + "; a NIC or a virtual machine on the way may count on checksum offload",
	dataplane.IPOptions:        "have the sender leave such options out",
	dataplane.TTL:              "have the VTEP send with a larger TTL: ip link set dev vxlan0 type vxlan ttl 64 there",
	dataplane.Fragment:         "nothing: the kernel puts fragments together, and what comes of it is worked on",
	dataplane.Martian:          "give the VTEP a local address that is another host's: ip -d link show type vxlan there",
	dataplane.OuterMAC:         "the VTEP has an old MAC address of {underlay}: ip neigh flush dev DEV there",
	dataplane.UDPLength:        capture,
	dataplane.UDPChecksum:      "switch the VTEP's checksum offload off (ethtool -K DEV tx off there), or take any: udpcsumrx: ignore in tunnel of vni {vni}",
	dataplane.ZeroChecksum:     "udp6zerocsumrx: true in tunnel of vni {vni}, or have the VTEP send checksums",
	dataplane.BadFlags:         capture + ": it may speak VXLAN-GPE, or something else on that port",
	dataplane.ReservedBits:     "reserved_bits in tunnel of vni {vni} names those that must not be set; the VTEP may speak an extension such as GBP",
	dataplane.UnknownVNI:       "gw vni add {vni} makes it one of the gateway's; until then XDP leaves such packets to the kernel",
	dataplane.RemoteNotAllowed: "gw remote allow add {vtep} --vni {vni}",
	dataplane.ECN:              "end the congestion on the way; that the frame is dropped is what RFC 6040 asks for",

	dataplane.InnerShort:     capture,
	dataplane.BadSourceMAC:   capture,
	dataplane.LinkLocal:      "nothing: such frames are for the next bridge, and gw is one",
	dataplane.OwnMACLoop:     "find the loop: something bridges {br} to the same VNI a second time",
	dataplane.InnerVLAN:      "gw port show says which tags are let through; add the VLAN (gw port add {port} --vlan VLAN --vni VNI), or send without a tag",
	dataplane.StaticConflict: "gw fdb del {src} dev {where}, if it has moved for good",
	dataplane.MoveFrozen:     "gw fdb history {src} shows who claims it; gw fdb del {src} dev {where} lets it move again",

	dataplane.SamePort:     "nothing: who is behind the same port has had the frame already; if not, gw fdb del {dst} dev {to}",
	dataplane.SplitHorizon: "nothing, if the VTEPs know one another; else gw fdb del {dst} dev {to}, or tell the sending VTEP where {dst} is",
	dataplane.Isolated:     "leave isolated out for one of the two ports: isolated: false in the file, and reload it",
	dataplane.NoTarget:     "gw remote add ADDRESS --vni {vni} adds a VTEP, gw port add PORT --vni {vni} a port",
	dataplane.FloodOff:     "flood, bcast_flood or mcast_flood of vni {vni} in the file, and reload it; or gw fdb add {dst} ... says where it is",
	dataplane.StormLimit:   "find who floods (gw stats), or raise storm of vni {vni} in the file, and reload it",
	dataplane.TooBig:       "send no more than fits: ip link set dev DEV mtu {fits} at the sender; or raise the MTU of {out}",
	dataplane.NoRoute:      "ip route get {remote} says what is missing; gw status why",
	dataplane.NoNeighbour:  "look for the next hop: ip neigh show dev {underlay}; ping {remote}",
	dataplane.PortDown:     "ip link set dev {out} up, and look for its carrier: ip link show dev {out}",

	dataplane.TxFull:     "the interface is slower than what is sent: gw stats --watch",
	dataplane.LaneFull:   "a worker is behind: gw stats --watch; more CPUs, or fewer queues",
	dataplane.NoFrame:    "dataplane.frames in the file, and start gw again",
	dataplane.NoHeadroom: "the driver leaves too little room in front of frames: --mode copy",
}

// cure is what to do about a verdict on a frame to a destination, if there is one.
func (s *story) cure(v dataplane.Verdict, to fdb.Dest, known bool) string {
	f := s.f
	fill := []string{"{underlay}", s.g.cfg.Underlay.Iface, "{src}", macText(f.Source.MAC()), "{dst}", macText(f.Target.MAC()), "{port}", s.cableName(f.Port)}
	if f.Domain != nil {
		fill = append(fill, "{vni}", fmt.Sprint(f.Domain.VNI), "{br}", s.domainName(), "{where}", s.dev(f.Was.Dest()))
	}
	var o vxlan.Outer
	if f.Port == dataplane.Underlay && vxlan.ParseOuter(f.Frame, &o) == vxlan.OK {
		fill = append(fill, "{vtep}", o.Src.Netip().String(), "{vni}", fmt.Sprint(o.VNI))
	}
	if known && f.Domain != nil {
		fill = append(fill, "{to}", s.dev(to), "{out}", s.leavesBy(to), "{fits}", fmt.Sprint(s.fits(to)))
		if to.IsRemote() {
			fill = append(fill, "{remote}", s.v.end(to.Index()).Addr.String())
		}
	}
	return strings.NewReplacer(fill...).Replace(cures[v])
}

// cableName is the interface that frames of a port come in by, whatever their VLAN.
func (s *story) cableName(n uint32) string {
	if p := s.v.port(fdb.PortDest(n)); p != nil && n != dataplane.Underlay {
		return p.label()
	}
	return cmp.Or(s.trunkOf(n), s.portName(n))
}

// dev is what gw fdb calls the place of an entry.
func (s *story) dev(to fdb.Dest) string {
	if to.IsRemote() {
		return s.domainName()
	}
	if p := s.v.port(to); p != nil {
		if p.trunk != nil {
			return fmt.Sprintf("%s vlan %s", p.label(), p.vlan)
		}
		return p.label()
	}
	return "DEV"
}

// fits is the largest MTU of a sender whose frames fit the way to a destination.
func (s *story) fits(to fdb.Dest) int {
	if !to.IsRemote() {
		if p := s.snap.Ports; int(to.Index()) < len(p) && p[to.Index()] != nil {
			return p[to.Index()].MTU
		}
		return 0
	}
	const ethernet = 14
	if p := s.path(to.Index()); p != nil {
		return p.MTU - p.Headers.Taken() - ethernet
	}
	return s.g.mirror.Link().MTU - vxlan.Overhead
}
