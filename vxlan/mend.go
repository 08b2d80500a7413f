package vxlan

// Checksums that the kernel left to a NIC, over veth where there is none:
//
//	Mend        from the inside out
//	datagram    where UDP says that it ends
//	mendNested  the frame in a VXLAN packet of a container's own, one level deep
//	mendOne     TCP, UDP or SCTP of one frame
//	pseudo      what an unfinished TCP or UDP field holds
//	mendField, mendSCTP  complete one field

import (
	"encoding/binary"
	"hash/crc32"
)

// legacyPort is the VXLAN port of Linux before IANA gave one, still the default of `ip link add type vxlan`.
const legacyPort = 8472

// castagnoli is SCTP's polynomial (RFC 9260 appendix A); the table is the standard library's own and never written to.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Mend completes in place the checksums that a local sender over veth left unfinished: TCP and UDP whose field is the folded
// pseudo-header sum, not complemented (CHECKSUM_PARTIAL in include/linux/skbuff.h), and SCTP with a field of 0. It reports whether
// it wrote. in must come from ParseInner of this frame.
//
// A frame that was right already stays as it is, for then the completed value is the one that stands there. So do
// other wrong checksums, fragments, UDP without checksum, and packets whose lengths disagree. A UDP datagram to
// port 4789 or 8472 that carries VXLAN is looked through first, one level deep. Padding behind the IP packet does not count.
func Mend(frame []byte, in *Inner) bool {
	if in.L4 == 0 || in.End > len(frame) {
		return false
	}
	segment := frame[in.L4:in.End]
	if in.Proto != protoUDP {
		return mendOne(frame, in, segment)
	}
	segment = datagram(segment)
	if len(segment) >= udpLen+vxlanLen+etherLen {
		if port := binary.BigEndian.Uint16(segment[2:]); port == Port || port == legacyPort {
			nested := mendNested(segment[udpLen:])
			return mendOne(frame, in, segment) || nested
		}
	}
	return mendOne(frame, in, segment)
}

// datagram cuts segment to its UDP length, to nothing where that cannot be.
func datagram(segment []byte) []byte {
	if len(segment) < udpLen {
		return nil
	}
	length := int(binary.BigEndian.Uint16(segment[4:]))
	if length < udpLen || length > len(segment) {
		return nil
	}
	return segment[:length]
}

// mendNested mends the frame behind the VXLAN header that starts payload.
func mendNested(payload []byte) bool {
	if binary.BigEndian.Uint64(payload)&flagI == 0 {
		return false
	}
	var in Inner
	frame := payload[vxlanLen:]
	if ParseInner(frame, &in) != OK || in.L4 == 0 {
		return false
	}
	segment := frame[in.L4:in.End]
	if in.Proto == protoUDP {
		segment = datagram(segment)
	}
	return mendOne(frame, &in, segment)
}

// mendOne completes the transport checksum of segment, which lies in the frame itself.
func mendOne(frame []byte, in *Inner, segment []byte) bool {
	at := 0
	switch in.Proto {
	case protoTCP:
		if len(segment) < 20 {
			return false
		}
		at = 16
	case protoUDP:
		if len(segment) < udpLen {
			return false
		}
		at = 6
	case protoSCTP:
		return mendSCTP(segment)
	default:
		return false
	}
	sum, ok := pseudo(frame, in, len(segment))
	if !ok || binary.BigEndian.Uint16(segment[at:]) != Fold(sum) {
		return false
	}
	return mendField(segment, at, sum)
}

// pseudo returns the sum of the pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1) for length bytes. It is never zero, so
// a UDP field of 0, no checksum, never equals it.
func pseudo(frame []byte, in *Inner, length int) (sum uint64, ok bool) {
	sum = uint64(in.Proto) + uint64(length)
	if in.IPVersion == 4 {
		addrs := frame[in.L3+12 : in.L3+20]
		return sum + uint64(binary.BigEndian.Uint32(addrs)) + uint64(binary.BigEndian.Uint32(addrs[4:])), true
	}
	if in.finalDst == 0 {
		return 0, false
	}
	sum = Sum(frame[in.L3+8:in.L3+24], sum)
	return Sum(frame[in.finalDst:in.finalDst+16], sum), true
}

// mendField writes the checksum of segment, whose field at holds the folded pseudo-header sum. That stands for the pseudo-header in
// the sum; nothing is added. A result of 0 is sent as 0xffff, for TCP too, as the kernel does (skb_checksum_help in
// net/core/dev.c).
func mendField(segment []byte, at int, pseudo uint64) bool {
	check := ^Fold(Sum(segment, 0))
	if check == 0 {
		check = 0xffff
	}
	if check == Fold(pseudo) {
		return false
	}
	binary.BigEndian.PutUint16(segment[at:], check)
	return true
}

// mendSCTP fills in the CRC32c where its field is 0 (RFC 9260 section 6.8), low byte first.
func mendSCTP(segment []byte) bool {
	if len(segment) < 12 || binary.BigEndian.Uint32(segment[8:]) != 0 {
		return false
	}
	crc := crc32.Checksum(segment, castagnoli)
	binary.LittleEndian.PutUint32(segment[8:], crc)
	return crc != 0
}
