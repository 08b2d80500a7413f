package config

import "fmt"

// What is asked of packets from a tunnel, beside what every packet must be.

// CsumRx says what becomes of packets whose outer UDP checksum is wrong.
type CsumRx string

// The settings of CsumRx.
const (
	CsumVerify CsumRx = "verify" // dropped
	CsumIgnore CsumRx = "ignore" // as good as others
)

// ReservedBits are bits of the VXLAN header, its first byte the most significant, that must not be
// set: the mask that `ip link add type vxlan` calls reserved_bits.
type ReservedBits uint64

const (
	// ReservedIgnore is none of them (RFC 7348 section 5).
	ReservedIgnore ReservedBits = 0
	// ReservedStrict are all but the flag that says that there is a VNI, and the VNI: what the
	// kernel's device has when it is told nothing.
	ReservedStrict ReservedBits = 0xf7ffffff_000000ff
)

// MarshalText writes ignore, strict or the mask.
func (r ReservedBits) MarshalText() ([]byte, error) {
	switch r {
	case ReservedIgnore:
		return []byte("ignore"), nil
	case ReservedStrict:
		return []byte("strict"), nil
	}
	return fmt.Appendf(nil, "0x%016x", uint64(r)), nil
}

// UnmarshalText reads ignore, strict or a mask.
func (r *ReservedBits) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "ignore":
		*r = ReservedIgnore
	case "strict":
		*r = ReservedStrict
	default:
		n, err := parseUint(s, 1<<64-1)
		if err != nil {
			return fmt.Errorf("%s is no set of reserved bits (give ignore, strict or a mask like %#x)", show(s), uint64(ReservedStrict))
		}
		*r = ReservedBits(n)
	}
	return nil
}
