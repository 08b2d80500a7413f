package main

import (
	"strings"
	"sync"
	"testing"

	"vxgw/internal/lab"
)

// Kernels before 6.8 do not tell XDP the VLAN tags that travel beside frames. There
// gw warns of a port whose other end is in another namespace, and the test does at
// that end what the warning asks for.

var xdpIsTold = sync.OnceValues(func() (bool, error) { return lab.KernelHas("bpf_xdp_metadata_rx_vlan_tag") })

// tagsTold says whether the kernel tells.
func tagsTold(t *testing.T) bool {
	t.Helper()
	told, err := xdpIsTold()
	must(t, err)
	return told
}

// keepTagsWithin has a port's other end put tags into the frames where the kernel
// does not tell them.
func keepTagsWithin(t *testing.T, h *lab.Host, dev string) {
	t.Helper()
	if tagsTold(t) {
		return
	}
	must(t, h.SetOffload(dev, "txvlan", false))
	must(t, h.SetOffload(dev, "tx-vlan-stag-hw-insert", false))
}

// warnings returns the first line of the log that should not be there. That tags
// are lost has to be, where they are.
func (g *vtep) warnings() string {
	told := tagsTold(g.t)
	for line := range strings.Lines(g.log.String()) {
		lost := strings.Contains(line, "VLAN tags on frames from the port are lost")
		for _, w := range []string{"gw: ", "ERROR", "WARN"} {
			if strings.Contains(line, w) && (told || !lost) {
				return line
			}
		}
	}
	return ""
}
