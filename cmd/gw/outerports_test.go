package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

// Flows spread over the range of source ports as they do with the kernel's device, and each stays
// on one. The kernel's never takes the last port of the range (udp_flow_src_port in
// include/net/udp.h).
func TestOuterSourcePorts(t *testing.T) {
	t.Parallel()
	b := newOuterBed(t, lab.VXLANConfig{Remote: under2})
	const flows = 200
	var frames [][]byte
	for i := range 2 * flows { // each flow twice, with other content and length
		p := packet4(0, 64, false, fmt.Sprintf("packet %d of %d", i/flows, i))
		binary.BigEndian.PutUint16(p[20:], uint16(10000+i%flows))
		frames = append(frames, frameOf(noMAC, boxMAC, 0x0800, p))
	}
	for _, r := range []struct{ first, last uint16 }{{49152, 65535}, {50000, 50099}, {1, 65535}, {7000, 7001}} {
		t.Run(fmt.Sprintf("%d-%d", r.first, r.last), func(t *testing.T) {
			must(t, b.options(t, []string{"--srcport", fmt.Sprintf("%d-%d", r.first, r.last)}, func(c *lab.VXLANConfig) { c.SrcPort = [2]uint16{r.first, r.last} }))
			for vni, packets := range b.sent(t, frames...) {
				used := map[uint16]int{}
				for i, p := range packets {
					port := binary.BigEndian.Uint16(p[atUDP:])
					if again := binary.BigEndian.Uint16(packets[i%flows][atUDP:]); port < r.first || port > r.last || port != again {
						t.Fatalf("VNI %d: flow %d has source port %d, and %d before", vni, i%flows, port, again)
					}
					used[port]++
				}
				size := int(r.last) - int(r.first) + 1
				if vni == kernelVNI {
					size--
				}
				// By chance 200 flows leave 13 of 100 ports free, and 1.2 of 16,384 are taken twice.
				if least := min(flows*3/4, size*3/4); len(used) < least || size <= 2 && len(used) != size {
					t.Errorf("VNI %d: %d flows use %d of %d ports", vni, flows, len(used), size)
				}
			}
		})
	}
	one := []string{"--srcport", "7000-7000"} // the kernel takes that for its own range
	must(t, b.options(t, one, func(*lab.VXLANConfig) {}))
	for _, p := range b.sent(t, frames...)[gwVNI] {
		if port := binary.BigEndian.Uint16(p[atUDP:]); port != 7000 {
			t.Fatalf("source port %d, want 7000", port)
		}
	}
	b.stop()
}

// The port that the kernel's device has by default, both ways. Packets to 4789 are nobody's then.
func TestOuterDstPort(t *testing.T) {
	t.Parallel()
	b := newOuterBed(t, lab.VXLANConfig{Remote: under2, Port: 8472}, "--dstport", "8472", "--ttl", "9", "--tos", "0", "--df", "set")
	must(t, b.options(t, nil, func(c *lab.VXLANConfig) { c.TTL, c.DF, c.NoUDPCSum = 9, "set", true }))
	frame := frameOf(noMAC, boxMAC, 0x0800, packet4(0x28, 64, false, "to port 8472"))
	packets := b.sent(t, frame)
	ours := outerFields(packets[gwVNI][0])
	if diff := cmp.Diff(outerFields(packets[kernelVNI][0]), ours); diff != "" || ours["UDP port"] != "8472" || ours["TTL"] != "9" {
		t.Errorf("-kernel +gw:\n%s", diff)
	}
	for vni, tap := range b.taps {
		other, right := named(noMAC, farMAC, fmt.Sprintf("to 4789, VNI %d", vni)), named(noMAC, farMAC, fmt.Sprintf("to 8472, VNI %d", vni))
		must(t, b.node2.SendFrame("ens18", craft(b.mac, vni, other), craft(b.mac, vni, right, set16(atDPort, 8472))))
		got, err := tap.Wait(within(t), 1, func(f lab.Frame) bool { return bytes.Equal(f.Data[6:12], farMAC) })
		must(t, err)
		if !bytes.Equal(got[0].Data, right) {
			t.Errorf("VNI %d: got %q first", vni, got[0].Data[14:])
		}
	}
	checkVerdicts(t, b.vtep)
	b.stop()
}
