package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// link runs netlink on a link of h.
func onLink(t *testing.T, h *lab.Host, link string, do func(netlink.Link) error) {
	t.Helper()
	must(t, h.Do(func() error {
		l, err := netlink.LinkByName(link)
		if err != nil {
			return err
		}
		return do(l)
	}))
}

// Ports that are removed, moved away or renamed, and come back in as many ways, are
// taken again by themselves, with their static entries; a device that somebody
// removes is made again. The other ports never notice.
func TestPortComesBack(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer, guest, elsewhere := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "guest"), newHost(t, l, "elsewhere")
	cable(t, l, h, peer)
	veth := func(name string) {
		t.Helper()
		must(t, l.Veth(h, name, guest, "veth1", lab.VethOptions{MTU: 1450}))
		must(t, guest.AddAddress("veth1", guestAddress+"/24"))
	}
	veth("veth1")
	must(t, peer.KernelVXLAN(lab.VXLANConfig{
		Name: "vxlan0", VNI: 42, Dev: "ens18", Group: netip.MustParseAddr("224.1.1.1"), Address: peerAddress + "/24",
	}))
	before := dump(t, h)
	g := start(t, h, "--config", writeFile(t, `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - vni: 42
    group: 224.1.1.1
    device: {addresses: [172.17.1.2/24]}
    ports: [veth1]
    fdb: [{mac: "02:00:00:00:00:f1", port: veth1}]
`))
	const static = "02:00:00:00:00:f1 dev veth1 master gw42 static"
	gone := func() {
		t.Helper()
		g.awaitProblem("port veth1 of vni 42 is gone: it was removed")
		eventually(t, func() string { // they go after the port
			if have := g.fdb(); slices.ContainsFunc(have, func(l string) bool { return strings.Contains(l, "dev veth1") }) {
				return fmt.Sprintf("entries of a port that is gone: %q", have)
			}
			return ""
		})
		pings(t, h, peerAddress)
		out, said, status := runGW(t, h, "fdb", "add", "02:00:00:00:00:f2", "dev", "veth1", "master")
		if status != 1 || !strings.Contains(said, "port veth1 is gone") {
			t.Errorf("an entry behind a port that is gone: %d %s%s", status, out, said)
		}
	}
	back := func(how string) {
		t.Helper()
		there := time.Now()
		g.awaitHealth()
		answers(t, guest, peerAddress)
		soon(t, how, time.Since(there), goesOn)
		pings(t, guest, ourAddress)
		g.awaitFDB(static)
	}
	pings(t, guest, peerAddress)
	g.awaitFDB(static)

	must(t, h.DeleteLink("veth1"))
	gone()
	veth("veth1")
	back("made again")

	must(t, h.DeleteLink("veth1"))
	gone()
	veth("other")
	onLink(t, h, "other", func(l netlink.Link) error { return netlink.LinkSetName(l, "veth1") })
	back("renamed")

	here, err := unix.Open("/run/netns/"+h.NSName(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(here)
	away, err := unix.Open("/run/netns/"+elsewhere.NSName(), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(away)
	onLink(t, h, "veth1", func(l netlink.Link) error { return netlink.LinkSetNsFd(l, away) })
	gone()
	onLink(t, elsewhere, "veth1", func(l netlink.Link) error { return netlink.LinkSetNsFd(l, here) })
	must(t, h.SetUp("veth1"))
	back("moved back")

	// One that does not fit is told, and tried again when it changes.
	must(t, h.DeleteLink("veth1"))
	gone()
	must(t, h.Bridge("br0"))
	veth("other")
	must(t, h.SetMaster("other", "br0"))
	onLink(t, h, "other", func(l netlink.Link) error { return netlink.LinkSetName(l, "veth1") })
	g.awaitProblem("port veth1 of vni 42 is gone: vni 42: port veth1: it belongs to the bridge br0")
	onLink(t, h, "veth1", netlink.LinkSetNoMaster)
	back("taken out of the bridge")
	must(t, h.DeleteLink("br0"))

	for range 3 {
		must(t, h.DeleteLink("gw42"))
		awaitAddress(t, h, "gw42", ourAddress)
		g.awaitHealth()
		pings(t, h, peerAddress)
		pings(t, guest, ourAddress)
	}
	g.stop()
	sameDumpButNames(t, before, h)
}

// awaitAddress waits until a link is there and has the address.
func awaitAddress(t *testing.T, h *lab.Host, link, addr string) {
	t.Helper()
	eventually(t, func() string {
		if _, err := h.Link(link); err == nil && slices.Contains(addresses(t, h, link), addr+"/24") {
			return ""
		}
		return link + " is not there again"
	})
}

// sameDumpButNames compares what is left but for what the test itself changed: the
// index of veth1.
func sameDumpButNames(t *testing.T, before string, h *lab.Host) {
	t.Helper()
	links, err := h.Links()
	must(t, err)
	var names []string
	for _, l := range links {
		if l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
			t.Errorf("a program is left on %s", l.Attrs().Name)
		}
		names = append(names, l.Attrs().Name)
	}
	slices.Sort(names)
	if want := []string{"ens18", "lo", "veth1"}; !slices.Equal(names, want) {
		t.Errorf("links %v are left, want %v", names, want)
	}
}
