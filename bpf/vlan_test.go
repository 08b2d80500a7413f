package bpf

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

var testVLAN = VLAN{Type: 0x8100, ID: 100}

// newVLAN loads the program for a VLAN of an interface, with the test's port, addresses and VNIs.
func newVLAN(t testing.TB, v VLAN, tagsOf int) *Underlay {
	t.Helper()
	needRoot(t)
	u, err := LoadUnderlay(UnderlayConfig{Port: testPort, Queues: 1, MaxVNIs: 4, VLAN: v, TagsOf: tagsOf, Types: btf.NewCache()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeIt(t, u) })
	for _, vni := range testVNIs {
		if err := u.AddVNI(vni); err != nil {
			t.Fatal(err)
		}
	}
	if err := u.AddAddr(testLocal); err != nil {
		t.Fatal(err)
	}
	if err := u.AddAddr(testGroup); err != nil {
		t.Fatal(err)
	}
	return u
}

// tagged puts tags behind the addresses.
func tagged(p []byte, tags ...uint16) []byte {
	var b []byte
	for _, v := range tags {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return slices.Insert(slices.Clone(p), 12, b...)
}

// untagged is the VLAN's decision again: what is inside if it is in the VLAN.
func untagged(p []byte, v VLAN) (inside []byte, ok bool) {
	if len(p) < 18 || binary.BigEndian.Uint16(p[12:]) != v.Type || binary.BigEndian.Uint16(p[14:])&0xfff != v.ID {
		return nil, false
	}
	inside = slices.Concat(p[:12], p[16:])
	return inside, oursTwin(inside)
}

// checkVLAN runs a packet through the program, with a socket or without, and compares with the twin.
func checkVLAN(t testing.TB, u *Underlay, v VLAN, p []byte, socket bool) {
	t.Helper()
	out := make([]byte, len(p)+256)
	got, err := u.prog.Run(&ebpf.RunOptions{Data: p, DataOut: out})
	if err != nil {
		t.Fatal(err)
	}
	want, verdict := p, uint32(xdpPass)
	if inside, ok := untagged(p, v); ok && socket {
		want, verdict = inside, xdpRedirect
	}
	// The kernel gives back as many bytes as there were.
	if got != verdict || !bytes.Equal(out[:len(want)], want) {
		t.Fatalf("packet % x: verdict %d, packet % x, want %d, % x", p, got, out[:len(want)], verdict, want)
	}
}

func TestVLANTable(t *testing.T) {
	arp := set(12, 0x08, 0x06)
	for _, tt := range []struct {
		name   string
		packet []byte
		ours   bool
	}{
		{"ours", tagged(good(), 0x8100, 100), true},
		{"with a priority", tagged(good(), 0x8100, 7<<13|1<<12|100), true},
		{"to a group", tagged(set(30, 224, 1, 1, 1), 0x8100, 100), true},
		{"shorter than a VNI", tagged(good()[:45], 0x8100, 100), true},
		{"untagged", good(), false},
		{"priority alone", tagged(good(), 0x8100, 7<<13), false},
		{"another VLAN", tagged(good(), 0x8100, 101), false},
		{"another VLAN, by its upper bits", tagged(good(), 0x8100, 0x800|100), false},
		{"another type of tag", tagged(good(), 0x88a8, 100), false},
		{"two tags", tagged(good(), 0x8100, 100, 0x8100, 100), false},
		{"another VNI", tagged(set(46, 0, 0, 43), 0x8100, 100), false},
		{"another address", tagged(set(30, 10, 0, 0, 3), 0x8100, 100), false},
		{"a fragment", tagged(set(20, 0x20, 0), 0x8100, 100), false},
		{"ARP", tagged(arp, 0x8100, 100), false},
		{"ends in the tag", tagged(good(), 0x8100, 100)[:17], false},
		{"ends behind the tag", tagged(good(), 0x8100, 100)[:18], false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, twin := untagged(tt.packet, testVLAN); twin != tt.ours {
				t.Fatalf("the twin says ours %t, want %t", twin, tt.ours)
			}
			u := newVLAN(t, testVLAN, 0)
			checkVLAN(t, u, testVLAN, tt.packet, false)
			if err := u.SetSocket(0, socket(t)); err != nil {
				t.Fatal(err)
			}
			checkVLAN(t, u, testVLAN, tt.packet, true)
			counts := Counters{Passed: 2}
			if tt.ours {
				counts = Counters{Redirected: 1, NoSocket: 1}
			}
			wantCounters(t, u, counts)
		})
	}
}

// Any packets, mutated and cut, through either type of tag.
func TestVLANTwin(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 9))
	for _, v := range []VLAN{testVLAN, {Type: 0x88a8, ID: 4094}} {
		u := newVLAN(t, v, 0)
		if err := u.SetSocket(0, socket(t)); err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			p := tagged(good(), v.Type, v.ID|uint16(r.IntN(16))<<12)
			checkVLAN(t, u, v, mutate(r, p), true)
		}
	}
}

func TestNoVLAN(t *testing.T) {
	for _, v := range []VLAN{{0x8100, 0}, {0x8100, 4095}, {0x0800, 1}, {0, 5}} {
		if u, err := LoadUnderlay(UnderlayConfig{Port: testPort, Queues: 1, MaxVNIs: 1, VLAN: v}); err == nil {
			closeIt(t, u)
			t.Errorf("%+v is a VLAN", v)
		}
	}
}

// TestVLANTagsSteers sends real frames through the program that asks for tags, as in
// TestPortTagsSteers.
func TestVLANTagsSteers(t *testing.T) {
	needTags(t)
	const frames = 10
	for _, tt := range []struct {
		name   string
		frame  []byte
		beside int32 // the tag beside the frame, 0 for none
		want   Counters
	}{
		{"beside", good(), 100, Counters{Redirected: frames}},
		{"beside, with a priority", good(), 5<<13 | 100, Counters{Redirected: frames}},
		{"beside, another VLAN", good(), 101, Counters{Passed: frames}},
		{"beside, another VNI", set(46, 0, 0, 43), 100, Counters{Passed: frames}},
		{"in the frame", tagged(good(), 0x8100, 100), 0, Counters{Redirected: frames}},
		{"in the frame, another VLAN", tagged(good(), 0x8100, 101), 0, Counters{Passed: frames}},
		{"in the frame, behind another one", tagged(good(), 0x8100, 100), 100, Counters{Passed: frames}},
		{"untagged", good(), 0, Counters{Passed: frames}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newNamespace(t)
			a := pair(t, 1, 1)
			u := newVLAN(t, testVLAN, a.Attrs().Index)
			if err := u.SetSocket(0, socket(t)); err != nil {
				t.Fatal(err)
			}
			if tt.beside != 0 {
				pushTag(t, device(t, "b").Attrs().Index, tt.beside)
			}
			if err := u.Attach(a.Attrs().Index, "a", Native); err != nil {
				t.Fatal(err)
			}
			send(t, "b", tt.frame, frames)
			for patience := 5000; ; patience-- {
				c, err := u.Counters()
				if err != nil {
					t.Fatal(err)
				}
				// The kernel itself speaks once the link is up, which goes up as well.
				if c.Redirected == tt.want.Redirected && c.Passed >= tt.want.Passed && c.NoSocket == 0 {
					return
				}
				if patience == 0 {
					t.Fatalf("counters %+v after %d frames, want %+v", c, frames, tt.want)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
}
