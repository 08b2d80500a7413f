package vxlan

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// complaint is a router's answer to a VXLAN packet of 1,500 bytes with VNI 42, of which it quotes so many bytes.
func complaint(quoted int, edits ...func(b []byte)) []byte {
	b := make([]byte, 28+quoted)
	copy(b, []byte{0x45, 0, 2: byte(len(b) >> 8), byte(len(b)), 8: 64, 9: 1, 12: 10, 65, 132, 1, 10, 65, 132, 187})
	copy(b[20:], []byte{3, 4, 6: 1400 >> 8, 1400 & 0xff})
	packet := []byte{0x45, 0, 1500 >> 8, 1500 & 0xff, 6: 0x40, 8: 63, 9: 17, 12: 10, 65, 132, 187, 10, 66, 0, 188,
		20: 0xc0, 1, 4789 >> 8, 4789 & 0xff, 1480 >> 8, 1480 & 0xff,
		28: 8, 34: 42, 49: 0}
	copy(b[28:], packet[:min(quoted, len(packet))])
	for _, e := range edits {
		e(b)
	}
	binary.BigEndian.PutUint16(b[22:], 0)
	if len(b) >= 28 {
		binary.BigEndian.PutUint16(b[22:], ^Fold(Sum(b[20:], 0)))
	}
	return b
}

func put(at int, bytes ...byte) func([]byte) { return func(b []byte) { copy(b[at:], bytes) } }

func TestParseComplaint(t *testing.T) {
	addr := netip.MustParseAddr
	want := Complaint{Router: addr("10.65.132.1"), MTU: 1400, Src: addr("10.65.132.187"), Dst: addr("10.66.0.188"), Len: 1500,
		SrcPort: 0xc001, DstPort: 4789, VNI: 42, Quoted: true}
	short := want
	short.VNI, short.Quoted = 0, false
	old := want
	old.MTU = 0
	for name, c := range map[string]struct {
		packet []byte
		want   Complaint
	}{
		"as Linux quotes":                  {complaint(548), want},
		"up to the VXLAN header":           {complaint(36), want},
		"as little as RFC 792 asks for":    {complaint(28), short},
		"a part of the VXLAN header":       {complaint(35), short},
		"of a router that says no MTU":     {complaint(36, put(26, 0, 0)), old},
		"first fragment":                   {complaint(36, put(34, 0x60, 0)), want},
		"with padding behind":              {append(complaint(36), 0, 0, 0), want},
		"an extension of RFC 4884 follows": {complaint(128, put(25, 32)), want},
	} {
		if got, ok := ParseComplaint(c.packet); !ok || !cmp.Equal(got, c.want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	wrong := complaint(36)
	wrong[30]++
	for name, packet := range map[string][]byte{
		"wrong checksum":               wrong,
		"cut":                          complaint(548)[:100],
		"nothing quoted":               complaint(0),
		"no UDP header":                complaint(27),
		"another ICMP":                 complaint(36, put(20, 11, 0)),
		"port unreachable":             complaint(36, put(21, 3)),
		"about TCP":                    complaint(36, put(37, 6)),
		"about IPv6":                   complaint(36, put(28, 0x65)),
		"header too short":             complaint(36, put(28, 0x44)),
		"header longer than the quote": complaint(28, put(28, 0x46)),
		"without DF":                   complaint(36, put(34, 0, 0)),
		"a later fragment":             complaint(36, put(34, 0x40, 1)),
		"lengths that differ":          complaint(36, put(52, 0, 100)),
		"what would have fitted":       complaint(36, put(26, 0x05, 0xdc)),
		"no VNI in the VXLAN header":   complaint(36, put(56, 0)),
		"no IPv4 packet":               complaint(36, put(0, 0x65)),
		"no ICMP":                      complaint(36, put(9, 17)),
		"empty":                        nil,
	} {
		if c, ok := ParseComplaint(packet); ok {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// complaint6 is complaint over IPv6: at 0 the IPv6 header, at 40 the ICMPv6 header, at 48 the packet, at 88 its UDP header.
func complaint6(quoted int, edits ...func(b []byte)) []byte {
	b := make([]byte, 48+quoted)
	copy(b, []byte{0x60, 4: byte((8 + quoted) >> 8), byte(8 + quoted), 58, 64})
	router, src, dst := netip.MustParseAddr("2001:db8:65::1"), netip.MustParseAddr("2001:db8:65::187"), netip.MustParseAddr("2001:db8:66::188")
	copy(b[8:], router.AsSlice())
	copy(b[24:], src.AsSlice())
	copy(b[40:], []byte{2, 6: 1400 >> 8, 1400 & 0xff})
	packet := make([]byte, 1500)
	copy(packet, []byte{0x60, 4: 1460 >> 8, 1460 & 0xff, 17, 63})
	copy(packet[8:], src.AsSlice())
	copy(packet[24:], dst.AsSlice())
	copy(packet[40:], []byte{0xc0, 1, 4789 >> 8, 4789 & 0xff, 1460 >> 8, 1460 & 0xff, 8: 8, 14: 42})
	copy(b[48:], packet[:quoted])
	for _, e := range edits {
		e(b)
	}
	seal6(b)
	return b
}

// seal6 makes the checksum right.
func seal6(b []byte) {
	end := 40 + (int(b[4])<<8 | int(b[5]))
	if end > len(b) || end < 48 {
		return
	}
	b[42], b[43] = 0, 0
	binary.BigEndian.PutUint16(b[42:], ^Fold(Sum(b[40:end], Sum(b[8:40], uint64(end-40)+58))))
}

func TestParseComplaint6(t *testing.T) {
	addr := netip.MustParseAddr
	want := Complaint{Router: addr("2001:db8:65::1"), MTU: 1400, Src: addr("2001:db8:65::187"), Dst: addr("2001:db8:66::188"), Len: 1500,
		SrcPort: 0xc001, DstPort: 4789, VNI: 42, Quoted: true}
	short := want
	short.VNI, short.Quoted = 0, false
	for name, c := range map[string]struct {
		packet []byte
		want   Complaint
	}{
		"as Linux quotes":            {complaint6(1232), want},
		"up to the VXLAN header":     {complaint6(56), want},
		"up to the UDP header":       {complaint6(48), short},
		"a part of the VXLAN header": {complaint6(55), short},
		"another code":               {complaint6(56, put(41, 1)), want},
		"with padding behind":        {append(complaint6(56), 0, 0, 0), want},
	} {
		if got, ok := ParseComplaint(c.packet); !ok || !cmp.Equal(got, c.want, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })) {
			t.Errorf("%s: %+v, %v", name, got, ok)
		}
	}
	wrong := complaint6(56)
	wrong[100]++
	for name, packet := range map[string][]byte{
		"wrong checksum":             wrong,
		"cut":                        complaint6(548)[:100],
		"nothing quoted":             complaint6(0),
		"no UDP header":              complaint6(47),
		"another ICMPv6":             complaint6(56, put(40, 3)),
		"about TCP":                  complaint6(56, put(54, 6)),
		"behind a fragment header":   complaint6(56, put(54, 44)),
		"about IPv4":                 complaint6(56, put(48, 0x45)),
		"lengths that differ":        complaint6(56, put(92, 0, 100)),
		"what would have fitted":     complaint6(56, put(46, 0x05, 0xdc)),
		"no room for UDP":            complaint6(56, put(46, 0, 0), put(52, 0, 0), put(92, 0, 0)),
		"an MTU of 32 bits":          complaint6(56, put(44, 1)),
		"no VNI in the VXLAN header": complaint6(56, put(96, 0)),
		"no ICMPv6":                  complaint6(56, put(6, 17)),
		"too short":                  complaint6(56)[:39],
		"too short for ICMPv6":       complaint6(56, put(4, 0, 7)),
	} {
		if c, ok := ParseComplaint(packet); ok {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// FuzzParseComplaint makes sure that what is accepted is there, whatever the bytes.
func FuzzParseComplaint(f *testing.F) {
	f.Add(complaint(548), true)
	f.Add(complaint(28), true)
	f.Add(complaint(36, put(26, 0, 0)), false)
	f.Add(complaint6(1232), true)
	f.Add(complaint6(48), true)
	f.Add(complaint6(56, put(46, 0, 0)), false)
	f.Fuzz(func(t *testing.T, b []byte, mend bool) {
		six := len(b) > 48 && b[0]>>4 == 6
		if mend && six {
			seal6(b)
		} else if mend && len(b) >= 28 {
			head, end := int(b[0]&15)*4, int(b[2])<<8|int(b[3])
			if head >= 20 && head+8 <= end && end <= len(b) {
				b[head+2], b[head+3] = 0, 0
				binary.BigEndian.PutUint16(b[head+2:], ^Fold(Sum(b[head:end], 0)))
			}
		}
		c, ok := ParseComplaint(b)
		if !ok {
			return
		}
		if six {
			if quote := b[48:]; b[40] != 2 || quote[6] != 17 || c.MTU >= c.Len || c.Len < 48 || c.Dst.AsSlice()[15] != quote[39] ||
				int(c.DstPort) != int(quote[42])<<8|int(quote[43]) {
				t.Errorf("% x: %+v", b, c)
			}
			return
		}
		icmp := b[int(b[0]&15)*4:]
		quote := icmp[8:]
		udp := quote[int(quote[0]&15)*4:]
		if icmp[0] != 3 || icmp[1] != 4 || quote[9] != 17 || quote[6]&0x40 == 0 || c.MTU >= c.Len || c.Len < 28 ||
			c.Dst.AsSlice()[0] != quote[16] || int(c.DstPort) != int(udp[2])<<8|int(udp[3]) {
			t.Errorf("% x: %+v", b, c)
		}
	})
}
