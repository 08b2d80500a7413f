package dataplane

// Verdict is what became of one received frame. Every frame that a worker takes
// from an rx ring or from Inject gets exactly one; the copies that flooding makes are
// counted apart, with the same words.
//
// The list below is the only one: counters, metrics, the status output and the
// documentation are all made from it.
type Verdict uint8

const (
	undecided Verdict = iota

	// The frame went on.
	ToPort
	ToRemote
	Flooded
	ToKernel

	// The frame was kept from tunnels, see suppress.go.
	Answered
	Suppressed

	// The frame was dropped because of the outer packet.
	Short
	NotIP
	IPLength
	IPChecksum
	IPOptions
	TTL
	Fragment
	Martian
	OuterMAC
	UDPLength
	UDPChecksum
	ZeroChecksum
	BadFlags
	ReservedBits
	UnknownVNI
	RemoteNotAllowed
	ECN

	// The frame was dropped because of the inner frame.
	InnerShort
	BadSourceMAC
	LinkLocal
	OwnMACLoop
	InnerVLAN
	StaticConflict
	MoveFrozen

	// The frame was dropped because of where it had to go.
	SamePort
	SplitHorizon
	Isolated
	NoTarget
	FloodOff
	StormLimit
	TooBig
	NoRoute
	NoNeighbour
	PortDown

	// The frame was dropped because the machine had no room for it.
	TxFull
	LaneFull
	NoFrame
	NoHeadroom

	verdictCount
)

// VerdictCount is the number of values of Verdict, for arrays indexed by it.
const VerdictCount = int(verdictCount)

// gone marks a row of a batch whose frame is sent and counted.
const gone = verdictCount

type verdictText struct{ name, sentence string }

var verdictTexts = [verdictCount]verdictText{
	undecided: {"undecided", "The frame is still being worked on."},

	ToPort:   {"to_port", "Sent to a local port."},
	ToRemote: {"to_remote", "Encapsulated and sent to a remote VTEP."},
	Flooded:  {"flooded", "Sent to every other port of its bridge domain and to the domain's remotes or group."},
	ToKernel: {"to_kernel", "Encapsulated and handed to the kernel, which resolves the next hop and sends it."},

	Answered:   {"answered", "Asked for a neighbour behind a tunnel and was answered on its behalf; the other ports had copies of it."},
	Suppressed: {"suppressed", "Asked for a neighbour behind a port, or announced one: flooded to the other ports, and kept from tunnels."},

	Short:            {"short", "The outer packet ends before its VXLAN header does."},
	NotIP:            {"not_ip", "The outer packet is not IPv4 or IPv6 with UDP right behind."},
	IPLength:         {"ip_length", "The outer IP length disagrees with the packet or with its header length."},
	IPChecksum:       {"ip_csum", "The outer IP header checksum is wrong."},
	IPOptions:        {"ip_options", "The outer IP options are malformed or ask for a source route."},
	TTL:              {"ttl", "The outer TTL is zero."},
	Fragment:         {"fragment", "The outer packet is a fragment, which only the kernel can reassemble."},
	Martian:          {"martian", "The outer source address cannot be a VTEP: zero, loopback, multicast, broadcast, IPv4 mapped into IPv6 or our own."},
	OuterMAC:         {"outer_mac", "The outer destination MAC address is neither the underlay's nor a group's."},
	UDPLength:        {"udp_length", "The outer UDP length disagrees with the IP length."},
	UDPChecksum:      {"udp_csum", "The outer UDP checksum is neither zero nor right."},
	ZeroChecksum:     {"zero_csum", "The outer UDP checksum is zero, which over IPv6 is for tunnels that ask for it (udp6zerocsumrx, RFC 6935)."},
	BadFlags:         {"bad_flags", "The VXLAN header does not say that it carries a VNI (RFC 7348 section 5)."},
	ReservedBits:     {"reserved_bits", "Reserved bits are set in the VXLAN header that the bridge domain does not allow (reserved_bits)."},
	UnknownVNI:       {"unknown_vni", "No bridge domain has this VNI."},
	RemoteNotAllowed: {"remote_not_allowed", "The VTEP is not among those that may send to the VNI (allow). Nearly all such packets are dropped by the XDP program."},
	ECN:              {"ecn", "Congestion was marked on the outer packet, but the inner one cannot carry the mark (RFC 6040 section 4.2)."},

	InnerShort:     {"inner_short", "The frame ends before its Ethernet header does."},
	BadSourceMAC:   {"bad_source_mac", "The frame's source MAC address is zero or multicast."},
	LinkLocal:      {"link_local", "The frame is addressed to the link itself (01:80:c2:00:00:0x), which a bridge never forwards."},
	OwnMACLoop:     {"own_mac_loop", "The frame came from the tunnel with the source MAC address of our own device: a loop."},
	InnerVLAN:      {"inner_vlan", "The frame's VLAN tag is not let through at its port, or the port has no such VLAN."},
	StaticConflict: {"static_conflict", "The frame's source MAC address is pinned elsewhere by a static FDB entry."},
	MoveFrozen:     {"move_frozen", "The frame's source MAC address has moved too often and stays where it was last: elsewhere."},

	SamePort:     {"same_port", "The destination is behind the port that the frame came from."},
	SplitHorizon: {"split_horizon", "The frame came from a tunnel and its destination is behind a tunnel."},
	Isolated:     {"isolated", "The frame came from an isolated port and its destination is behind another one."},
	NoTarget:     {"no_target", "The destination is unknown and there is nowhere to flood to: no other port, no remote, no group."},
	FloodOff:     {"flood_off", "Flooding of frames such as this one (broadcast, unknown unicast, multicast) is switched off in its bridge domain."},
	StormLimit:   {"storm_limit", "As many frames of its class as the bridge domain's storm limit allows were flooded in this second."},
	TooBig:       {"too_big", "The frame is larger than the MTU of the way to its destination."},
	NoRoute:      {"no_route", "The kernel has no route to the remote through the underlay interface."},
	NoNeighbour:  {"no_neighbour", "The remote's next hop is unresolved and the queue of frames that wait for it is full."},
	PortDown:     {"port_down", "The port or the underlay that the frame should leave by is down."},

	TxFull:     {"tx_full", "The tx ring of the interface that the frame should leave by is full."},
	LaneFull:   {"lane_full", "The exchange ring to the worker that has the queues of the interface is full."},
	NoFrame:    {"no_frame", "There was no free frame for a copy."},
	NoHeadroom: {"no_headroom", "The frame lies so near to the start of its memory that no outer header fits in front."},
}

// String returns the name that metrics and JSON use.
func (v Verdict) String() string { return verdictTexts[v].name }

// Sentence returns what v means, for people.
func (v Verdict) Sentence() string { return verdictTexts[v].sentence }

// Drop reports whether v means that the frame went nowhere.
func (v Verdict) Drop() bool { return v >= Short && v < gone }
