// Package vxlan holds the wire formats as pure functions: the outer headers of RFC 7348, the inner frame's flow,
// checksums and ECN. It knows nothing of rings, tables or settings, keeps no state, and never allocates per packet.
//
// Towards a port, the calls come in this order, because each relies on what the one before left in the packet:
//
//	ParseOuter   check the outer headers, find the inner frame
//	ParseInner   find MACs, flow, TOS and the offsets the next steps need
//	ChecksumOK   the outer UDP checksum, of the packet as it came
//	Mend         complete what a veth sender left to a NIC that is not there
//	ChecksumOK   again where Mend wrote and it was wrong before: the sender may have counted on that
//	DecapECN     combine both ECN fields, or drop
//	SetTOS       write the result into the inner header
//
// Towards a tunnel: ParseInner, Mend, Headers.Put, and where the tunnel asks for it PutInherit and PutChecksum. What nearly all
// packets are is read by QuickOuter and QuickInner instead, which leave nothing to do for the steps up to the look-up of MACs,
// and sent with Template.Put, which knows one length of headers.
// PutTooBig makes the answer to a packet that does not fit the way to its tunnel's end.
//
// All functions may be called by any goroutine; what they are handed belongs to the caller, and nothing is kept.
// MAC addresses are the low 48 bits of a uint64, IPv4 addresses a uint32, both with the first byte on the wire the
// most significant: 02:00:00:00:00:01 is 0x020000000001, 10.0.0.1 is 0x0a000001. What may be of either family is an Addr.
package vxlan

const (
	// Port is the UDP destination port IANA gave to VXLAN (RFC 7348 section 5).
	Port = 4789

	// Overhead is what a tunnel over IPv4 puts in front of the inner frame, in bytes:
	// Ethernet 14, IPv4 without options 20, UDP 8, VXLAN 8.
	Overhead = etherLen + ip4Len + udpLen + vxlanLen

	// Overhead6 is the same over IPv6, without extension headers.
	Overhead6 = etherLen + ip6Len + udpLen + vxlanLen

	// MaxOverhead is the most that Headers put in front of an inner frame: over IPv6, with a VLAN tag.
	MaxOverhead = Overhead6 + tagLen

	// MaxInner is the longest inner frame an IPv4 total length can count, in bytes.
	MaxInner = 0xffff - ip4Len - udpLen - vxlanLen
)

const (
	etherLen = 14
	ip4Len   = 20
	ip6Len   = 40
	udpLen   = 8
	vxlanLen = 8
	tagLen   = 4 // 802.1Q
)

const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86dd
	typeVLAN = 0x8100 // 802.1Q
	typeQinQ = 0x88a8 // 802.1ad
)

const (
	protoICMP    = 1
	protoTCP     = 6
	protoUDP     = 17
	protoDCCP    = 33
	protoESP     = 50
	protoICMPv6  = 58
	protoSCTP    = 132
	protoUDPLite = 136
)

// Fault says what is wrong with a packet. The zero value OK means nothing is.
type Fault uint8

const (
	OK           Fault = iota
	Short              // ends before the headers it needs
	NotIP              // not an IP packet that can be read: EtherType, version or header length
	IPLength           // IP length beyond the frame or within its own header
	IPChecksum         // IPv4 header checksum wrong
	IPOptions          // IPv4 options malformed, or asking for a source route
	Fragment           // a piece of a datagram
	TTL                // TTL 0
	Martian            // source that no host has: zero, loopback, multicast, reserved, broadcast, IPv4 mapped into IPv6
	NotUDP             // another protocol, or an IPv6 extension header
	UDPLength          // UDP length beyond the IP packet, or too small for a VXLAN header
	UDPChecksum        // for the caller of ChecksumOK; no parser returns it
	BadFlags           // VXLAN header without the I flag
	ReservedBits       // for a strict caller, see Outer.Reserved; no parser returns it
	InnerShort         // inner frame ends before its Ethernet header does
)

var faultNames = [...]string{
	OK: "ok", Short: "short", NotIP: "not_ip", IPLength: "ip_length", IPChecksum: "ip_csum", IPOptions: "ip_options",
	Fragment: "fragment", TTL: "ttl", Martian: "martian", NotUDP: "not_udp", UDPLength: "udp_length",
	UDPChecksum: "udp_csum", BadFlags: "bad_flags", ReservedBits: "reserved_bits", InnerShort: "inner_short",
}

// String returns the fault's short name, as counters and metrics spell it.
func (f Fault) String() string {
	if int(f) < len(faultNames) {
		return faultNames[f]
	}
	return "unknown"
}
