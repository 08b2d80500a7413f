package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// etherTypes are those that some device on the way may take for its own, those around the
// border between lengths and types, and a few by chance.
func etherTypes() []uint16 {
	types := []uint16{
		0, 1, 3, 45, 46, 47, 0x5dc, 0x5dd, 0x5ff, 0x600, // IEEE 802.3 lengths end at 1500, types begin at 1536
		0x0800, 0x0806, 0x0842, 0x22f0, 0x22f3, 0x6003, 0x6558, 0x8035, 0x809b, 0x80f3, 0x8137, 0x86dd,
		0x8808, 0x8809, 0x8847, 0x8848, 0x8863, 0x8864, 0x888e, 0x8892, 0x88a2, 0x88b7, 0x88cc, 0x88e3, 0x88e5, 0x88e7,
		0x88f5, 0x88f6, 0x88f7, 0x8902, 0x8906, 0x890d, 0x8914, 0x8915, 0x891d, 0x893a, 0x892f, 0x894f, 0x9000, 0x9100, 0x9200, 0xcafe, 0xffff,
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 40 {
		types = append(types, uint16(rnd.Uint32()))
	}
	return types
}

// Frames of any EtherType, with LLC and SNAP, short and padded, with one tag and two, are
// carried as they are: from port to port, into the tunnel and out of it, as the kernel's bridge and
// device carry them.
func TestEtherTypes(t *testing.T) {
	t.Parallel()
	m := newMirror(t)
	taps := make([]*lab.Capture, len(m.ends))
	for i, h := range m.ends {
		keepTagsWithin(t, h, "veth0")
		var err error
		taps[i], err = h.Capture("veth0", func(f lab.Frame) bool { return !f.Outgoing && bytes.Contains(f.Data, []byte("Carried")) })
		must(t, err)
	}
	llc, snap := []byte{0x42, 0x42, 3}, []byte{0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0}
	for from := range m.ends {
		var frames [][]byte
		dst := func() net.HardwareAddr { // everyone, or a station at either side that is known
			return [][]net.HardwareAddr{{everyone}, {m.macs[(from+1)%6]}, {m.macs[(from+3)%6]}}[len(frames)%3][0]
		}
		add := func(etherType uint16, parts ...[]byte) {
			text := fmt.Sprintf("Carried %03d from %d.", len(frames), from)
			frames = append(frames, frameOf(dst(), m.macs[from], etherType, append(slices.Concat(parts...), text...)))
		}
		for _, etherType := range etherTypes() {
			switch etherType { // what is no IP then, the kernel's bridge drops as it looks for groups (ip_mc_check_igmp, net/ipv4/igmp.c)
			case 0x0800:
				add(etherType, ipv4(0, "Carried 000 from 0.")[:20])
				continue
			case 0x86dd:
				add(etherType, ipv6(0, "Carried 000 from 0.")[:40])
				continue
			}
			add(etherType)
			add(etherType, make([]byte, 60-14-19))
		}
		add(64, llc, make([]byte, 64-3-19))
		add(80, snap, make([]byte, 80-8-19))
		for _, tags := range [][]lab.Tag{{{Type: 0x8100, TCI: 5}}, {{Type: 0x88a8, TCI: 5}, {Type: 0x8100, TCI: 6}}, {{Type: 0x9100, TCI: 5}, {Type: 0x9100, TCI: 6}}} {
			for range 3 {
				add(experimental)
				frames[len(frames)-1] = withTags(frames[len(frames)-1], tags...)
			}
		}
		for chunk := range slices.Chunk(frames, 40) {
			must(t, m.ends[from].SendFrame("veth0", chunk...))
			for _, f := range chunk {
				for to := range m.ends {
					if to == from || f[0] != 0xff && !bytes.Equal(f[:6], m.macs[to]) {
						continue
					}
					got, err := taps[to].Wait(testContext(t), 1, func(g lab.Frame) bool { return bytes.HasSuffix(g.Data, f[len(f)-19:]) })
					if err != nil {
						t.Fatalf("%s does not get what %s sends: % x: %v", mirrorNames[to], mirrorNames[from], f, err)
					}
					if frame := whole(got[0]); !bytes.Equal(frame, f) {
						t.Errorf("%s sends\n% x, %s gets\n% x", mirrorNames[from], f, mirrorNames[to], frame)
					}
				}
			}
		}
	}
	for i, tap := range taps {
		if lost, err := tap.Dropped(); lost > 0 || err != nil {
			t.Errorf("%s: the capture lost %d frames: %v", mirrorNames[i], lost, err)
		}
	}
	checkVerdicts(t, m.gw)
	if by, _, _ := verdicts(m.gw.status()); by["to_port"] == 0 || by["to_remote"] == 0 || by["flooded"] == 0 {
		t.Errorf("verdicts %v: some of the ways were not taken", by)
	}
	m.gw.stop()
}
