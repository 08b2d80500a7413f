package fromkernel

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"

	"golang.org/x/sys/unix"
)

// attributes are those of a netlink message (struct nlattr, include/uapi/linux/netlink.h), without the flags in their types. A length
// that cannot be ends them, with an error.
func attributes(b []byte, failed *error) iter.Seq2[uint16, attribute] {
	return func(yield func(uint16, attribute) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size, kind := int(binary.NativeEndian.Uint16(b)), binary.NativeEndian.Uint16(b[2:])
			if size < unix.SizeofRtAttr || size > len(b) {
				*failed = fmt.Errorf("an attribute has %d bytes, and %d are left", size, len(b))
				return
			}
			if !yield(kind&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), attribute(b[unix.SizeofRtAttr:size])) {
				return
			}
			b = b[min(len(b), (size+3)&^3):]
		}
	}
}

// attribute is the value of one. What is too short reads as 0.
type attribute []byte

func (a attribute) u8() uint8 {
	if len(a) < 1 {
		return 0
	}
	return a[0]
}

func (a attribute) u32() uint32 {
	if len(a) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(a)
}

func (a attribute) be16(at int) uint16 {
	if len(a) < at+2 {
		return 0
	}
	return binary.BigEndian.Uint16(a[at:])
}

// addr is the zero Addr for an unspecified one, which stands for none.
func (a attribute) addr() netip.Addr {
	ip, ok := netip.AddrFromSlice(a)
	if !ok || ip.IsUnspecified() {
		return netip.Addr{}
	}
	return ip
}
