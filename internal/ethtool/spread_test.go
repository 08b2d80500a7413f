package ethtool

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// A table of four entries for two queues, as igb has 128 of.
func TestParseIndirection(t *testing.T) {
	var b []byte
	for _, word := range []uint32{getIndirection, 4, 0, 0, 1, 1} {
		b = order.AppendUint32(b, word)
	}
	if got := parseIndirection(b); !slices.Equal(got, []uint32{0, 0, 1, 1}) {
		t.Errorf("%v", got)
	}
}

// A veth has neither, and says so.
func TestNoSpread(t *testing.T) {
	inNamespace(t)
	for name, want := range map[string]error{"va": unix.EOPNOTSUPP, "there-is-none": unix.ENODEV} {
		if table, err := Indirection(name); !errors.Is(err, want) {
			t.Errorf("%s: table %v, %v, want %v", name, table, err, want)
		}
		if on, err := HashesUDPPorts(name, true); !errors.Is(err, want) {
			t.Errorf("%s: hashes ports %v, %v, want %v", name, on, err, want)
		}
	}
}
