package gateway

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// A fill ring that must not run dry is larger than what the rx ring and the NIC's own take
// together, whatever sizes there are; and no larger than that takes.
func TestRingsOfNIC(t *testing.T) {
	for _, c := range []struct {
		nic
		size uint32
		want rings
	}{
		{nic{}, 2048, rings{rx: 2048, tx: 2048, fill: 2048}},
		{nic{ring: 512}, 2048, rings{rx: 2048, tx: 2048, fill: 2048, nic: 512}},
		{nic{256, true}, 2048, rings{rx: 1024, tx: 2048, fill: 2048, nic: 256}},
		{nic{1024, true}, 2048, rings{rx: 512, tx: 2048, fill: 2048, nic: 1024}},
		{nic{2048, true}, 2048, rings{rx: 1024, tx: 2048, fill: 4096, nic: 2048}},
		{nic{4096, true}, 2048, rings{rx: 2048, tx: 2048, fill: 8192, nic: 4096}},
		{nic{256, true}, 64, rings{rx: 64, tx: 64, fill: 512, nic: 256}},
		{nic{0, true}, 64, rings{rx: 64, tx: 64, fill: 64}},
	} {
		c.want.queues = 3
		if got := c.rings(3, c.size); got != c.want {
			t.Errorf("%+v, rings of %d: %+v, want %+v", c.nic, c.size, got, c.want)
		}
	}
	for ring := uint32(1); ring <= 8192; ring++ {
		for size := uint32(minRing); size <= maxRing; size *= 2 {
			n := nic{ring, true}
			r := n.rings(1, size)
			if r.fill <= r.rx+ring || r.rx < min(size, leastRx) || r.rx > size || r.fill&(r.fill-1) != 0 || r.rx&(r.rx-1) != 0 {
				t.Fatalf("NIC's ring %d, size %d: %+v", ring, size, r)
			}
			if half := r.fill / 2; half >= size && half > min(size, leastRx)+ring {
				t.Fatalf("NIC's ring %d, size %d: %+v, half the fill ring would do", ring, size, r)
			}
		}
	}
}

// The memory has room for what NICs keep in their rings, or none of them is bound
// zero-copy and all else is as without.
func TestPlanForNICs(t *testing.T) {
	for _, c := range []struct {
		name               string
		workers, ports     int
		wire               demand
		total              int
		wireSize, portSize uint32
		fits               bool
	}{
		{"igb, two queues", 1, 1, demand{2, nic{256, true}}, 32768, 2048, 2048, true},
		{"igb", 1, 1, demand{4, nic{256, true}}, 32768, 2048, 2048, true},
		{"igb, all of its ring", 1, 1, demand{4, nic{4096, true}}, 65536, 2048, 2048, true},
		{"eight queues of ice", 8, 2, demand{8, nic{ring: 2048}}, 65536, 1024, 2048, true},
		{"64 queues of ice", 8, 2, demand{64, nic{ring: 2048}}, 65536, 256, 2048, false},
		{"many ports", 2, 400, demand{4, nic{256, true}}, 65536, 1024, 64, true},
	} {
		ports := slices.Repeat([]demand{{queues: 1}}, c.ports)
		f := planFrames(c.workers, c.wire, ports, 0, pageFrame)
		if f.total != c.total || f.wire != c.wireSize || f.port != c.portSize || f.tight == c.fits {
			t.Errorf("%s: %+v, want %d frames, rings of %d and %d, room %t", c.name, f, c.total, c.wireSize, c.portSize, c.fits)
		}
		_, err := f.claim("ens18", c.wire, f.wire, 1)
		if c.fits != (err == nil) {
			t.Errorf("%s: %v", c.name, err)
		}
		if !c.fits {
			var few *tooFewError
			if !errors.As(err, &few) || !strings.Contains(err.Error(), "ethtool -G ens18 rx 512") {
				t.Errorf("%s: %v", c.name, err)
			}
			if _, err := f.claim("ens18", c.wire.plain(), f.wire, 1); err != nil {
				t.Errorf("%s, in copy mode: %v", c.name, err)
			}
		}
		for range c.ports {
			if r, err := f.claim("veth1", demand{queues: 1}, f.port, 1); err != nil || r.rx != f.port {
				t.Fatalf("%s: port with %+v: %v", c.name, r, err)
			}
		}
	}
}

// A NIC that comes later has no more than its part, with what is in its own ring; and
// what it does not take after all is there for others.
func TestLaterNIC(t *testing.T) {
	f := planFrames(1, demand{queues: 1}, []demand{{queues: 1}}, 0, pageFrame)
	before := f.free
	var few *tooFewError
	if _, err := f.claim("ens19", demand{4, nic{ring: 4096}}, f.port, laterShare); !errors.As(err, &few) || !strings.Contains(err.Error(), "ethtool -G ens19 rx 1024") {
		t.Errorf("too large a NIC: %v", err)
	}
	if _, err := f.claim("ens19", demand{64, nic{ring: leastRx}}, f.port, laterShare); !errors.As(err, &few) || strings.Contains(err.Error(), "ethtool -G") {
		t.Errorf("too many queues, of a ring that cannot well be shorter: %v", err)
	}
	r, err := f.claim("ens19", demand{1, nic{256, true}}, f.port, laterShare)
	if err != nil || r.nic != 256 || r.frames() > before/laterShare {
		t.Errorf("a small one has %+v of %d: %v", r, before, err)
	}
	like := demand{2, nic{256, true}} // a second one like the underlay
	g := planFrames(1, like, []demand{{queues: 1}}, 0, pageFrame)
	for _, d := range []demand{like, {queues: 1}} {
		if _, err := g.claim("ens18", d, maxRing, 1); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := g.claim("ens19", like, g.port, laterShare); err != nil || r.nic != 256 {
		t.Errorf("it has %+v of %d: %v", r, g.free, err)
	}
	f.copies(&r)
	if taken := before - f.free; r.nic != 0 || taken != r.frames() {
		t.Errorf("in copy mode it has %+v, and took %d", r, taken)
	}
	f.giveBack(r)
	if f.free != before {
		t.Errorf("%d frames are free, %d were", f.free, before)
	}
}
