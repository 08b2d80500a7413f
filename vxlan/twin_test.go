package vxlan

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// Slow twins: the same formats read one byte at a time, straight from the RFCs' pictures, sharing no code with the package.

// slowSum is RFC 1071 two bytes at a time. It returns the folded sum.
func slowSum(parts ...[]byte) uint16 {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	if len(all)%2 == 1 {
		all = append(all, 0)
	}
	sum := 0
	for i := 0; i < len(all); i += 2 {
		sum += int(all[i])<<8 + int(all[i+1])
		if sum > 0xffff {
			sum -= 0xffff
		}
	}
	return uint16(sum)
}

// slowCRC is the CRC32c of RFC 9260 appendix A one bit at a time, as the four bytes on the wire.
func slowCRC(b []byte) []byte {
	crc := ^uint32(0)
	for _, x := range b {
		crc ^= uint32(x)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0x82f63b78
			} else {
				crc >>= 1
			}
		}
	}
	return binary.LittleEndian.AppendUint32(nil, ^crc)
}

// field is a transport checksum in a frame.
type field struct {
	at, size int
	segment  []byte // what it covers
	pseudo   []byte // the pseudo-header
	vxlan    []byte // the frame inside, when the segment is VXLAN
}

// slowFind finds the checksum field of a frame: TCP, UDP or SCTP over IPv4 or IPv6 without extension headers, whole and with lengths
// that agree.
func slowFind(f []byte) (field, bool) {
	at := 14
	if len(f) < at {
		return field{}, false
	}
	typ := hex.EncodeToString(f[12:14])
	for tags := 0; tags < 2 && (typ == "8100" || typ == "88a8") && len(f) >= at+4; tags++ {
		typ = hex.EncodeToString(f[at+2 : at+4])
		at += 4
	}
	p := f[at:]
	var proto byte
	var head, total int
	var addrs []byte
	switch {
	case typ == "0800" && len(p) >= 20 && p[0]>>4 == 4:
		head, total, proto, addrs = int(p[0]&15)*4, int(p[2])*256+int(p[3]), p[9], p[12:20]
		if p[6]&0x3f != 0 || p[7] != 0 {
			return field{}, false
		}
	case typ == "86dd" && len(p) >= 40 && p[0]>>4 == 6:
		head, total, proto, addrs = 40, 40+int(p[4])*256+int(p[5]), p[6], p[8:40]
	default:
		return field{}, false
	}
	if head < 20 || total < head || total > len(p) {
		return field{}, false
	}
	l4 := p[head:total]
	x := field{at: at + head, size: 2}
	switch {
	case proto == 6 && len(l4) >= 20:
		x.at += 16
	case proto == 17 && len(l4) >= 8:
		n := int(l4[4])*256 + int(l4[5])
		if n < 8 || n > len(l4) {
			return field{}, false
		}
		if port := int(l4[2])*256 + int(l4[3]); (port == 4789 || port == 8472) && n >= 30 && l4[8]&8 != 0 {
			x.vxlan = l4[16:n]
		}
		l4 = l4[:n]
		x.at += 6
	case proto == 132 && len(l4) >= 12:
		x.at += 8
		x.size = 4
	default:
		return field{}, false
	}
	x.segment = l4
	x.pseudo = append(append([]byte{}, addrs...), 0, proto, byte(len(l4)>>8), byte(len(l4)))
	return x, true
}

// value returns the field's bytes.
func (x field) value(f []byte) []byte { return f[x.at : x.at+x.size] }

// right reports whether the field is what a receiver wants. UDP without a checksum is.
func (x field) right(f []byte) bool {
	if x.size == 4 {
		b := append([]byte{}, x.segment...)
		clear(b[8:12])
		return string(slowCRC(b)) == string(x.value(f))
	}
	if x.pseudo[len(x.pseudo)-3] == 17 && string(x.value(f)) == "\x00\x00" {
		return true
	}
	return slowSum(x.pseudo, x.segment) == 0xffff
}

// unfinished reports whether the field is what a sender over veth leaves.
func (x field) unfinished(f []byte) bool {
	if x.size == 4 {
		return string(x.value(f)) == "\x00\x00\x00\x00"
	}
	return binary.BigEndian.Uint16(x.value(f)) == slowSum(x.pseudo)
}

// leave makes a field unfinished.
func (x field) leave(f []byte) {
	clear(x.value(f))
	if x.size == 2 {
		binary.BigEndian.PutUint16(x.value(f), slowSum(x.pseudo))
	}
}

// complete makes the field right.
func (x field) complete(f []byte) {
	clear(x.value(f))
	if x.size == 4 {
		copy(x.value(f), slowCRC(x.segment))
		return
	}
	check := ^slowSum(x.pseudo, x.segment)
	if check == 0 {
		check = 0xffff
	}
	binary.BigEndian.PutUint16(x.value(f), check)
}

// guarded copies b between guard bytes, with no capacity behind it, and returns it with a check that the guards stand.
func guarded(t *testing.T, b []byte) ([]byte, func()) {
	const guard = 64
	buf := make([]byte, guard+len(b)+guard)
	for i := range buf {
		buf[i] = 0xa5
	}
	copy(buf[guard:], b)
	return buf[guard : guard+len(b) : guard+len(b)], func() {
		t.Helper()
		for i, x := range buf {
			if (i < guard || i >= guard+len(b)) && x != 0xa5 {
				t.Fatalf("byte %d relative to the frame of %d was written", i-guard, len(b))
			}
		}
	}
}

// unhex reads hexadecimal with any white space in it.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// overwrite puts bytes at an offset.
func overwrite(b []byte, at int, hex string) []byte {
	copy(b[at:], unhex(hex))
	return b
}

func be16(n int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(n)) }

func join(parts ...[]byte) []byte {
	var all []byte
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// Frames by hand. ether puts MACs and type in front, tagged with VLANs first.
func ether(typ string, payload []byte) []byte {
	return join(unhex("020000000001 020000000002"+typ), payload)
}

// ip4 builds an IPv4 packet with options, a multiple of four bytes.
func ip4(proto byte, frag int, options, payload []byte) []byte {
	h := join([]byte{0x45 + byte(len(options)/4), 0}, be16(20+len(options)+len(payload)), be16(7), be16(frag),
		[]byte{64, proto, 0, 0}, []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}, options)
	binary.BigEndian.PutUint16(h[10:], ^slowSum(h))
	return join(h, payload)
}

// ip6 builds an IPv6 packet.
func ip6(next byte, payload []byte) []byte {
	src, dst := netip.MustParseAddr("2001:db8::1").As16(), netip.MustParseAddr("2001:db8::2").As16()
	return join([]byte{0x60, 0, 0, 0}, be16(len(payload)), []byte{next, 64}, src[:], dst[:], payload)
}

func tcp(payload []byte) []byte {
	return join(be16(1000), be16(80), unhex("00000001 00000002 5018 0100 0000 0000"), payload)
}

func udp(dst int, payload []byte) []byte {
	return join(be16(1000), be16(dst), be16(8+len(payload)), be16(0), payload)
}

func sctp(payload []byte) []byte { return join(be16(1000), be16(2000), make([]byte, 8), payload) }

func vx(frame []byte) []byte { return join(unhex("08000000 00002a00"), frame) }

// slowMend is Mend for frames without IPv6 extension headers.
func slowMend(f []byte) {
	x, ok := slowFind(f)
	if !ok {
		return
	}
	if y, ok := slowFind(x.vxlan); ok && y.unfinished(x.vxlan) {
		y.complete(x.vxlan)
	}
	if x.unfinished(f) {
		x.complete(f)
	}
}

// finished makes the frame's checksum right, that of what it carries first.
func finished(f []byte) []byte {
	if x, ok := slowFind(f); ok {
		if x.vxlan != nil {
			finished(x.vxlan)
		}
		x.complete(f)
	}
	return f
}

func random(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// kernelFrames reads testdata/kernel.txt.
func kernelFrames(t testing.TB) map[string][]byte {
	t.Helper()
	frames := map[string][]byte{}
	for line := range strings.Lines(readFile(t, "testdata/kernel.txt")) {
		if name, data, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			frames[name] = unhex(data)
		}
	}
	if len(frames) < 20 {
		t.Fatalf("testdata/kernel.txt has only %d frames", len(frames))
	}
	return frames
}

func readFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
