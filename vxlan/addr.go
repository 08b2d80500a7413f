package vxlan

import (
	"encoding/binary"
	"net/netip"
)

// Addr is an IP address in 128 bits, the first byte on the wire the most significant; IPv4 is in its mapped form (RFC 4291 section
// 2.5.5.2). The zero value is no address. == compares.
type Addr struct{ Hi, Lo uint64 }

const mapped4 = 0xffff << 32

// Addr4 is an IPv4 address.
func Addr4(a uint32) Addr { return Addr{0, mapped4 | uint64(a)} }

// AddrOf returns a, whose zone does not count, and the zero Addr for the zero netip.Addr.
func AddrOf(a netip.Addr) Addr {
	if !a.IsValid() {
		return Addr{}
	}
	b := a.As16()
	return Addr{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Is4 tells an IPv4 address.
func (a Addr) Is4() bool { return a.Hi == 0 && a.Lo>>32 == 0xffff }

// Netip returns a as the standard library has it, IPv4 not mapped.
func (a Addr) Netip() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], a.Hi)
	binary.BigEndian.PutUint64(b[8:], a.Lo)
	return netip.AddrFrom16(b).Unmap()
}

// sum is the address's part of a pseudo-header's sum, not folded, below 2³⁴.
func (a Addr) sum() uint64 {
	if a.Is4() {
		return a.Lo & 0xffffffff
	}
	return a.Hi>>32 + a.Hi&0xffffffff + a.Lo>>32 + a.Lo&0xffffffff
}
