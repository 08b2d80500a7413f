package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"slices"
	"testing"

	"vxgw/internal/lab"
)

// times is how often a packet is sent that goes nowhere; fewer than the 256 that
// veth holds for a receiver that is late (VETH_RING_SIZE, drivers/net/veth.c).
const times = 150

// fewTimes is how often one is sent that arrives somewhere.
const fewTimes = 4

// Where frames are seen to arrive.
const (
	atKernel = "the kernel, on ens18"
	atPort   = "the container"
	atDevice = "the device"
	atWire   = "the wire"
	atTwin   = "the kernel's device"

	atKernelPort   = "the kernel, on the port"
	atKernelDevice = "the kernel, on the device's far end"
)

// jumbo is the underlay's MTU, in bytes. Native XDP on a veth allows little more,
// since a packet has to fit a page (veth_xdp_set, drivers/net/veth.c).
const jumbo = 3400

// malformedBed is gw among neighbours that only say what a case has them say.
type malformedBed struct {
	*vtep
	node2, box *lab.Host
	under      net.HardwareAddr // of gw's underlay
	taps       map[string]*lab.Capture
	// expected is how often a frame has to arrive somewhere, and for which case.
	expected map[string]map[string]int
	names    map[string]string // of cases, by frame
	counted  map[string]uint64 // verdicts so far: nobody sends frames but the cases
}

func newMalformedBed(t *testing.T) *malformedBed {
	t.Helper()
	l := newLab(t)
	node1 := newHost(t, l, "node1")
	b := &malformedBed{node2: newHost(t, l, "node2"), taps: map[string]*lab.Capture{}, expected: map[string]map[string]int{}, names: map[string]string{}}
	must(t, l.Veth(node1, "ens18", b.node2, "ens18", lab.VethOptions{MTU: jumbo}))
	must(t, node1.AddAddress("ens18", under1.String()+"/24"))
	must(t, b.node2.AddAddress("ens18", under2.String()+"/24"))
	must(t, node1.AddAddress("ens18", under3.String()+"/24")) // one more address of our own
	b.box = newHost(t, l, "box")
	must(t, l.Veth(node1, "veth1", b.box, "veth0", lab.VethOptions{}))
	must(t, b.box.AddAddress("veth0", over3.String()+"/24"))
	must(t, node1.KernelVXLAN(lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Local: under1, MTU: jumbo - 50}))

	b.vtep = start(t, node1, "--iface", "ens18", "--vni", "42", "--remote", under2.String(),
		"--port", "veth1", "--device", "gw42", "--address", over1.String()+"/24")
	var err error
	b.under, err = node1.MAC("ens18")
	must(t, err)
	for _, tap := range []struct {
		where string
		host  *lab.Host
		link  string
		keep  func(lab.Frame) bool
	}{
		{atKernel, node1, "ens18", func(f lab.Frame) bool { return bytes.Equal(f.Data[6:12], rawMAC) }},
		{atTwin, node1, "vxlan43", nil},
		{atDevice, node1, "gw42", nil},
		{atPort, b.box, "veth0", nil},
		{atKernelPort, node1, "veth1", nil},
		{atKernelDevice, node1, "gw42-x", nil},
		{atWire, b.node2, "ens18", func(f lab.Frame) bool { _, ok := parseOuter(f); return ok }},
	} {
		b.taps[tap.where], err = tap.host.Capture(tap.link, func(f lab.Frame) bool { return !f.Outgoing && (tap.keep == nil || tap.keep(f)) })
		must(t, err)
		b.expected[tap.where] = map[string]int{}
	}
	eventually(t, func() string {
		for _, r := range b.status().Remotes {
			if r.Address == under2.String() && r.State == "direct" {
				return ""
			}
		}
		return "the way to the remote is not direct"
	})
	return b
}

// expect notes that each of n equal frames has to arrive at some place.
func (b *malformedBed) expect(where string, frame []byte, n int, name string) {
	if frame != nil {
		b.expected[where][string(frame)] += n
		b.names[string(frame)] = name
	}
}

// send sends a frame n times and waits for as many verdicts; without a verdict, for
// the kernel to see all of them at where.
func (b *malformedBed) send(t *testing.T, from *lab.Host, link string, frame []byte, n int, verdict, where string) {
	t.Helper()
	seen := b.expected[where][string(frame)]
	before, sum := b.counted, uint64(0)
	for _, count := range before {
		sum += count
	}
	must(t, from.SendFrame(link, slices.Repeat([][]byte{frame}, n)...))
	if verdict == "" {
		if _, err := b.taps[where].Wait(within(t), seen+n, func(f lab.Frame) bool { return bytes.Equal(whole(f), frame) }); err != nil {
			t.Fatalf("%s did not get it: %v", where, err)
		}
		b.expect(where, frame, n, t.Name())
		return
	}
	eventually(t, func() string {
		now, total, _ := verdicts(b.status())
		b.counted = now
		if total < sum+uint64(n) {
			return fmt.Sprintf("%d verdicts for %d frames, among them %d %s", total-sum, n, now[verdict]-before[verdict], verdict)
		}
		return ""
	})
	for name, count := range b.counted {
		want := before[name]
		if name == verdict {
			want += uint64(n)
		}
		if count != want {
			t.Errorf("%d times %s, want %d times %s", count-before[name], name, n, verdict)
		}
	}
}

// whole is a frame with the tag that travels beside it put back.
func whole(f lab.Frame) []byte {
	if !f.Tagged {
		return f.Data
	}
	return insert(12, byte(f.VLANType>>8), byte(f.VLANType), byte(f.VLAN>>8), byte(f.VLAN))(bytes.Clone(f.Data))
}

// checkArrivals compares what the taps have with what they must have.
func (b *malformedBed) checkArrivals(t *testing.T) {
	t.Helper()
	for where, tap := range b.taps {
		total := 0
		for _, n := range b.expected[where] {
			total += n
		}
		if _, err := tap.Wait(within(t), total, nil); err != nil {
			t.Errorf("%s: %v", where, err)
		}
		if lost, err := tap.Dropped(); lost > 0 || err != nil {
			t.Errorf("%s: the capture lost %d frames: %v", where, lost, err)
		}
		got := map[string]int{}
		for _, f := range tap.Frames() {
			frame := whole(f)
			if where == atWire {
				o, _ := parseOuter(f)
				frame = o.packet[atInner-atIP : o.length]
			}
			got[string(frame)]++
		}
		for frame, n := range b.expected[where] {
			if got[frame] != n {
				t.Errorf("%s: %s got %d of %d frames % x", b.names[frame], where, got[frame], n, frame[:min(len(frame), 64)])
			}
			delete(got, frame)
		}
		for frame, n := range got {
			t.Errorf("%s got %d frames that nobody may have: % x", where, n, frame[:min(len(frame), 80)])
		}
	}
}

// checkFrames wants every frame to be in the store, save those that sockets and
// the worker's own stack hold at rest. gw counts them all when it stops, and fails
// when one is missing.
func (b *malformedBed) checkFrames(t *testing.T, before int) {
	t.Helper()
	const stack = 256 // poolSize of package ring
	eventually(t, func() string {
		if free := b.status().Memory.Free; free < before-stack || free > before+stack {
			return fmt.Sprintf("%d frames free, %d at the start", free, before)
		}
		return ""
	})
	s := b.status()
	if _, _, received := verdicts(s); received < uint64(s.Memory.Frames) {
		t.Errorf("%d frames were received, not even each of %d once", received, s.Memory.Frames)
	}
	queues := s.Underlay.Queues
	for _, p := range s.Ports {
		queues = append(queues, p.Queues...)
	}
	for _, q := range queues {
		if k := q.Kernel; q.Foreign+k.RxDropped+k.RxInvalid+k.TxInvalid+k.RxRingFull > 0 {
			t.Errorf("the kernel and gw disagree about frames: %+v", q)
		}
	}
}

// within is as much patience as eventually has.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
