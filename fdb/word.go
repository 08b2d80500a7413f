package fdb

import "fmt"

// Key names an entry: bridge domain index in the upper 16 bits, MAC address (network order read as an integer) in
// the lower 48. Zero is no key.
type Key uint64

// MakeKey joins a bridge domain index and a MAC; bits of mac above 48 are cut off.
func MakeKey(domain uint16, mac uint64) Key { return Key(uint64(domain)<<48 | mac&(1<<48-1)) }

// Domain is the bridge domain index.
func (k Key) Domain() uint16 { return uint16(k >> 48) }

// MAC is the address as an integer: its first octet on the wire is bits 40 to 47.
func (k Key) MAC() uint64 { return uint64(k) & (1<<48 - 1) }

// IsZero tells the zero key, which no method stores or finds.
func (k Key) IsZero() bool { return k == 0 }

// String prints domain/mac for logs and errors.
func (k Key) String() string {
	m := k.MAC()
	return fmt.Sprintf("%d/%02x:%02x:%02x:%02x:%02x:%02x", k.Domain(),
		byte(m>>40), byte(m>>32), byte(m>>24), byte(m>>16), byte(m>>8), byte(m))
}

// Dest is where a MAC lives, in 24 bits: a port index, or a remote index with the top bit set.
type Dest uint32

// MaxIndex is the largest port or remote index a Dest holds; PortDest and RemoteDest cut larger ones off.
const MaxIndex = 1<<23 - 1

const (
	remoteBit = MaxIndex + 1
	destMask  = 1<<24 - 1
)

// PortDest is the destination for port index i.
func PortDest(i uint32) Dest { return Dest(i & MaxIndex) }

// RemoteDest is the destination for remote index i.
func RemoteDest(i uint32) Dest { return Dest(i&MaxIndex | remoteBit) }

// IsRemote tells a remote from a port.
func (d Dest) IsRemote() bool { return d&remoteBit != 0 }

// Index is the port or remote index.
func (d Dest) Index() uint32 { return uint32(d & MaxIndex) }

// String prints "port 3" or "remote 7".
func (d Dest) String() string {
	if d.IsRemote() {
		return fmt.Sprintf("remote %d", d.Index())
	}
	return fmt.Sprintf("port %d", d.Index())
}

// Kind says who made an entry and who may change it.
type Kind uint8

const (
	// Learned entries come from traffic: they move, age and count against the domain's limit.
	Learned Kind = iota + 1
	// Static entries come from the operator: neither learning nor ageing touches them.
	Static
	// Extern entries come from a control plane; learning and ageing leave them alone too.
	Extern
)

// String is the kind in the words of bridge(8).
func (k Kind) String() string {
	switch k {
	case Learned:
		return "learned"
	case Static:
		return "static"
	case Extern:
		return "extern_learn"
	}
	return "none"
}

// Value is all the table knows of a key, in one word: Dest in bits 0 to 23, Kind in 24 and 25, last-seen seconds in
// 32 to 63. Zero means not found; a found value is never zero because its Kind is not. Bits 26 to 31 are the
// table's own (see bucket.go) and zero in every Value it hands out.
type Value uint64

const (
	kindShift = 24
	kindMask  = 3
	seenShift = 32
	valueMask = uint64(0xffffffff_03ffffff)
)

func makeValue(d Dest, k Kind, seen uint32) Value {
	return Value(uint64(d&destMask) | uint64(k&kindMask)<<kindShift | uint64(seen)<<seenShift)
}

// Dest is where the MAC lives.
func (v Value) Dest() Dest { return Dest(v & destMask) }

// Kind is who made the entry.
func (v Value) Kind() Kind { return Kind(v>>kindShift) & kindMask }

// Seen is the second, on the caller's monotonic clock, in which the entry was made, moved or last refreshed.
func (v Value) Seen() uint32 { return uint32(v >> seenShift) }

// Found tells an entry from a miss.
func (v Value) Found() bool { return v != 0 }

// Seen is the value of an entry that was learned at d in second now: who looks it up knows without a call that Learn would find
// nothing to do.
func Seen(d Dest, now uint32) Value { return makeValue(d, Learned, now) }

// Fresh tells, from a value looked up before, that Learn of the same key at d in second now would find nothing to do: the
// worker that looked up a whole batch calls Learn only for the rest.
func (v Value) Fresh(d Dest, now uint32) bool {
	return v != 0 && v.Dest() == d&destMask && (v.Kind() != Learned || v.age(now) == 0)
}

// age is the time in seconds since the entry was seen; a Seen ahead of now (another worker's later clock read) is 0.
func (v Value) age(now uint32) uint32 {
	if d := now - v.Seen(); int32(d) > 0 {
		return d
	}
	return 0
}
