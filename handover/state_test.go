package handover

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func everything() *State {
	return &State{
		Program: "v1.2", Origin: "boot/7", Iface: "ens18",
		Devices:    []Device{{Name: "gw42", MTU: 1450, Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.1.2/24")}}},
		VNIs:       []uint32{42, 16777215},
		Remotes:    []Remote{{Addr: netip.MustParseAddr("10.65.132.188"), Followed: true}, {Addr: netip.MustParseAddr("2001:db8::2"), Port: 4790, VNI: 43}},
		Ports:      []Port{{Name: "veth1"}, {Name: "eth1", Trunk: true, VLAN: 100}},
		Entries:    []Entry{{VNI: 1, Kind: 2, Stays: 2, MAC: 0x0257a71c0001, Dest: 1, Remote: true}, {Kind: 1, MAC: 0xfffffffffffe, Age: 299}},
		Neighbours: []Neighbour{{VNI: 1, VLAN: 4094, Kind: 1, Router: true, Hi: 1 << 63, Lo: 5, MAC: 6, Age: 7}, {Sure: true, Kind: 2}},
	}
}

func encode(t testing.TB, s *State) []byte {
	t.Helper()
	text, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestState(t *testing.T) {
	for _, s := range []*State{everything(), {}} {
		got, err := Decode(encode(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(s, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); d != "" {
			t.Errorf("-encoded +decoded:\n%s", d)
		}
	}
	if age := everything().Oldest(); age != 299 {
		t.Errorf("the oldest entry is of %d s, want 299", age)
	}
}

func TestStateRefused(t *testing.T) {
	good := encode(t, everything())
	for _, tt := range []struct {
		name, want string
		text       []byte
	}{
		{"nothing", "no state", nil},
		{"no JSON", "no state", []byte("gw\n")},
		{"another version", "what gw v1.2 has handed over is of version 999, and this one reads version 1",
			bytes.Replace(good, []byte(`"version":1`), []byte(`"version":999`), 1)},
		{"cut", "entries", good[:len(good)-1]},
		{"more", "entries", append(bytes.Clone(good), 0)},
		{"negative", "entries", bytes.Replace(good, []byte(`"entries":2`), []byte(`"entries":-9`), 1)},
		{"huge", "entries", bytes.Replace(good, []byte(`"entries":2`), []byte(`"entries":900000000000000000`), 1)},
		{"not an address", "read the state", bytes.Replace(good, []byte(`"10.65.132.188"`), []byte(`"10.65.132.1889"`), 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Decode(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

// FuzzDecode finds nothing that cannot be encoded again to the same.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, everything()))
	f.Add(encode(f, &State{}))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Decode(text)
		if err != nil {
			return
		}
		again, err := Decode(encode(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if first, second := encode(t, s), encode(t, again); !bytes.Equal(first, second) {
			t.Errorf("first %q\nthen  %q", first, second)
		}
	})
}
