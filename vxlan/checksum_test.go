package vxlan

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

func TestSumAgreesWithSlowTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 300 {
		b := random(r, n+8)
		for at := range 8 {
			if got, want := Fold(Sum(b[at:at+n], 0)), slowSum(b[at:at+n]); got != want {
				t.Fatalf("%d bytes at offset %d: %#x, want %#x", n, at, got, want)
			}
		}
		cut := n / 2 &^ 1
		if got, want := Fold(Sum(b[cut:n], Sum(b[:cut], 0))), slowSum(b[:n]); got != want {
			t.Fatalf("%d bytes in two pieces: %#x, want %#x", n, got, want)
		}
	}
}

// All ones make every addition carry.
func TestSumCarries(t *testing.T) {
	b := make([]byte, 200)
	for i := range b {
		b[i] = 0xff
	}
	for n := range b {
		for _, initial := range []uint64{0, 1, 0xffff, 1<<64 - 1, 1<<64 - 2, 0xfffe} {
			word := binary.BigEndian.AppendUint64(nil, initial)
			if got, want := Fold(Sum(b[:n], initial)), slowSum(word, b[:n]); got != want {
				t.Errorf("%d bytes after %#x: %#x, want %#x", n, initial, got, want)
			}
		}
	}
}

func TestSumExample(t *testing.T) {
	// RFC 1071 section 3.
	if got := Fold(Sum(unhex("0001 f203 f4f5 f6f7"), 0)); got != 0xddf2 {
		t.Errorf("sum %#x, want 0xddf2", got)
	}
}

func TestUpdate16(t *testing.T) {
	// RFC 1624 section 4.
	if got := Update16(0xdd2f, 0x5555, 0x3285); got != 0 {
		t.Errorf("example: %#x, want 0", got)
	}
	r := rand.New(rand.NewPCG(2, 2))
	for range 100000 {
		b := random(r, 20)
		b[0] = 0x45
		if r.IntN(4) == 0 {
			clear(b[4:])
		}
		check := ^slowSum(b)
		at := 2 + r.IntN(9)*2
		old := binary.BigEndian.Uint16(b[at:])
		new := []uint16{0, 0xffff, uint16(r.Uint32())}[r.IntN(3)]
		binary.BigEndian.PutUint16(b[at:], new)
		if got, want := Update16(check, old, new), ^slowSum(b); got != want {
			t.Fatalf("%#x with %#x for %#x: %#x, want %#x", check, new, old, got, want)
		}
	}
}

func FuzzSum(f *testing.F) {
	f.Add([]byte{}, uint64(0))
	f.Add([]byte{1, 2, 3}, uint64(1)<<63)
	f.Fuzz(func(t *testing.T, b []byte, initial uint64) {
		word := binary.BigEndian.AppendUint64(nil, initial)
		if got, want := Fold(Sum(b, initial)), slowSum(word, b); got != want {
			t.Errorf("%x after %#x: %#x, want %#x", b, initial, got, want)
		}
	})
}
