package vxlan

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tooBig is PutTooBig on a copy of frame: the answer, nil for none.
func tooBig(t *testing.T, frame []byte, mtu int) []byte {
	t.Helper()
	var in Inner
	if ParseInner(frame, &in) != OK {
		return nil
	}
	room := random(rand.New(rand.NewPCG(1, 2)), TooBigRoom)
	b, check := guarded(t, join(room, frame))
	start, end := PutTooBig(b, &in, mtu)
	check()
	if !bytes.Equal(b[:start], room[:start]) || !bytes.Equal(b[max(end, TooBigRoom):], frame[max(end-TooBigRoom, 0):]) {
		t.Error("written to beside the answer")
	}
	if end == 0 {
		if !bytes.Equal(b[:TooBigRoom], room) {
			t.Error("written to without an answer")
		}
		return nil
	}
	return b[start:end]
}

// large4 and large6 are packets of 1500 bytes that begin with start behind their IP header.
func large4(proto byte, frag int, options, start []byte) []byte {
	return ip4(proto, frag, options, join(start, make([]byte, 1480-len(options)-len(start))))
}

func large6(next byte, start []byte) []byte {
	return ip6(next, join(start, make([]byte, 1460-len(start))))
}

func TestTooBig(t *testing.T) {
	const back = "020000000002 020000000001"
	packet4, packet6 := large4(17, 0x4000, nil, udp(9, make([]byte, 1472))), large6(17, udp(9, make([]byte, 1452)))
	head4 := "0800 45c0 0240 0000 4000 4001 23fb 0a000002 0a000001 0304"
	head6 := "86dd 60000000 04d8 3a40 20010db8000000000000000000000002 20010db8000000000000000000000001 0200"
	for _, c := range []struct {
		name  string
		frame []byte
		mtu   int
		want  []byte
	}{
		{"IPv4", ether("0800", packet4), 1450, join(unhex(back+head4+"ed98 0000 05aa"), packet4[:548])},
		{"IPv4, one byte too many", ether("0800", packet4), 1499, join(unhex(back+head4+"ed67 0000 05db"), packet4[:548])},
		{"IPv4, padded", ether("0800", join(packet4, make([]byte, 4))), 1450, join(unhex(back+head4+"ed98 0000 05aa"), packet4[:548])},
		{"IPv4, two tags", ether("88a8 6064 8100 0065 0800", packet4), 1442,
			join(unhex(back+"88a8 6064 8100 0065"+head4+"eda0 0000 05a2"), packet4[:548])},
		{"IPv6", ether("86dd", packet6), 1450, join(unhex(back+head6+"bbbf 0000 05aa"), packet6[:1232])},
		{"IPv6, tagged", ether("8100 e064 86dd", packet6), 1450, join(unhex(back+"8100 e064"+head6+"bbbf 0000 05aa"), packet6[:1232])},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, tooBig(t, c.frame, c.mtu)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A packet that is shorter than an answer may be is quoted whole.
func TestTooBigQuotesAll(t *testing.T) {
	packet := ip4(17, 0x4000, nil, udp(9, make([]byte, 72)))
	got := tooBig(t, ether("0800", packet), minMTU4)
	if len(got) != 14+28+100 || !bytes.Equal(got[14+28:], packet) || tooBig(t, ether("0800", packet), minMTU4-1) != nil {
		t.Errorf("answer % x", got)
	}
}

// What is answered, and what must not be.
func TestTooBigAnswers(t *testing.T) {
	icmp := func(typ byte) []byte { return []byte{typ, 0, 0, 0, 0, 0, 0, 0} }
	addr4 := func(at int, hex string) []byte {
		f := ether("0800", overwrite(large4(17, 0x4000, nil, nil), at, hex))
		mendIP(f)
		return f
	}
	addr6 := func(at int, hex string) []byte { return ether("86dd", overwrite(large6(17, nil), at, hex)) }
	ext := func(next, size byte) []byte { return join([]byte{next, size - 1}, make([]byte, int(size)*8-2)) }
	frag := func(next byte, off int) []byte { return join([]byte{next, 0}, be16(off), unhex("00000009")) }
	const none16 = "00000000000000000000000000000000"

	for _, c := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"TCP", ether("0800", large4(6, 0x4000, nil, tcp(nil))), true},
		{"without DF", ether("0800", large4(6, 0, nil, tcp(nil))), true},
		{"behind options", ether("0800", large4(6, 0x4000, make([]byte, 40), tcp(nil))), true},
		{"first fragment", ether("0800", large4(17, 0x2000, nil, udp(9, nil))), true},
		{"fragment in between", ether("0800", large4(17, 0x2001, nil, nil)), false},
		{"last fragment", ether("0800", large4(17, 0x0001, nil, nil)), false},
		{"last fragment of a long datagram", ether("0800", large4(17, 0x1000, nil, nil)), false},
		{"echo request", ether("0800", large4(1, 0x4000, nil, icmp(8))), true},
		{"echo request, first fragment", ether("0800", large4(1, 0x2000, nil, icmp(8))), true},
		{"unreachable", ether("0800", large4(1, 0x4000, nil, icmp(3))), false},
		{"unreachable behind options", ether("0800", large4(1, 0x4000, make([]byte, 8), icmp(3))), false},
		{"unreachable, first fragment", ether("0800", large4(1, 0x2000, nil, icmp(3))), false},
		{"source quench", ether("0800", large4(1, 0, nil, icmp(4))), false},
		{"redirect", ether("0800", large4(1, 0, nil, icmp(5))), false},
		{"time exceeded", ether("0800", large4(1, 0, nil, icmp(11))), false},
		{"parameter problem", ether("0800", large4(1, 0, nil, icmp(12))), false},
		{"wrong header checksum", ether("0800", overwrite(large4(17, 0x4000, nil, nil), 8, "3f")), false},
		{"fits, but for its padding", ether("0800", join(ip4(17, 0x4000, nil, make([]byte, 1430)), make([]byte, 50))), false},
		{"to a group's MAC", join(unhex("01005e000001"), ether("0800", large4(17, 0x4000, nil, nil))[6:]), false},
		{"to the broadcast MAC", join(unhex("ffffffffffff"), ether("0800", large4(17, 0x4000, nil, nil))[6:]), false},
		{"from 10.0.0.9", addr4(12, "0a000009"), true},
		{"from 0.0.0.0", addr4(12, "00000000"), false},
		{"from loopback", addr4(12, "7f000001"), false},
		{"from a group", addr4(12, "e0000001"), false},
		{"from broadcast", addr4(12, "ffffffff"), false},
		{"to a group", addr4(16, "efffffff"), false},
		{"to broadcast", addr4(16, "ffffffff"), false},
		{"to loopback", addr4(16, "7f000001"), false},

		{"TCP over IPv6", ether("86dd", large6(6, tcp(nil))), true},
		{"IPv6 echo behind extension headers", ether("86dd", large6(0, join(ext(60, 1), ext(43, 2), ext(58, 3), icmp(128)))), true},
		{"IPv6 error behind extension headers", ether("86dd", large6(0, join(ext(60, 1), ext(58, 3), icmp(1)))), false},
		{"IPv6 error behind authentication", ether("86dd", large6(51, join([]byte{58, 4}, make([]byte, 22), icmp(1)))), false},
		{"IPv6 echo behind authentication", ether("86dd", large6(51, join([]byte{58, 4}, make([]byte, 22), icmp(128)))), true},
		{"IPv6 without an end of headers", ether("86dd", large6(0, bytes.Repeat(ext(0, 1), 9))), false},
		{"IPv6 headers beyond the packet", ether("86dd", large6(0, []byte{60, 199})), false},
		{"IPv6 first fragment", ether("86dd", large6(44, join(frag(17, 1), udp(9, nil)))), true},
		{"IPv6 later fragment", ether("86dd", large6(44, join(frag(17, 9), udp(9, nil)))), false},
		{"IPv6 last fragment", ether("86dd", large6(44, join(frag(17, 8), udp(9, nil)))), false},
		{"IPv6 error, first fragment", ether("86dd", large6(44, join(frag(58, 1), icmp(3)))), false},
		{"IPv6 echo, first fragment", ether("86dd", large6(44, join(frag(58, 1), icmp(128)))), true},
		{"IPv6 redirect", ether("86dd", large6(58, icmp(137))), false},
		{"IPv6 error unknown", ether("86dd", large6(58, icmp(127))), false},
		{"IPv6 from nowhere", addr6(8, none16), false},
		{"IPv6 from loopback", addr6(8, none16[:30]+"01"), false},
		{"IPv6 from a group", addr6(8, "ff02"), false},
		{"IPv6 from a link-local address", addr6(8, "fe80"), true},
		{"IPv6 to a group", addr6(24, "ff05"), false},
		{"IPv6 to loopback", addr6(24, none16[:30]+"01"), false},

		{"ARP", ether("0806", make([]byte, 1500)), false},
		{"three tags", ether("88a8 0064 8100 0065 8100 0066 0800", large4(17, 0x4000, nil, nil)), false},
		{"beyond the frame", ether("0800", large4(17, 0x4000, nil, nil)[:1499]), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := tooBig(t, c.frame, 1450); (got != nil) != c.want {
				t.Errorf("answer % x", got)
			}
			if got := tooBig(t, c.frame, 1500); got != nil {
				t.Errorf("fits, answer % x", got)
			}
		})
	}
	if got := tooBig(t, ether("86dd", large6(6, tcp(nil))), minMTU6-1); got != nil {
		t.Errorf("an MTU below IPv6's, answer % x", got)
	}
}

// slowTooBig is PutTooBig put together from pieces, for what may be answered.
func slowTooBig(frame []byte, mtu int) []byte {
	l3 := 14
	for string(frame[l3-2:l3]) == "\x81\x00" || string(frame[l3-2:l3]) == "\x88\xa8" {
		l3 += 4
	}
	mac := join(frame[6:12], frame[:6], frame[12:l3])
	p := frame[l3:]
	p = p[:min(len(p), 40+int(p[4])<<8+int(p[5]))] // IPv6
	if p[0]>>4 == 4 {
		p = frame[l3:]
		p = p[:min(576-28, int(p[2])<<8+int(p[3]))]
		icmp := join(unhex("0304 0000 0000"), be16(mtu), p)
		copy(icmp[2:], be16(int(^slowSum(icmp))))
		h := join(unhex("45c0"), be16(28+len(p)), unhex("0000 4000 4001 0000"), p[16:20], p[12:16])
		copy(h[10:], be16(int(^slowSum(h))))
		return join(mac, h, icmp)
	}
	p = p[:min(1280-48, len(p))]
	icmp := join(unhex("0200 0000 0000"), be16(mtu), p)
	copy(icmp[2:], be16(int(^slowSum(join(p[24:40], p[8:24], []byte{0, 58}, be16(len(icmp))), icmp))))
	return join(mac, unhex("60000000"), be16(len(icmp)), []byte{58, 64}, p[24:40], p[8:24], icmp)
}

func FuzzTooBig(f *testing.F) {
	addFrames(f, func(frame []byte) { f.Add(frame, uint16(68)) })
	f.Add(ether("0800", large4(6, 0x4000, make([]byte, 40), tcp(nil))), uint16(1450))
	f.Add(ether("8100 0064 0800", large4(1, 0x2000, nil, []byte{8})), uint16(1446))
	f.Add(ether("88a8 0064 8100 0064 86dd", large6(44, unhex("3a000001 00000009 8000"))), uint16(1280))
	f.Add(ether("86dd", large6(0, join(unhex("3c000000 00000000 3a000000 00000000 80000000")))), uint16(1450))
	f.Fuzz(func(t *testing.T, frame []byte, mtu uint16) {
		if len(frame) >= 14+20 && frame[12] == 8 && frame[13] == 0 && len(frame) >= 14+int(frame[14]&15)*4 && frame[14]&15 >= 5 {
			mendIP(frame) // random bytes never have a right header checksum
		}
		got := tooBig(t, frame, int(mtu))
		if got == nil {
			return
		}
		if diff := cmp.Diff(slowTooBig(frame, int(mtu)), got); diff != "" {
			t.Error(diff)
		}
		var in Inner
		if ParseInner(got, &in) != OK || in.IPVersion == 0 || in.End != len(got) || in.TTL != 64 {
			t.Errorf("%+v", in)
		}
		if tooBig(t, got, 68) != nil {
			t.Error("an answer is answered")
		}
	})
}
