package main

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/control"
	"vxgw/internal/lab"
)

// Malformed packets at a running gw, from raw sockets of its neighbours. For each
// case:
//
//	craft -> send, many times -> the verdict has been counted as often, and no other
//	                          or the kernel has got it
//
// and after all of them: what came out where is exactly what had to, a good
// conversation works, and every frame is still there.
//
//	box    veth0 ── veth1   port   ┐                  ┌ node2, crafting
//	node1  gw42  ── gw42-x  device ├ gw ── ens18 ─────┘
//	node1  vxlan43, a kernel device: what it makes of the same packet

func TestMalformed(t *testing.T) {
	t.Parallel()
	b := newMalformedBed(t)
	b.learn(t)
	free := b.status().Memory.Free
	t.Run("underlay", func(t *testing.T) {
		for _, c := range b.tunnelCases() {
			t.Run(c.name, func(t *testing.T) { b.runTunnel(t, c) })
		}
	})
	t.Run("port", func(t *testing.T) { b.runPorts(t) })
	b.checkArrivals(t)
	b.checkFrames(t, free)
	checkVerdicts(t, b.vtep)

	var printed control.Status
	must(t, json.Unmarshal([]byte(output(t, b.host, b.with("status", "-j")...)), &printed))
	by, _, _ := verdicts(printed)
	if diff := cmp.Diff(b.counted, by); diff != "" {
		t.Errorf("gw status -j (-counted +printed):\n%s", diff)
	}
	metrics := samples(t, scrape(t, b.host))
	for name, n := range by {
		if got := metrics[fmt.Sprintf("gw_frames_total{verdict=%q}", name)]; got != float64(n) {
			t.Errorf("metrics have %v frames %s, status has %d", got, name, n)
		}
	}
	if got, want := metrics["gw_injected_packets_total"], printed.Underlay.Injected.Packets; got != float64(want) || want == 0 {
		t.Errorf("metrics have %v packets by way of the kernel, status has %d", got, want)
	}
	must(t, b.node2.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: under1, Address: over2.String() + "/24"}))
	self, far := end{b.host, "gw42", over1, "ens18", under1}, end{b.node2, "vxlan0", over2, "ens18", under2}
	resolve(t, self, far)
	resolve(t, end{host: b.box, dev: "veth0", addr: over3}, far)
	ping(t, far, self, lab.PingOptions{Size: 1400})
	b.stop()
}

// learn teaches gw where some addresses are, so that there are known ones.
func (b *malformedBed) learn(t *testing.T) {
	t.Helper()
	box, host := named(noMAC, boxMAC, "learn the container"), named(noMAC, hostMAC, "learn the host")
	far := named(noMAC, farMAC, "learn the far end")
	b.send(t, b.box, "veth0", box, 1, "flooded", "")
	b.send(t, b.host, "gw42", host, 1, "flooded", "")
	b.send(t, b.node2, "ens18", craft(b.under, 42, far), 1, "flooded", "")
	b.expect(atDevice, box, 1, "learn")
	b.expect(atPort, host, 1, "learn")
	for _, f := range [][]byte{box, host} {
		b.expect(atWire, f, 1, "learn")
	}
	for _, where := range []string{atDevice, atPort} {
		b.expect(where, far, 1, "learn")
	}
	b.awaitFDB(boxMAC.String()+" dev veth1 master gw42", hostMAC.String()+" dev gw42 master gw42", farMAC.String()+" dev gw42 dst "+under2.String()+" self")
}
