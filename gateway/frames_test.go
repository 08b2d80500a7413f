package gateway

import (
	"slices"
	"strings"
	"testing"
)

// The memory is divided so that all that is there at the start fits, with rings as
// large as can be.
func TestPlanFrames(t *testing.T) {
	for _, c := range []struct {
		workers, wires, ports, asked int
		total                        int
		wire, port                   uint32
	}{
		{1, 1, 1, 0, 16384, 2048, 2048},
		{2, 4, 3, 0, 32768, 2048, 2048},
		{1, 1, 12, 0, 65536, 2048, 2048},
		{1, 1, 100, 0, 65536, 2048, 256},
		{4, 16, 100, 0, 65536, 512, 128},
		{1, 1, 400, 0, 65536, 2048, 64},
		{1, 1, 100, 1 << 20, 1 << 20, 2048, 2048},
		{1, 1, 1, 4096, 4096, 256, 256},
	} {
		f := planFrames(c.workers, demand{queues: c.wires}, slices.Repeat([]demand{{queues: 1}}, c.ports), c.asked, pageFrame)
		if f.total != c.total || f.wire != c.wire || f.port != c.port {
			t.Errorf("%d workers, %d and %d queues, %d asked: %d frames, rings of %d and %d, want %d, %d, %d",
				c.workers, c.wires, c.ports, c.asked, f.total, f.wire, f.port, c.total, c.wire, c.port)
		}
		if _, err := f.claim("ens18", demand{queues: c.wires}, f.wire, 1); err != nil {
			t.Error(err)
		}
		for range c.ports {
			r, err := f.claim("veth1", demand{queues: 1}, f.port, 1)
			if err != nil || r != (rings{queues: 1, rx: f.port, tx: f.port, fill: f.port}) {
				t.Fatalf("%d ports: rings %+v: %v", c.ports, r, err)
			}
		}
	}
}

// Ports that come later get smaller and smaller rings, until there is no room: that is
// said with the cure, and what is given back can be claimed again.
func TestClaimFrames(t *testing.T) {
	f := planFrames(1, demand{queues: 1}, []demand{{queues: 1}}, 0, pageFrame)
	before := f.free
	var sizes []uint32
	var claimed []rings
	for {
		r, err := f.claim("veth9", demand{queues: 1}, f.port, laterShare)
		if err != nil {
			const want = "too few frames for veth9: its 1 queues need 128, and of 16384 frames "
			if !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "dataplane.frames to 32768") {
				t.Error(err)
			}
			break
		}
		if len(sizes) > 0 && r.rx > sizes[len(sizes)-1] {
			t.Errorf("rings of %d after %v", r.rx, sizes)
		}
		sizes, claimed = append(sizes, r.rx), append(claimed, r)
	}
	if n := len(sizes); n < 16 || sizes[n-1] != minRing {
		t.Errorf("room for ports with rings of %v", sizes)
	}
	for _, r := range claimed {
		f.giveBack(r)
	}
	if f.free != before {
		t.Errorf("%d frames are free, %d were", f.free, before)
	}
}

// An interface that has gone may have as much as before when it is back, be that most of
// what is free: another one may not.
func TestClaimAgain(t *testing.T) {
	card := demand{queues: 1, nic: nic{ring: 256}}
	f := frames{total: 4096, free: 400}
	first, err := f.claim("ens19", card, 64, 1)
	if err != nil {
		t.Fatal(err)
	}
	f.keep("ens19", first)
	f.giveBack(first)
	if r, err := f.claim("ens20", card, 64, laterShare); err == nil {
		t.Errorf("another one has %+v of %d frames", r, f.total)
	}
	if again, err := f.claim("ens19", card, 64, laterShare); err != nil || again != first {
		t.Errorf("%+v, %v; had %+v", again, err, first)
	}
}
