package main

import (
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// newTwin makes a host that nobody can tell from its twins by its interfaces, and
// a neighbour of its own.
func newTwin(t *testing.T, l *lab.Lab, name string) *lab.Host {
	t.Helper()
	h, peer := newHost(t, l, name), newHost(t, l, name+"peer")
	must(t, l.Veth(h, "ens18", peer, "ens18", lab.VethOptions{AMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}))
	must(t, h.AddAddress("ens18", "10.65.132.187/24"))
	must(t, peer.AddAddress("ens18", "10.65.132.188/24"))
	return h
}

// TestKilledInAnotherNamespace finds the journal of a gateway that was killed in a
// namespace which has ended, and whose inode this one has now. Everything that the
// journal speaks of is here too, and is somebody else's.
func TestKilledInAnotherNamespace(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	a, b := newTwin(t, l, "node1"), newTwin(t, l, "node2")
	before := dump(t, a)
	g := start(t, a, on("--remote", "10.65.132.188", "--address", "172.17.1.2/24")...)
	far, err := a.MAC("gw42-x")
	must(t, err)
	kill(t, g, before)
	theirs, ours := pathsOf(t, a, "ens18").State, pathsOf(t, b, "ens18").State
	journal, err := os.ReadFile(theirs)
	must(t, err)
	output(t, a, "cleanup", "--iface", "ens18")

	must(t, l.Veth(b, "gw42", b, "gw42-x", lab.VethOptions{BMAC: far}))
	must(t, b.Do(func() error {
		ens18, err := netlink.LinkByName("ens18")
		if err != nil {
			return err
		}
		return netlink.NeighSet(&netlink.Neigh{LinkIndex: ens18.Attrs().Index, IP: net.IPv4(10, 65, 132, 188),
			Flags: netlink.NTF_USE, FlagsExt: netlink.NTF_EXT_MANAGED})
	}))
	ping(t, end{host: b}, end{host: b, addr: netip.MustParseAddr("10.65.132.188")}, lab.PingOptions{})
	before = dump(t, b)
	for _, do := range []struct {
		name string
		what func()
	}{
		{"cleanup", func() {
			if out := output(t, b, "cleanup", "--iface", "ens18"); out != "" {
				t.Errorf("cleanup says %q", out)
			}
		}},
		{"start", func() {
			g := start(t, b, on("--remote", "10.65.132.188", "--device", "mine")...)
			if g.log.grep("is of another network namespace") == "" || g.log.grep("putting back") != "" {
				t.Errorf("it does not say what it does with the journal:\n%s", g.log)
			}
			g.stop()
		}},
	} {
		t.Run(do.name, func(t *testing.T) {
			must(t, os.WriteFile(ours, journal, 0o600))
			do.what()
			clean(t, before, b)
		})
	}
}
