package bench

import "net/netip"

// The traffic of every measurement: IPv4 UDP in Ethernet, from stations behind
// the port to stations behind the remote or the other way, with random stations and
// flows and correct checksums. On the underlay it is behind outer headers.

const (
	innerLen = 64 // bytes of an inner frame, without the frame check sequence
	vni      = 42

	underlayMAC = 0x0206_0000_0001 // of the device under test on the underlay
	remoteMAC   = 0x0206_0000_0002 // of the remote
)

var (
	underlayAddr = netip.MustParseAddr("10.0.0.1")
	remoteAddr   = netip.MustParseAddr("10.0.0.2")
)

// Direction is the way of the frames through the device under test.
type Direction uint8

// Directions.
const (
	Encap Direction = iota // port to tunnel
	Decap                  // tunnel to port
)

// String returns the name that tables and JSON use.
func (d Direction) String() string {
	if d == Encap {
		return "encap"
	}
	return "decap"
}

// MarshalText is String, for JSON.
func (d Direction) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// side is the upper 16 bits of a station's MAC address.
type side uint64

const (
	nearSide  side = 0x0202 // behind the port
	farSide   side = 0x0204 // behind the remote
	newcomers side = 0x0208 // where the frames come from, and nobody knows them
	wanderers side = 0x020a // where the frames come from, and the FDB has them elsewhere
)

// scatter spreads the numbers of stations over their MAC addresses: an odd factor
// gives each number below 2^32 another address.
const scatter = 2654435761

// mac returns the address of station i.
func (s side) mac(i uint32) uint64 { return uint64(s)<<32 | uint64(i*scatter) }

// numberOf returns the number of the station with an address: scatter times gather is 1, modulo 2^32.
func numberOf(mac uint64) uint32 { return uint32(mac) * gather }

const gather = 244002641

// sides returns where the frames of a direction come from and where they go.
func (d Direction) sides() (from, to side) {
	if d == Encap {
		return nearSide, farSide
	}
	return farSide, nearSide
}

// offsets in an inner frame.
const (
	ipAt     = 14
	udpAt    = ipAt + 20
	sportAt  = udpAt
	csumAt   = udpAt + 6
	innerTTL = 64
)

// putInner writes an inner frame of innerLen bytes, without mark and time. What tells flows
// apart is the UDP source port.
func putInner(f []byte, dst, src uint64, sport uint16) {
	putFrame(f[:innerLen], dst, src, sport, 0, 0)
}

func putMAC(b []byte, mac uint64) {
	m := macBytes(mac)
	copy(b, m[:])
}

// macBytes is a MAC address in the order of the wire.
func macBytes(mac uint64) (b [6]byte) {
	for i := range b {
		b[i] = byte(mac >> (40 - 8*i))
	}
	return b
}
