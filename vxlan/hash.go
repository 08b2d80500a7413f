package vxlan

import "math/bits"

// The fractional parts of the square roots of 2, 3, 5 and 7: bits without a pattern. They are fixed, so that a flow keeps
// its source port, and with it its path, across a restart.
const (
	key0 = 0x6a09e667f3bcc908
	key1 = 0xbb67ae8584caa73b
	key2 = 0x3c6ef372fe94f82b
	key3 = 0xa54ff53a5f1d36f1
)

// mix spreads every bit of a and b over all of the result: a full multiplication, folded.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^key0, b^key1)
	return hi ^ lo
}

// finish mixes once more: flows that differ in one place only would else be spread too evenly to be spread well together with
// others. The hash is the upper half.
func finish(h uint64) uint64 {
	hi, lo := bits.Mul64(h^key2, key3)
	return hi ^ lo
}

// mix4 mixes an IPv4 flow. ports is 0 where there are none or not in every packet.
func mix4(addrs uint64, ports uint32, proto uint8) uint64 {
	return finish(mix(addrs, uint64(ports)<<8|uint64(proto)))
}

// hash4 hashes an IPv4 flow.
func hash4(addrs uint64, ports uint32, proto uint8) uint32 {
	return uint32(mix4(addrs, ports, proto) >> 32)
}

// hash6 hashes an IPv6 flow.
func hash6(src0, src1, dst0, dst1 uint64, ports uint32, proto uint8) uint32 {
	src := mix(src0, src1)
	dst := mix(src^dst0, dst1)
	return uint32(finish(mix(dst, uint64(ports)<<8|uint64(proto))) >> 32)
}

// hashMAC hashes what is not IP, or cannot be read as such.
func hashMAC(dst, src uint64, etherType uint16) uint32 {
	return uint32(finish(mix(dst, src<<16|uint64(etherType))) >> 32)
}
