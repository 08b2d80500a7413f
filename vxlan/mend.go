package vxlan

// Checksums that the kernel left to a NIC, over veth where there is none:
//
//	udpSettled, tcpSettled  QuickInner's look at plain IPv4
//	Mend, mend  TCP, UDP or SCTP of one frame
//	datagram    where UDP says that it ends
//	mendNested  before that, the frame in a VXLAN packet of a container's own
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
func Mend(frame []byte, in *Inner) bool { return mend(frame, in, 1) }

// udpSettled reports whether mend has nothing to do for the UDP header in the first eight bytes behind the IP header: its checksum
// does not look unfinished, and it carries no tunnel. sum is of the addresses.
func udpSettled(sum uint32, header uint64) bool {
	length, port := header>>16&0xffff, uint16(header>>32)
	return !congruent(uint64(sum)+protoUDP+length, uint16(header)) && port != Port && port != legacyPort
}

// tcpSettled is udpSettled for TCP: its header and data have length bytes.
func tcpSettled(sum uint32, length int, check uint16) bool {
	return length < 20 || !congruent(uint64(sum)+protoTCP+uint64(length), check)
}

// congruent reports whether a sum folds to f, or would if f were not 0: a one's complement sum is one modulo 0xffff.
func congruent(sum uint64, f uint16) bool { return (sum+0xffff-uint64(f))%0xffff == 0 }

// mend looks through as many levels of tunnels.
func mend(frame []byte, in *Inner, levels int) bool {
	if in.L4 == 0 || in.L4 > in.End || in.End > len(frame) {
		return false
	}
	segment := frame[in.L4:in.End]
	at, nested := 0, false
	switch in.Proto {
	case protoTCP:
		if len(segment) < 20 {
			return false
		}
		at = 16
	case protoUDP:
		segment = datagram(segment)
		if len(segment) < udpLen {
			return false
		}
		at = 6
		if port := binary.BigEndian.Uint16(segment[2:]); (port == Port || port == legacyPort) && levels > 0 {
			nested = mendNested(segment[udpLen:], levels-1)
		}
	case protoSCTP:
		return mendSCTP(segment)
	default:
		return false
	}
	// The pseudo-header (RFC 9293 section 3.1, RFC 8200 section 8.1). Its sum is never zero, so a UDP field of 0, which
	// means no checksum, never equals it.
	left := Fold(uint64(in.addrs) + uint64(in.Proto) + uint64(len(segment)))
	if binary.BigEndian.Uint16(segment[at:]) != left || in.addrs == 0 {
		return nested
	}
	return mendField(segment, at, left) || nested
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

// mendNested mends the frame behind the VXLAN header that payload starts with.
func mendNested(payload []byte, levels int) bool {
	var in Inner
	if len(payload) < vxlanLen || binary.BigEndian.Uint64(payload)&flagI == 0 || ParseInner(payload[vxlanLen:], &in) != OK {
		return false
	}
	return mend(payload[vxlanLen:], &in, levels)
}

// mendField writes the checksum of segment, whose field at holds left, the folded pseudo-header sum: it stands for the
// pseudo-header in the sum, and nothing is added. A result of 0 is sent as 0xffff, for TCP too, as the kernel does
// (skb_checksum_help in net/core/dev.c).
func mendField(segment []byte, at int, left uint16) bool {
	check := ^Fold(Sum(segment, 0))
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(segment[at:], check)
	return check != left
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
