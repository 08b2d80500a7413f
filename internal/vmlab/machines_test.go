//go:build vmlab

package vmlab

import "testing"

// The cards of cmd/gw/card_test.go: three of each kind on one segment, and two that refuse zero-copy.
func TestZeroCopy(t *testing.T) {
	inside(t, plan{
		suite:    Newest,
		segments: []Segment{{IGB, IGB, IGB}, {Virtio, Virtio, Virtio}, {VirtioMulti, VirtioMulti, VirtioMulti}, {VirtioPlain, VirtioPlain}},
		modules:  []string{"igb", "virtio_net", "pktgen", "8021q"},
		pkg:      "cmd/gw",
		scripts:  []string{"bench/pktgen/pktgen.sh"},
		run:      "^Test(Card|ModeRefused)",
		memory:   1536,
	})
}

// The cards of cmd/gw/card_fault_test.go: two pairs of each kind, back to back.
func TestZeroCopyFaults(t *testing.T) {
	inside(t, plan{
		suite:    Newest,
		segments: []Segment{{IGB, IGB}, {IGB, IGB}, {Virtio, Virtio}, {Virtio, Virtio}},
		modules:  []string{"igb", "virtio_net"},
		pkg:      "cmd/gw",
		run:      "^TestFault",
		memory:   2048,
	})
}

// A card whose driver has no zero-copy yet.
func TestOlderDriver(t *testing.T) {
	inside(t, plan{
		suite:    Debian13,
		segments: []Segment{{IGB, IGB}},
		modules:  []string{"igb"},
		pkg:      "cmd/gw",
		run:      "^TestModeNoZeroCopy$",
	})
}
