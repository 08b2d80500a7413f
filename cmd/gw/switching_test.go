package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// local is gw with two containers at ports and a device of one VNI, all with jumbo
// frames, and the kernel's vxlan device as the far end.
type local struct {
	gw                 *vtep
	one, two, dev, far end
	wire               *lab.Capture // at the far end
}

// jumboMTU is an MTU that veth in native mode can have, less what a tunnel adds.
const jumboMTU = 3400

func newLocal(t *testing.T) *local {
	t.Helper()
	l := newLab(t)
	node1, node2 := newHost(t, l, "node1"), newHost(t, l, "node2")
	must(t, l.Veth(node1, "ens18", node2, "ens18", lab.VethOptions{MTU: jumboMTU + 50}))
	must(t, node1.AddAddress("ens18", "10.65.132.187/24"))
	must(t, node2.AddAddress("ens18", "10.65.132.188/24"))
	container := func(link, name, addr string) end {
		c, err := node1.BridgePort(link, name, addr+"/24", lab.VethOptions{MTU: jumboMTU})
		must(t, err)
		return end{host: c, dev: "veth0", addr: netip.MustParseAddr(addr)}
	}
	b := &local{one: container("veth1", "one", "172.17.1.11"), two: container("veth2", "two", "172.17.1.12")}
	must(t, node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: "172.17.1.13/24"}))
	var err error
	b.wire, err = node2.Capture("ens18", nil)
	must(t, err)
	b.gw = start(t, node1, on("--remote", "10.65.132.188", "--port", "veth1", "--port", "veth2", "--device", "gw42", "--address", "172.17.1.14/24")...)
	b.dev = end{host: node1, dev: "gw42", addr: netip.MustParseAddr("172.17.1.14")}
	b.far = end{host: node2, dev: "vxlan0", addr: netip.MustParseAddr("172.17.1.13"), iface: "ens18", under: under2}
	return b
}

// Everything between the ports and the device of one VNI: TCP with offloads at
// their defaults and checksums that neither side finishes, and jumbo frames.
func TestLocalSwitching(t *testing.T) {
	t.Parallel()
	b := newLocal(t)
	converse(t, b.one, b.two)
	converse(t, b.two, b.dev)
	if sent := outers(t, b.wire, under1); slices.ContainsFunc(sent, func(p outer) bool { return p.inner.dst[0]&1 == 0 }) {
		t.Error("frames between local ports went into the tunnel")
	}
	resolve(t, b.dev, b.far)
	burst(t, b.one, b.two)
	burst(t, b.dev, b.one)
	burst(t, b.two, b.dev)

	// To everyone: each other port, the device and the tunnel, once.
	everyone := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	ends := []end{b.one, b.two, b.dev, b.far}
	for i, from := range ends {
		frame := named(everyone, net.HardwareAddr{2, 0, 0, 0, 7, byte(i)}, "to everyone from "+from.dev+" of "+from.host.Name())
		var taps []*lab.Capture
		for _, e := range ends {
			tap, err := e.host.Capture(e.dev, func(f lab.Frame) bool { return !f.Outgoing && bytes.Equal(f.Data, frame) })
			must(t, err)
			taps = append(taps, tap)
		}
		must(t, from.host.SendFrame(from.dev, frame))
		for j, tap := range taps {
			if j == i {
				continue
			}
			_, err := tap.Wait(testContext(t), 1, nil)
			must(t, err)
			ping(t, from, ends[j], lab.PingOptions{}) // behind a second one, were there any
		}
		for j, tap := range taps {
			if n := len(tap.Frames()); j == i && n != 0 || j != i && n != 1 {
				t.Errorf("what %s of %s sent to everyone came %d times to %s of %s", from.dev, from.host.Name(), n, ends[j].dev, ends[j].host.Name())
			}
			must(t, tap.Close())
		}
	}
	checkVerdicts(t, b.gw)
	b.gw.stop()
}

// burst sends a ring's worth of the largest frames at once.
func burst(t *testing.T, from, to end) {
	t.Helper()
	const frames = 200
	dst, err := to.host.MAC(to.dev)
	must(t, err)
	src, err := from.host.MAC(from.dev)
	must(t, err)
	tap, err := to.host.Capture(to.dev, func(f lab.Frame) bool {
		return !f.Outgoing && len(f.Data) == 14+jumboMTU && f.Data[12] == experimental>>8
	})
	must(t, err)
	var all [][]byte
	for i := range frames {
		all = append(all, append(named(dst, src, fmt.Sprintf("%4d of a burst", i)), bytes.Repeat([]byte{byte(i)}, jumboMTU+14-60)...))
	}
	must(t, from.host.SendFrame(from.dev, all...))
	got, err := tap.Wait(testContext(t), frames, nil)
	must(t, err)
	checkSame(t, fmt.Sprintf("a burst from %s to %s", from.addr, to.addr), got, 0, all, 0)
	must(t, tap.Close())
}

// A station that moves from one port to another is found there by its first frame,
// by those at other ports and by the far end.
func TestStationMoves(t *testing.T) {
	t.Parallel()
	b := newLocal(t)
	station := net.HardwareAddr{2, 0, 0, 0, 7, 0x77}
	everyone := net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	places := []struct {
		end
		line string
	}{
		{b.one, station.String() + " dev veth1 master gw42"},
		{b.two, station.String() + " dev veth2 master gw42"},
		{b.far, station.String() + " dev gw42 dst 10.65.132.188 self"},
		{b.one, station.String() + " dev veth1 master gw42"},
	}
	others := []end{b.one, b.two, b.far, b.dev}
	for i, at := range places {
		moves := b.gw.status().FDB.Moves
		must(t, at.host.SendFrame(at.dev, named(everyone, station, fmt.Sprintf("here I am: %d", i))))
		b.gw.awaitFDB(at.line)
		if got := b.gw.status().FDB.Moves - moves; got != uint64(min(i, 1)) {
			t.Errorf("place %d: %d moves counted, want %d", i, got, min(i, 1))
		}
		tap, err := at.host.Capture(at.dev, func(f lab.Frame) bool { return !f.Outgoing })
		must(t, err)
		for j, from := range others {
			if from == at.end {
				continue
			}
			if from == b.far {
				eventually(t, func() string {
					if lines := bridgeFDB(t, from); !slices.Contains(lines, station.String()+" dev vxlan0 dst 10.65.132.187 self") {
						return fmt.Sprintf("place %d: the far end does not have the station behind gw: %q", i, lines)
					}
					return ""
				})
			}
			src, err := from.host.MAC(from.dev)
			must(t, err)
			frame := named(station, src, fmt.Sprintf("%d to the station at its place %d", j, i))
			must(t, from.host.SendFrame(from.dev, frame))
			_, err = tap.Wait(testContext(t), 1, func(f lab.Frame) bool { return bytes.Equal(f.Data, frame) })
			must(t, err)
		}
		must(t, tap.Close())
	}
	b.gw.stop()
}

// bridgeFDB is what bridge fdb show prints for an end's device.
func bridgeFDB(t *testing.T, e end) (lines []string) {
	t.Helper()
	entries, err := e.host.FDB(e.dev)
	must(t, err)
	for _, entry := range entries {
		lines = append(lines, entry.String())
	}
	return lines
}
