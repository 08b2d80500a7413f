package vxlan

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mendCopy parses and mends a guarded copy of frame.
func mendCopy(t *testing.T, frame []byte) (mended []byte, wrote bool) {
	t.Helper()
	mended, check := guarded(t, frame)
	var in Inner
	if fault := ParseInner(mended, &in); fault != OK {
		t.Fatalf("fault %v", fault)
	}
	wrote = Mend(mended, &in)
	check()
	if same := string(mended) == string(frame); wrote == same {
		t.Errorf("wrote is %v, but bytes the same: %v", wrote, same)
	}
	return mended, wrote
}

// transports builds a frame of every kind that Mend completes, right ones.
func transports(payload []byte) map[string][]byte {
	inside := finished(ether("86dd", ip6(6, tcp(payload))))
	nest := vx(inside)
	return map[string][]byte{
		"TCP":              finished(ether("0800", ip4(6, 0, nil, tcp(payload)))),
		"UDP":              finished(ether("0800", ip4(17, 0, nil, udp(9, payload)))),
		"SCTP":             finished(ether("0800", ip4(132, 0, nil, sctp(payload)))),
		"TCP, options":     finished(ether("0800", ip4(6, 0, unhex("94040000"), tcp(payload)))),
		"TCP, tagged":      finished(ether("8100 0064 0800", ip4(6, 0, nil, tcp(payload)))),
		"TCP, padded":      append(finished(ether("0800", ip4(6, 0, nil, tcp(payload)))), "padding"...),
		"TCP over IPv6":    finished(ether("86dd", ip6(6, tcp(payload)))),
		"UDP over IPv6":    finished(ether("86dd", ip6(17, udp(9, payload)))),
		"SCTP over IPv6":   finished(ether("86dd", ip6(132, sctp(payload)))),
		"tunnel":           finished(ether("0800", ip4(17, 0, nil, udp(4789, nest)))),
		"old tunnel, IPv6": finished(ether("86dd", ip6(17, udp(8472, nest)))),
	}
}

// completeRouted completes TCP behind a segment routing header of one address, which the pseudo-header takes as destination.
func completeRouted(f []byte) []byte {
	segment := f[14+40+24:]
	clear(segment[16:18])
	pseudo := join(f[14+8:14+24], f[14+40+8:14+40+24], []byte{0, 6}, be16(len(segment)))
	binary.BigEndian.PutUint16(segment[16:], ^slowSum(pseudo, segment))
	return f
}

func TestMendCompletesAndKeeps(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for n := range 400 {
		for name, right := range transports(random(r, n)) {
			if got, wrote := mendCopy(t, right); wrote {
				t.Fatalf("%s, %d bytes: a right frame was changed: %s", name, n, cmp.Diff(right, got))
			}
			left := append([]byte{}, right...)
			x, ok := slowFind(left)
			if !ok {
				t.Fatalf("%s: the slow twin finds no checksum", name)
			}
			if x.vxlan != nil {
				// A tunnel sender's checksum is right for the finished inner frame, or left because the inner one was finished.
				y, _ := slowFind(x.vxlan)
				if n%2 == 0 {
					y.leave(x.vxlan)
				} else {
					x.leave(left)
				}
			} else {
				x.leave(left)
			}
			if got, _ := mendCopy(t, left); string(got) != string(right) {
				t.Fatalf("%s, %d bytes: %s", name, n, cmp.Diff(right, got))
			}
		}
	}
}

// Every value of one word, so that sums of 0 and of all ones are among them.
func TestMendSumsToZero(t *testing.T) {
	for _, frame := range [][]byte{
		ether("0800", ip4(6, 0, nil, tcp(be16(0)))),
		ether("0800", ip4(17, 0, nil, udp(9, be16(0)))),
	} {
		x, _ := slowFind(frame)
		var in Inner
		ParseInner(frame, &in)
		ones := 0
		for i := range 1 << 16 {
			binary.BigEndian.PutUint16(frame[len(frame)-2:], uint16(i))
			x.leave(frame)
			ParseInner(frame, &in)
			Mend(frame, &in)
			if string(x.value(frame)) == "\xff\xff" {
				ones++
			}
			if string(x.value(frame)) == "\x00\x00" || !x.right(frame) {
				t.Fatalf("payload %#x: checksum %x", i, x.value(frame))
			}
			if Mend(frame, &in) {
				t.Fatalf("payload %#x: mended twice", i)
			}
		}
		if ones == 0 {
			t.Error("no payload had a checksum of all ones")
		}
	}
}

func TestMendLeavesAlone(t *testing.T) {
	unfinished := func(f []byte) []byte {
		x, ok := slowFind(f)
		if !ok {
			t.Fatal("the slow twin finds no checksum")
		}
		x.leave(f)
		return f
	}
	payload := []byte("some bytes")
	tcp4 := func() []byte { return unfinished(ether("0800", ip4(6, 0, nil, tcp(payload)))) }
	noFlag := vx(tcp4())
	noFlag[0] = 0
	deep := ether("0800", ip4(17, 0, nil, udp(4789, vx(ether("0800", ip4(17, 0, nil, udp(4789, vx(tcp4()))))))))
	for name, frame := range map[string][]byte{
		"wrong TCP":             overwrite(tcp4(), 50, "1234"),
		"UDP without checksum":  ether("0800", ip4(17, 0, nil, udp(9, payload))),
		"UDP6 without checksum": ether("86dd", ip6(17, udp(9, payload))),
		"SCTP with a checksum":  overwrite(ether("0800", ip4(132, 0, nil, sctp(payload))), 42, "00000001"),
		"first fragment":        overwrite(tcp4(), 20, "2000"),
		"last fragment":         overwrite(tcp4(), 20, "0001"),
		"TCP cut":               ether("0800", ip4(6, 0, nil, make([]byte, 19))),
		"UDP cut":               ether("0800", ip4(17, 0, nil, make([]byte, 7))),
		"SCTP cut":              ether("0800", ip4(132, 0, nil, make([]byte, 11))),
		"UDP length above IP's": overwrite(unfinished(ether("0800", ip4(17, 0, nil, udp(9, payload)))), 38, "0013"),
		"UDP length 7":          overwrite(unfinished(ether("0800", ip4(17, 0, nil, udp(9, payload)))), 38, "0007"),
		"ICMP":                  ether("0800", ip4(1, 0, nil, make([]byte, 40))),
		"ARP":                   ether("0806", make([]byte, 28)),
		// Its field is what the pseudo-header would be, were all addresses zero.
		"unknown routing": overwrite(ether("86dd", ip6(43, join(unhex("06020901 00000000"), make([]byte, 16), tcp(payload)))), 94, "0024"),
		"no VXLAN flag":   ether("0800", ip4(17, 0, nil, udp(4789, noFlag))),
		"another port":    ether("0800", ip4(17, 0, nil, udp(4790, vx(tcp4())))),
		"two levels deep": deep,
	} {
		if got, wrote := mendCopy(t, frame); wrote {
			t.Errorf("%s: %s", name, cmp.Diff(frame, got))
		}
	}
}

func TestMendShorterUDP(t *testing.T) {
	// The checksum of a datagram ends where the UDP length says, not where IP ends (RFC 768).
	frame := ether("0800", ip4(17, 0, nil, join(udp(9, []byte("odd")), []byte("more"))))
	x, _ := slowFind(frame)
	x.leave(frame)
	if got, wrote := mendCopy(t, frame); !wrote || slowSum(x.pseudo, got[34:45]) != 0xffff {
		t.Errorf("wrote %v: %x", wrote, got)
	}
}

// A routing header at its end has no say in the pseudo-header, whatever its type.
func TestMendRoutingAtItsEnd(t *testing.T) {
	frame := ether("86dd", ip6(43, join(unhex("06020900 00000000"), make([]byte, 15), []byte{1}, tcp([]byte("bytes")))))
	pseudo := join(frame[22:54], []byte{0, 6}, be16(25))
	binary.BigEndian.PutUint16(frame[78+16:], slowSum(pseudo))
	if got, wrote := mendCopy(t, frame); !wrote || slowSum(pseudo, got[78:]) != 0xffff {
		t.Errorf("wrote %v: %x", wrote, got)
	}
}

// What was written inside counts, also where the outer checksum comes out as it stood.
func TestMendReportsNested(t *testing.T) {
	frame := ether("0800", ip4(17, 0, nil, udp(4789, vx(ether("0800", ip4(6, 0, nil, tcp([]byte("bytes"))))))))
	x, _ := slowFind(frame)
	y, _ := slowFind(x.vxlan)
	y.leave(x.vxlan)
	x.leave(frame)
	left := string(x.value(frame))
	for i := range 1 << 16 {
		binary.BigEndian.PutUint16(x.vxlan[4:], uint16(i)) // part of a MAC
		got, _ := guarded(t, frame)
		var in Inner
		ParseInner(got, &in)
		wrote := Mend(got, &in)
		if string(x.value(got)) == left {
			if !wrote {
				t.Error("the inner checksum was written, and not reported")
			}
			return
		}
	}
	t.Error("no frame's checksum is its pseudo-header sum")
}

func TestMendSegmentRouting(t *testing.T) {
	routing := join(unhex("06020401 00000000"), make([]byte, 15), []byte{1})
	want := completeRouted(ether("86dd", ip6(43, join(routing, tcp([]byte("bytes"))))))
	frame := append([]byte{}, want...)
	pseudo := join(frame[22:38], frame[62:78], []byte{0, 6}, be16(25))
	binary.BigEndian.PutUint16(frame[78+16:], slowSum(pseudo))
	if got, _ := mendCopy(t, frame); string(got) != string(want) {
		t.Error(cmp.Diff(want, got))
	}
}
