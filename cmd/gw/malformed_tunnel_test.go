package main

import (
	"slices"
	"testing"
)

// tunnelCase is a packet to the underlay and what becomes of it.
type tunnelCase struct {
	name    string
	inner   []byte // nil: a frame of its own to an unknown address
	edits   []edit
	verdict string // empty: up to the kernel
	// delivered is what the device and the port get, and what the kernel's device does:
	// nothing when it is nil.
	delivered []byte
	onlyTo    string // where it goes alone, if not to both
	leftover  bool   // the kernel gets it, and gw from there
	once      bool   // the second one would find what the first one taught
	// differs says why the kernel's device does something else with this packet, which
	// then is not sent to it.
	differs string
}

// asIs stands for the inner frame as it was.
var asIs = []byte{}

// tunnelCases returns all cases, each with a frame of its own.
func (b *malformedBed) tunnelCases() []tunnelCase {
	cases := slices.Concat(cutCases(), ipCases(), sourceCases(), destinationCases(b.under), udpCases(), vxlanCases(), innerCases(), ecnCases(), largeCases(),
		[]tunnelCase{{name: "nothing wrong", verdict: "flooded", delivered: asIs}})
	for i := range cases {
		if c := &cases[i]; c.inner == nil {
			c.inner = named(noMAC, farMAC, c.name)
		}
	}
	return cases
}

// runTunnel sends a case's packet to gw, and to the kernel's device with its VNI.
func (b *malformedBed) runTunnel(t *testing.T, c tunnelCase) {
	want := c.delivered
	if want != nil && len(want) == 0 {
		want = c.inner
	}
	n := times
	switch {
	case c.once:
		n = 1
	case want != nil || c.verdict == "":
		n = fewTimes
	}
	packet := craft(b.under, 42, c.inner, c.edits...)
	b.send(t, b.node2, "ens18", packet, n, c.verdict, atKernel)
	if c.leftover {
		b.expect(atKernel, packet, n, t.Name())
	}
	for _, where := range []string{atDevice, atPort} {
		if c.onlyTo == "" || c.onlyTo == where {
			b.expect(where, want, n, t.Name())
		}
	}
	if c.differs == "" {
		// They are in front of the next case's packets, which are waited for.
		twin := craft(b.under, 43, c.inner, append(slices.Clip(c.edits), set(6, twinMAC...))...)
		must(t, b.node2.SendFrame("ens18", slices.Repeat([][]byte{twin}, fewTimes)...))
		b.expect(atTwin, want, fewTimes, t.Name())
	}
}

// What differs says most often.
const (
	noVNI    = "without a VNI to be seen it is gw's, whatever VNI was meant"
	notOurs  = "left to the kernel, whose device would take it"
	stricter = "the kernel is more lenient"
	milder   = "the kernel is stricter"
)
