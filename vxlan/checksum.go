package vxlan

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds b to initial as big-endian 16-bit words in one's complement (RFC 1071); a last odd byte counts as if a zero
// followed it. Sums of pieces add up when every piece but the last has even length. Fold makes 16 bits of the result.
func Sum(b []byte, initial uint64) uint64 {
	// The words are added in the machine's little-endian order, eight bytes at a time, and turned round once at the
	// end: a one's complement sum does not mind (RFC 1071 section 2 (B)). Carries ride along the chain.
	var sum, c uint64
	for len(b) >= 64 {
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[0:8]), 0)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[8:16]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[16:24]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[24:32]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[32:40]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[40:48]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[48:56]), c)
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b[56:64]), c)
		sum += c
		b = b[64:]
	}
	for len(b) >= 8 {
		sum, c = bits.Add64(sum, binary.LittleEndian.Uint64(b), 0)
		sum += c
		b = b[8:]
	}
	sum, c = bits.Add64(sum, tail(b), 0)
	sum, c = bits.Add64(bits.ReverseBytes64(sum+c), initial, 0)
	return sum + c
}

// tail loads fewer than eight bytes as if zeros followed them.
func tail(b []byte) uint64 {
	var w uint64
	n := uint(0)
	if len(b) >= 4 {
		w = uint64(binary.LittleEndian.Uint32(b))
		n, b = 32, b[4:]
	}
	if len(b) >= 2 {
		w |= uint64(binary.LittleEndian.Uint16(b)) << n
		n, b = n+16, b[2:]
	}
	if len(b) == 1 {
		w |= uint64(b[0]) << n
	}
	return w
}

// Fold brings a sum down to 16 bits, not complemented: a checksum field holds ^Fold(sum). Only a sum of zero folds to zero.
func Fold(sum uint64) uint16 {
	w := fold32(sum)
	return uint16((w + bits.RotateLeft32(w, 16)) >> 16)
}

// fold32 brings a sum down to 32 bits. Only a sum of zero folds to zero.
func fold32(sum uint64) uint32 {
	// Adding the halves swapped leaves their sum in the upper half, its carry added already.
	return uint32((sum + bits.RotateLeft64(sum, 32)) >> 32)
}

// Update16 returns the checksum field check after one of the words it covers went from old to new
// (RFC 1624 equation 3). A field that was wrong stays as wrong as it was.
func Update16(check, old, new uint16) uint16 {
	return ^Fold(uint64(^check) + uint64(^old) + uint64(new))
}
