package bench

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"vxgw/vxlan"
)

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
	nearSide side = 0x0202 // behind the port
	farSide  side = 0x0204 // behind the remote
)

// scatter spreads the numbers of stations over their MAC addresses: an odd factor
// gives each number below 2^32 another address.
const scatter = 2654435761

// mac returns the address of station i.
func (s side) mac(i uint32) uint64 { return uint64(s)<<32 | uint64(i*scatter) }

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

// putInner writes an inner frame of innerLen bytes. What tells flows apart is the
// UDP source port.
func putInner(f []byte, dst, src uint64, sport uint16) {
	f = f[:innerLen]
	clear(f)
	putMAC(f, dst)
	putMAC(f[6:], src)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip, udp := f[ipAt:udpAt], f[udpAt:]
	ip[0], ip[8], ip[9] = 0x45, innerTTL, 17
	binary.BigEndian.PutUint16(ip[2:], innerLen-ipAt)
	copy(ip[12:], []byte{172, 17, 1, 2, 172, 17, 1, 3})
	binary.BigEndian.PutUint16(ip[10:], ^vxlan.Fold(vxlan.Sum(ip, 0)))
	binary.BigEndian.PutUint16(udp[0:], sport)
	binary.BigEndian.PutUint16(udp[2:], 9) // discard
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	pseudo := vxlan.Sum(ip[12:], uint64(len(udp))+17)
	sum := ^vxlan.Fold(vxlan.Sum(udp, pseudo))
	if sum == 0 {
		sum = 0xffff // RFC 768: zero means none
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
}

// putOuter writes the outer headers of the remote in front of an inner frame, with
// the source port of that flow and without UDP checksum, as gw sends them.
func putOuter(p []byte, t *vxlan.Template, inner []byte) {
	var in vxlan.Inner
	vxlan.ParseInner(inner, &in) // of our own making
	t.Put((*[vxlan.Overhead]byte)(p), len(p)-vxlan.Overhead, vni, in.Flow(), 1)
}

// fromRemote returns the outer headers of packets from the remote to the device
// under test.
func fromRemote() (vxlan.Template, error) {
	return vxlan.NewTemplate(vxlan.TemplateConfig{
		SrcMAC: macBytes(remoteMAC), DstMAC: macBytes(underlayMAC),
		Src: remoteAddr, Dst: underlayAddr, DstPort: vxlan.Port, SrcPorts: [2]uint16{49152, 65535}, TTL: 64,
	})
}

// traffic is a number of prepared packets, one every stride bytes.
type traffic struct {
	bytes  []byte
	length int // of a packet
	stride int
}

// newTraffic prepares n packets of random stations, of which there are half as many
// on each side as macs says.
func newTraffic(d Direction, macs, n int) (traffic, error) {
	t := traffic{length: innerLen, stride: innerLen}
	template, err := fromRemote()
	if err != nil {
		return t, err
	}
	at := 0
	if d == Decap {
		at = vxlan.Overhead
		t.length += at
		t.stride = 128
	}
	t.bytes = make([]byte, n*t.stride)
	random := rand.New(rand.NewPCG(1, uint64(macs)))
	from, to := d.sides()
	half := uint32(max(macs/2, 1))
	for i := range n {
		p := t.bytes[i*t.stride:][:t.length]
		putInner(p[at:], to.mac(random.Uint32N(half)), from.mac(random.Uint32N(half)), uint16(random.Uint32()))
		if d == Decap {
			putOuter(p, &template, p[at:])
		}
	}
	return t, nil
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
