package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"vxgw/internal/ethtool"
	"vxgw/internal/lab"
)

// What comes by way of the kernel, from a peer that crafts it byte by byte.

// leftoverBed is gw between a crafting peer and a container.
type leftoverBed struct {
	*vtep
	node2, box *lab.Host
	under      net.HardwareAddr // of gw's underlay
	tap        *lab.Capture     // what the container gets
}

func newLeftoverBed(t *testing.T, o lab.VethOptions, before func(b *leftoverBed), args ...string) *leftoverBed {
	t.Helper()
	l := newLab(t)
	node1 := newHost(t, l, "node1")
	b := &leftoverBed{node2: newHost(t, l, "node2"), box: newHost(t, l, "box")}
	must(t, l.Veth(node1, "ens18", b.node2, "ens18", o))
	must(t, node1.AddAddress("ens18", under1.String()+"/24"))
	must(t, b.node2.AddAddress("ens18", under2.String()+"/24"))
	must(t, l.Veth(node1, "veth1", b.box, "veth0", lab.VethOptions{}))
	b.vtep = prepare(t, node1, on(append([]string{"--port", "veth1"}, args...)...)...)
	if before != nil {
		before(b)
	}
	b.begin()
	b.ready()
	var err error
	b.under, err = node1.MAC("ens18")
	must(t, err)
	b.tap, err = b.box.Capture("veth0", func(f lab.Frame) bool { return !f.Outgoing })
	must(t, err)
	return b
}

// fragments cuts a packet's IPv4 payload at offsets, multiples of eight, and returns
// the pieces.
func fragments(p []byte, id uint16, offsets ...int) (out [][]byte) {
	payload := p[atUDP:]
	offsets = append(offsets, len(payload))
	from := 0
	for i, to := range offsets {
		out = append(out, piece(p, id, from, to, i < len(offsets)-1))
		from = to
	}
	return out
}

// piece is the fragment that has the payload from one offset to another.
func piece(p []byte, id uint16, from, to int, more bool) []byte {
	f := slices.Concat(p[:atUDP], p[atUDP+from:atUDP+to])
	binary.BigEndian.PutUint16(f[atIP+4:], id)
	offset := uint16(from / 8)
	if more {
		offset |= 0x2000
	}
	return ipLength(set16(atFrag, offset)(f))
}

func TestCraftedFragments(t *testing.T) {
	t.Parallel()
	b := newLeftoverBed(t, lab.VethOptions{}, nil)
	id := uint16(0)
	var want [][]byte
	for _, c := range []struct {
		name    string
		edits   []edit
		arrange func(p []byte, id uint16) [][]byte
		verdict string // empty: none, for the kernel puts nothing of ours together
		comes   bool
	}{
		{name: "in order", arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 64) }, verdict: "flooded", comes: true},
		{name: "the first one ends in the VXLAN header", arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 8) }, verdict: "flooded", comes: true},
		{name: "backwards", arrange: func(p []byte, id uint16) [][]byte {
			f := fragments(p, id, 8, 16, 24, 32, 40)
			slices.Reverse(f)
			return f
		}, verdict: "flooded", comes: true},
		{name: "twice the same", arrange: func(p []byte, id uint16) [][]byte {
			f := fragments(p, id, 32, 64)
			return [][]byte{f[0], f[0], f[1], f[1], f[2]}
		}, verdict: "flooded", comes: true},
		{name: "with options", arrange: func(p []byte, id uint16) (out [][]byte) {
			for _, f := range fragments(p, id, 40) {
				out = append(out, options(7, 7, 4, 0, 0, 0, 0, 0)(f))
			}
			return out
		}, verdict: "flooded", comes: true},
		{name: "overlapping", arrange: func(p []byte, id uint16) [][]byte {
			return [][]byte{piece(p, id, 0, 40, true), piece(p, id, 32, len(p)-atUDP, false)}
		}},
		{name: "one missing", arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32, 64)[:2] }},
		{name: "another VNI", edits: []edit{set(atVNI, 0, 0, 43)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }},
		{name: "another port", edits: []edit{set16(atDPort, 4790)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }},
		{name: "our own source", edits: []edit{header(atSrc, under1.AsSlice()...)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }},
		{name: "the subnet's broadcast address as source", edits: []edit{header(atSrc, 10, 65, 132, 255)},
			arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }, verdict: "martian"},
		{name: "TTL 0", edits: []edit{header(atTTL, 0)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }, verdict: "ttl"},
		{name: "no flags", edits: []edit{set(atVXLAN, 0)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }, verdict: "bad_flags"},
		{name: "UDP checksum right", edits: []edit{sumUDP}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }, verdict: "flooded", comes: true},
		{name: "UDP checksum wrong", edits: []edit{set16(atUSum, 0x1234)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }, verdict: "udp_csum"},
		{name: "UDP length too long", edits: []edit{udpLength(1)}, arrange: func(p []byte, id uint16) [][]byte { return fragments(p, id, 32) }, verdict: "udp_length"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id++
			inner := named(noMAC, farMAC, c.name)
			p := craft(b.under, 42, inner, c.edits...)
			before, _, _ := verdicts(b.status())
			must(t, b.node2.SendFrame("ens18", c.arrange(p, id)...))
			// What comes behind it on the same way has its verdict later.
			behind := named(noMAC, farMAC, "behind "+c.name)
			must(t, b.node2.SendFrame("ens18", fragments(craft(b.under, 42, behind), id+1000, 32)...))
			wanted := map[string]uint64{"flooded": before["flooded"] + 1}
			if c.verdict != "" {
				wanted[c.verdict] = max(before[c.verdict], wanted[c.verdict]) + 1
			}
			if c.comes {
				want = append(want, inner)
			}
			want = append(want, behind)
			eventually(t, func() string {
				now, _, _ := verdicts(b.status())
				for v, n := range wanted {
					if now[v] < n {
						return fmt.Sprintf("%d %s, want %d: %v", now[v], v, n, now)
					}
				}
				return ""
			})
			now, _, _ := verdicts(b.status())
			for v, n := range now {
				if n != max(before[v], wanted[v]) {
					t.Errorf("%d %s, want %d", n, v, max(before[v], wanted[v]))
				}
			}
		})
	}
	b.arrived(t, want)
	checkVerdicts(t, b.vtep)
	b.stop()
}

// arrived wants the container to have got these frames, in this order, and no others.
func (b *leftoverBed) arrived(t *testing.T, want [][]byte) {
	t.Helper()
	if _, err := b.tap.Wait(within(t), len(want), nil); err != nil {
		t.Errorf("the container: %v", err)
	}
	got := b.tap.Frames()
	for i, f := range got {
		if i >= len(want) || !bytes.Equal(f.Data, want[i]) {
			t.Errorf("frame %d of %d that the container got, of %d: %q", i, len(got), len(want), f.Data[14:])
		}
	}
}

// More fragments than anybody works through are dropped, and counted or not taken;
// what comes the direct way is answered meanwhile.
func TestFragmentFlood(t *testing.T) {
	t.Parallel()
	b := newLeftoverBed(t, lab.VethOptions{}, nil, "--remote", under2.String())
	must(t, b.box.AddAddress("veth0", over1.String()+"/24"))
	must(t, b.node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan42", VNI: 42, Remote: under1, Address: over2.String() + "/24"}))
	box, far := end{host: b.box, dev: "veth0", addr: over1}, end{b.node2, "vxlan42", over2, "ens18", under2}
	resolve(t, box, far)
	var flood [][]byte
	for id := range uint16(1000) {
		p := craft(b.under, 42, append(named(hostMAC, noMAC, "flood"), make([]byte, 1300)...))
		flood = append(flood, fragments(p, id, 800)...)
	}
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			// In bursts that a veth holds (VETH_RING_SIZE, drivers/net/veth.c): what it drops
			// would say nothing about gw.
			for burst := range slices.Chunk(flood, 100) {
				select {
				case <-stop:
					ended <- nil
					return
				case <-time.After(time.Millisecond):
				}
				if err := b.node2.SendFrame("ens18", burst...); err != nil {
					ended <- err
					return
				}
			}
		}
	}()
	flooding := func(n uint64) {
		t.Helper()
		from := b.status().Underlay.Injected.Packets
		eventually(t, func() string {
			if s := b.status().Underlay.Injected; s.Packets < from+n {
				return fmt.Sprintf("%d packets: no flood", s.Packets-from)
			}
			return ""
		})
	}
	flooding(1000)
	answered := 0
	eventually(t, func() string {
		res, err := b.box.Ping(testContext(t), over2, lab.PingOptions{Count: 10, Interval: 20 * time.Millisecond, Timeout: patience / 10})
		must(t, err)
		if answered += res.Received; answered < 20 {
			return fmt.Sprintf("%d pings were answered", answered)
		}
		return ""
	})
	transfer(t, far, box, 1<<20)
	flooding(1000)
	close(stop)
	must(t, <-ended)
	checkVerdicts(t, b.vtep)
	b.stop() // and all frames are there
}

// A queue that came while gw ran has no socket, and its packets arrive all the same.
func TestQueueWithoutSocket(t *testing.T) {
	t.Parallel()
	channels := func(h *lab.Host, n uint32) {
		must(t, h.Do(func() error {
			c, err := ethtool.GetChannels("ens18")
			if err != nil {
				return err
			}
			c.Rx, c.Tx = n, n
			return ethtool.SetChannels("ens18", c)
		}))
	}
	b := newLeftoverBed(t, lab.VethOptions{AQueues: 2, BQueues: 2}, func(b *leftoverBed) {
		channels(b.node2, 1)
		channels(b.host, 1)
	})
	if n := len(b.status().Underlay.Queues); n != 1 {
		t.Fatalf("gw uses %d queues of the underlay", n)
	}
	channels(b.host, 2)
	channels(b.node2, 2)
	var want []string
	for port := range uint16(64) { // the port decides the queue
		inner := named(noMAC, farMAC, fmt.Sprintf("from port %d", port))
		must(t, b.node2.SendFrame("ens18", craft(b.under, 42, inner, set16(atUDP, port))))
		want = append(want, string(inner))
	}
	frames, err := b.tap.Wait(within(t), len(want), nil)
	must(t, err)
	var got []string
	for _, f := range frames {
		got = append(got, string(f.Data))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d frames came of %d", len(got), len(want))
	}
	// A veth runs no XDP program at all on a queue that comes later (veth_set_channels,
	// drivers/net/veth.c), so that the program does not count them.
	if n := b.status().Underlay.Injected.Packets; n == 0 || n >= uint64(len(want)) {
		t.Errorf("%d packets came by way of the kernel, of %d", n, len(want))
	}
	checkVerdicts(t, b.vtep)
	b.stop()
}

// What this host sends itself, or sends to a group it is in, is nobody's packet from
// the underlay.
func TestOwnPacketsAreNotTaken(t *testing.T) {
	t.Parallel()
	b := newLeftoverBed(t, lab.VethOptions{}, nil, "--group", group.String())
	inner := named(noMAC, farMAC, "from itself")
	datagram := craft(b.under, 42, inner)[atVXLAN:]
	must(t, b.host.AddRoute(lab.Route{Dst: netip.MustParsePrefix("224.0.0.0/4"), Dev: "ens18"}))
	must(t, b.host.Do(func() error {
		for _, to := range []netip.Addr{under1, group} {
			c, err := net.Dial("udp4", netip.AddrPortFrom(to, 4789).String())
			if err != nil {
				return err
			}
			defer c.Close()
			for range 3 {
				c.Write(datagram) // refused in between, as nobody has the port
			}
		}
		return nil
	}))
	last := named(noMAC, farMAC, "from outside, in fragments")
	must(t, b.node2.SendFrame("ens18", fragments(craft(b.under, 42, last), 1, 32)...))
	b.arrived(t, [][]byte{last})
	eventually(t, func() string { // it is counted when it has been sent
		s := b.status()
		if by, sum, _ := verdicts(s); sum != 1 || by["flooded"] != 1 || s.Underlay.Injected.Packets != 1 {
			return fmt.Sprintf("by way of the kernel came %+v, with verdicts %v", s.Underlay.Injected, by)
		}
		return ""
	})
	b.stop()
}
