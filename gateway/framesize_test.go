package gateway

import (
	"slices"
	"strings"
	"testing"

	"vxgw/config"
	"vxgw/netdev"
)

func TestFrameFor(t *testing.T) {
	for _, c := range []struct{ mtu, size int }{
		{0, 4096}, {1500, 4096}, {3822, 4096}, {3823, 8192}, {7918, 8192}, {7919, 16384}, {9000, 16384}, {9050, 16384}, {16110, 16384}, {16111, 32768},
		{65262, 65536}, {65535, 65536},
	} {
		if got := frameFor(c.mtu); got != c.size {
			t.Errorf("an MTU of %d: frames of %d, want %d", c.mtu, got, c.size)
		}
	}
}

// The largest MTU there is decides, of a port too, unless the configuration does. What no frame holds is refused with the cure, and
// interfaces that need no larger frames do without.
func TestChooseFrameSize(t *testing.T) {
	mtus := func(of ...int) (all []netdev.Info) {
		for _, mtu := range of {
			all = append(all, netdev.Info{Name: "p", MTU: mtu})
		}
		return all
	}
	for _, c := range []struct {
		asked, wire int
		ports       []int
		size        int
		refused     string
	}{
		{0, 1500, nil, 4096, ""},
		{0, 3822, []int{1500}, 4096, ""},
		{0, 9050, []int{9000}, 16384, ""},
		{0, 1500, []int{1450, 9000}, 16384, ""},
		{0, 1500, []int{65535}, 65536, ""}, // of which a frame holds most
		{16384, 1500, nil, 16384, ""},
		{4096, 1500, []int{9000}, 4096, ""},
		{4096, 9050, nil, 4096, "ip link set dev w mtu 3506; or start gw again, which takes larger frames then, without dataplane.framesize or with 16384"},
		{8192, 9050, nil, 8192, "ip link set dev w mtu 7918; or start gw again"},
		{0, 65300, nil, 65536, "(ip link set dev w mtu 65262)"},
		{0, 100, nil, 4096, "ip link set dev w mtu 1500"},
	} {
		g := &Gateway{cfg: &config.Config{Dataplane: config.Dataplane{FrameSize: uint32(c.asked)}}}
		err := g.chooseFrameSize(netdev.Info{Name: "w", MTU: c.wire}, mtus(c.ports...), nil)
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%+v: %v", c, err)
		}
		if g.frameSize != c.size {
			t.Errorf("%+v: frames of %d", c, g.frameSize)
		}
	}
	large := &Gateway{frameSize: 16384}
	for _, c := range []struct {
		info  netdev.Info
		parts bool
		most  int
	}{
		{netdev.Info{MTU: 1500}, false, 3752},
		{netdev.Info{MTU: 3752}, false, 3752},
		{netdev.Info{MTU: 3753}, true, 16110},
		{netdev.Info{MTU: 1500, IsVeth: true}, true, 16110}, // whose MTU may change
	} {
		if parts := large.takesParts(c.info); parts != c.parts || large.holds(parts) != c.most {
			t.Errorf("%+v: packets in parts %v, carries %d; want %v, %d", c.info, parts, large.holds(parts), c.parts, c.most)
		}
	}
	if usual := (&Gateway{frameSize: 4096}); usual.takesParts(netdev.Info{MTU: 9000, IsVeth: true}) || usual.holds(false) != 3822 {
		t.Error("frames of a page are one part")
	}
}

// Larger frames are fewer, and the memory as large as ever or, since some are always at work, up to twice or four times so.
func TestPlanLargeFrames(t *testing.T) {
	for _, c := range []struct{ size, ports, total int }{
		{4096, 1, 16384}, {8192, 1, 16384}, {8192, 1000, 32768}, {16384, 1, 16384}, {16384, 1000, 16384}, {65536, 1, 16384},
	} {
		f := planFrames(1, demand{queues: 1}, slices.Repeat([]demand{{queues: 1}}, c.ports), 0, c.size)
		if f.total != c.total {
			t.Errorf("frames of %d, %d ports: %d, want %d", c.size, c.ports, f.total, c.total)
		}
	}
}
