package bench

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"vxgw/vxlan"
)

// The frames of traffic.c, as Go has them: to prepare what does not change, and to
// check what arrives.

// Payload of every frame between namespaces: a mark that tells which generator it is
// from, and when it was made, in nanoseconds of the monotonic clock or 0.
const (
	markAt  = udpAt + 8
	stampAt = markAt + 4
	ipSrcAt = ipAt + 12
)

// Marks.
const (
	measured uint32 = 0x6d656173 // is counted at the sink
	primed   uint32 = 0x7072696d // makes stations known beforehand
	moving   uint32 = 0x6d6f7665 // of stations that move
)

// putFrame writes an inner frame that fills f.
func putFrame(f []byte, dst, src uint64, sport uint16, mark uint32, stamp uint64) {
	clear(f)
	putMAC(f, dst)
	putMAC(f[6:], src)
	binary.BigEndian.PutUint16(f[12:], 0x0800)
	ip, udp := f[ipAt:udpAt], f[udpAt:]
	ip[0], ip[8], ip[9] = 0x45, innerTTL, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(len(f)-ipAt))
	copy(ip[12:], []byte{172, 17, 1, 2, 172, 17, 1, 3})
	binary.BigEndian.PutUint16(ip[10:], ^vxlan.Fold(vxlan.Sum(ip, 0)))
	binary.BigEndian.PutUint16(udp[0:], sport)
	binary.BigEndian.PutUint16(udp[2:], 9) // discard
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
	binary.NativeEndian.PutUint32(f[markAt:], mark)
	binary.NativeEndian.PutUint64(f[stampAt:], stamp)
	sum := ^vxlan.Fold(vxlan.Sum(udp, vxlan.Sum(ip[12:], uint64(len(udp))+17)))
	if sum == 0 {
		sum = 0xffff // RFC 768: zero means none
	}
	binary.BigEndian.PutUint16(udp[6:], sum)
}

// sums are what traffic.c adds to for the checksums of a packet: of the words that do
// not change, in the machine's byte order, since one's complement sums do not mind
// (RFC 1071).
type sums struct{ ip, udp, outer uint32 }

// basePacket is a packet of a direction as long as its longest, with what traffic.c
// leaves as it is, and the sums of that.
func basePacket(d Direction, m Traffic, mark uint32) ([]byte, sums, error) {
	var s sums
	outer := 0
	if d == Decap {
		outer = vxlan.Overhead
	}
	size := m.largest()
	p := make([]byte, outer+m.tag(d)+size)
	inner := p[outer+m.tag(d):]
	putFrame(inner, 0, 0, 0, mark, 0)
	if m.tag(d) > 0 {
		binary.BigEndian.PutUint16(p[tagAt:], tpid)
	}
	words := func(b []byte) (sum uint32) {
		for ; len(b) > 1; b = b[2:] {
			sum += uint32(binary.NativeEndian.Uint16(b))
		}
		return sum
	}
	clear(inner[ipAt+2 : ipAt+4])   // total length
	clear(inner[ipAt+10 : ipAt+12]) // checksum
	s.ip = words(inner[ipAt:udpAt])
	protocol := []byte{0, 17}
	s.udp = words(inner[ipSrcAt:udpAt]) + words(protocol) + words(inner[udpAt+2:udpAt+4])
	if d == Decap {
		t, err := vxlan.NewTemplate(vxlan.TemplateConfig{
			SrcMAC: macBytes(remoteMAC), DstMAC: macBytes(underlayMAC),
			Src: remoteAddr, Dst: underlayAddr, DstPort: vxlan.Port, SrcPorts: [2]uint16{49152, 65535}, TTL: 64,
		})
		if err != nil {
			return nil, s, fmt.Errorf("prepare the outer headers: %w", err)
		}
		t.Put((*[vxlan.Overhead]byte)(p), size, vni, 0, 1) // without UDP checksum, as gw sends them
		clear(p[ipAt+2 : ipAt+4])
		clear(p[ipAt+10 : ipAt+12])
		clear(p[ipSrcAt : ipSrcAt+4])
		s.outer = words(p[ipAt:udpAt])
	}
	return p, s, nil
}

// remoteOf returns the address of remote i. All but the first are behind it.
func remoteOf(i int) netip.Addr {
	if i == 0 {
		return remoteAddr
	}
	return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
}

// remotesNet has all remotes but the first.
const remotesNet = "10.1.0.0/16"

// checkSent fails unless b is a frame of a station on one side to one on the other,
// byte for byte as the generator makes it.
func checkSent(b []byte, from, to side, mark uint32) error {
	if len(b) < stampAt+8 {
		return fmt.Errorf("inner frame of %d bytes", len(b))
	}
	dst, src := macWord(b), macWord(b[6:])
	if side(src>>32) != from || side(dst>>32) != to {
		return fmt.Errorf("inner frame from %#012x to %#012x: no stations of ours", src, dst)
	}
	want := make([]byte, len(b))
	putFrame(want, dst, src, binary.BigEndian.Uint16(b[sportAt:]), mark, binary.NativeEndian.Uint64(b[stampAt:]))
	if string(b) != string(want) {
		return fmt.Errorf("inner frame % x instead of % x", b, want)
	}
	return nil
}

// checkTunnelled fails unless b is a VXLAN packet from one VTEP to another with a frame
// as checkSent wants it inside, in the VNI of its station.
func checkTunnelled(b []byte, d Direction, m Traffic, mark uint32) error {
	var o vxlan.Outer
	if f := vxlan.ParseOuter(b, &o); f != vxlan.OK {
		return fmt.Errorf("outer headers: %v", f)
	}
	us, them := o.Src.Netip(), o.Dst.Netip()
	if d == Decap {
		us, them = them, us
	}
	switch {
	case o.Len < o.HeaderLen+12:
		return fmt.Errorf("inner frame of %d bytes", o.Len-o.HeaderLen)
	case o.VNI != m.vniOf(numberOf(macWord(b[o.HeaderLen+6:]))):
		return fmt.Errorf("VNI %d, and not that of %#012x", o.VNI, macWord(b[o.HeaderLen+6:]))
	case o.DstPort != vxlan.Port:
		return fmt.Errorf("UDP port %d instead of %d", o.DstPort, vxlan.Port)
	case us != underlayAddr || them != remoteAddr && !netip.MustParsePrefix(remotesNet).Contains(them):
		return fmt.Errorf("from %v to %v: no VTEPs of ours", o.Src.Netip(), o.Dst.Netip())
	}
	from, to := d.sides()
	return checkSent(b[o.HeaderLen:o.Len], from, to, mark)
}

// macWord reads a MAC address.
func macWord(b []byte) uint64 {
	return uint64(binary.BigEndian.Uint16(b))<<32 | uint64(binary.BigEndian.Uint32(b[2:]))
}
