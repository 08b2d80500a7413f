package bpf

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// checkTwins runs a packet through both programs, which have a socket, and
// compares with the twins.
func checkTwins(t testing.TB, u *Underlay, p *Port, packet []byte) {
	t.Helper()
	verdicts := map[bool]uint32{true: xdpRedirect, false: xdpPass}
	if got, want := u.verdict(t, packet), verdicts[oursTwin(packet)]; got != want {
		t.Fatalf("underlay: verdict %d, the twin says %d, packet %x", got, want, packet)
	}
	if got, want := p.verdict(t, packet), verdicts[takenTwin(packet)]; got != want {
		t.Fatalf("port: verdict %d, the twin says %d, packet %x", got, want, packet)
	}
}

func withSockets(t testing.TB) (*Underlay, *Port) {
	t.Helper()
	u, p, fd := newUnderlay(t), newPort(t), socket(t)
	if err := u.SetSocket(0, fd); err != nil {
		t.Fatal(err)
	}
	if err := p.SetSocket(0, fd); err != nil {
		t.Fatal(err)
	}
	return u, p
}

func TestTruncated(t *testing.T) {
	u, p := withSockets(t)
	for _, whole := range [][]byte{good(), set(46, 0, 0, 43), set(38, 0, 9), set(30, 10, 0, 0, 3), good6()} {
		for n := 14; n <= len(whole); n++ {
			checkTwins(t, u, p, whole[:n])
		}
	}
}

// mutate changes a few bytes, mostly of the headers, at times into values that
// mean something, and cuts.
func mutate(r *rand.Rand, p []byte) []byte {
	for range r.IntN(4) {
		at := r.IntN(len(p))
		if r.IntN(8) > 0 {
			at = r.IntN(50)
		}
		switch r.IntN(3) {
		case 0:
			p[at] = byte(r.Uint32())
		case 1:
			p[at] ^= 1 << r.IntN(8)
		case 2:
			words := []uint16{0x0800, 0x8809, 0x88cc, 0x4511, testPort, 42, 0, 0x2000, 0x4000, 15, 16, 0x0a00, 0xe001}
			at = min(at, len(p)-2)
			binary.BigEndian.PutUint16(p[at:], words[r.IntN(len(words))])
		}
	}
	if r.IntN(4) == 0 {
		copy(p, []byte{1, 0x80, 0xc2, 0, 0, []byte{0, 2, 0x0e}[r.IntN(3)]})
		if r.IntN(2) == 0 {
			copy(p[12:], [][]byte{{0x88, 0x09}, {0x88, 0xcc}}[r.IntN(2)])
		}
	}
	if r.IntN(4) == 0 {
		return p[:14+r.IntN(len(p)-13)]
	}
	return p
}

func TestRandomMutations(t *testing.T) {
	u, p := withSockets(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var ours, taken int
	const rounds = 20000
	for range rounds {
		packet := mutate(r, good())
		if r.IntN(2) == 0 {
			packet = mutate(r, set(30, 224, 1, 1, 1))
		}
		if r.IntN(2) == 0 {
			packet = mutate(r, good6())
		}
		checkTwins(t, u, p, packet)
		if oursTwin(packet) {
			ours++
		}
		if takenTwin(packet) {
			taken++
		}
	}
	wantCounters(t, u, Counters{Redirected: uint64(ours), Passed: uint64(rounds - ours)})
	wantCounters(t, p, Counters{Redirected: uint64(taken), Passed: uint64(rounds - taken)})
	if ours < rounds/10 || ours > rounds*9/10 || taken == rounds {
		t.Errorf("%d packets ours and %d taken of %d: the mutations reach one side only", ours, taken, rounds)
	}
}

func FuzzSteering(f *testing.F) {
	u, p := withSockets(f)
	f.Add(good())
	f.Add(good()[:42])
	f.Add(set(30, 224, 1, 1, 1))
	f.Add(set(38, 0, 9))
	f.Add(good6())
	f.Add(good6()[:62])
	f.Add(set(0, 1, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 0, 2, 0x88, 0xcc))
	f.Fuzz(func(t *testing.T, packet []byte) {
		if len(packet) < 14 || len(packet) > 2048 {
			t.Skip("the kernel delivers no such frame")
		}
		checkTwins(t, u, p, packet)
	})
}
