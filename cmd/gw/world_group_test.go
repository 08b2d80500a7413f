package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// TestManyGroups has fifty VNIs with a group each, more than two sockets hold. Where
// the kernel lets a socket hold ten, twelve are more than one holds.
func TestManyGroups(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, a, b)
	before := dump(t, a)
	for _, c := range []struct {
		limit  string
		groups int
	}{{"20", 50}, {"10", 12}} {
		last := c.groups
		must(t, b.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: uint32(last), Dev: "ens18", Group: groupOf(last), Address: peerAddress + "/24"}))
		must(t, a.SetSysctl("net.ipv4.igmp_max_memberships", c.limit))
		g := start(t, a, "--config", manyGroups(t, last))
		joined := dump(t, a)
		for i := 1; i <= last; i++ {
			if b := groupOf(i).As4(); !strings.Contains(joined, fmt.Sprintf("group ens18 ipv4 %02X%02X%02X%02X users", b[3], b[2], b[1], b[0])) {
				t.Errorf("with %s groups a socket, %s is not joined", c.limit, groupOf(i))
			}
		}
		pings(t, b, ourAddress) // an ARP request to the last group comes first
		pings(t, a, peerAddress)
		g.stop()
		must(t, b.DeleteLink("vxlan0"))
		must(t, a.SetSysctl("net.ipv4.igmp_max_memberships", "20"))
		clean(t, before, a)
	}
}

// groupOf is the group of a VNI.
func groupOf(vni int) netip.Addr { return netip.AddrFrom4([4]byte{239, 1, 1, byte(vni)}) }

// manyGroups writes a configuration with so many VNIs, the last of which has an address.
func manyGroups(t *testing.T, vnis int) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("underlay: {iface: ens18}\nmetrics: {listen: \"\"}\nvnis:\n")
	for i := 1; i < vnis; i++ {
		fmt.Fprintf(&text, "  - {vni: %d, group: %s}\n", i, groupOf(i))
	}
	fmt.Fprintf(&text, "  - {vni: %d, group: %s, device: {addresses: [%s/24]}}\n", vnis, groupOf(vnis), ourAddress)
	file := filepath.Join(t.TempDir(), "gw.yaml")
	must(t, os.WriteFile(file, []byte(text.String()), 0o600))
	return file
}
