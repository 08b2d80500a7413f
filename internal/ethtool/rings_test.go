package ethtool

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The answer of igb: rings of up to 4,096, of which 256 are used to receive and 512 to send; none for
// small or large packets.
func TestParseRings(t *testing.T) {
	var b []byte
	for _, word := range []uint32{getRings, 4096, 0, 0, 4096, 256, 0, 0, 512} {
		b = order.AppendUint32(b, word)
	}
	if got, want := parseRings(b), (Rings{MaxRx: 4096, MaxTx: 4096, Rx: 256, Tx: 512}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// A veth has no rings of its own, and what is not there neither.
func TestNoRings(t *testing.T) {
	inNamespace(t)
	for name, want := range map[string]error{"va": unix.EOPNOTSUPP, "there-is-none": unix.ENODEV} {
		if r, err := GetRings(name); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v, want %v", name, r, err, want)
		}
		if err := SetRings(name, Rings{}); !errors.Is(err, want) {
			t.Errorf("set rings of %s: %v, want %v", name, err, want)
		}
	}
}
