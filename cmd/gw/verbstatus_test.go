package main

import (
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"vxgw/internal/lab"
)

// A value that no gateway takes is bad usage, whether the command or the gateway finds it; what this gateway cannot
// do as it is has failed.
func TestVerbStatus(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	g := start(t, h, on("--remote", "10.65.132.188", "--no-device")...)
	for _, r := range []struct {
		args   string
		status int
		want   string
	}{
		{"remote add 224.1.1.1 --vni 42", 2, "multicast"},
		{"remote add 10.65.132.187 --vni 42", 2, "local address"},
		{"remote add 10.65.132.188 --vni 42", 1, "already"},
		{"remote add 10.65.132.188 --vni 43", 1, "there is no vni 43"},
		{"vni add 43 --remote nowhere", 2, "not an IP address"},
		{"vni add 43 --remote 127.0.0.1", 2, "loopback"},
		{"vni add 43 --port nothing", 2, "nothing"},
		{"vni add 42", 1, "vni 42 is there already"},
		{"vni set 42 --ttl 300", 2, "TTL"},
		{"vni set 43 --ttl 30", 1, "there is no vni 43"},
		{"vni del 43", 1, "there is no vni 43"},
		{"vni del 43-", 2, "out of range"},
		{"vni del 44-43", 2, "no range of VNIs"},
		{"port add nothing --vni 42", 2, "nothing"},
		{"port del nothing", 1, "no port of this gateway"},
		{"fdb add 02:00:00:00:00:01 dev gw42 dst 224.1.1.1", 2, "multicast"},
		{"fdb add 02:00:00:00:00:01 dev gw43 dst 10.65.132.188", 1, "neither a VNI nor a port"},
		{"fdb history 02:00:00:00:00", 2, "MAC address"},
		{"remote allow del 10.65.132.188 --vni 42", 1, "not on the list"},
	} {
		stdout, stderr, status := runGW(t, h, strings.Fields(r.args)...)
		if status != r.status || stdout != "" || !strings.Contains(onlyLine(t, stderr), r.want) {
			t.Errorf("gw %s: exit status %d, want %d: %s", r.args, status, r.status, stderr)
		}
	}
	g.stop()
}

// A range of VNIs goes as a whole, or stays as a whole.
func TestDeleteVNIRange(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	g := start(t, h, on("--no-device")...)
	output(t, h, "vni", "add", "100-119", "--no-device")
	count := func() int { return len(g.status().VNIs) }
	refuses(t, h, 1, "vni del 110-120", "there is no vni 120")
	if n := count(); n != 21 {
		t.Errorf("%d VNIs after a refusal", n)
	}
	output(t, h, "vni", "del", "101-118")
	if n := count(); n != 3 {
		t.Errorf("%d VNIs", n)
	}
	g.stop()
}

// Nothing to clean up is no error; a name that nothing has is.
func TestCleanupOfNothing(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	if out := output(t, h, "cleanup", "--iface", "veth1"); out != "" {
		t.Errorf("gw cleanup: %s", out)
	}
	refuses(t, h, 2, "cleanup --iface ens81", "ens18")
}

// An interface that is renamed stays a port by the name that it was configured by, and verbs know it by both.
func TestRenamedPort(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer, guest := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "guest")
	cable(t, l, h, peer)
	must(t, l.Veth(h, "veth1", guest, "veth1", lab.VethOptions{MTU: 1450}))
	must(t, guest.AddAddress("veth1", guestAddress+"/24"))
	const text = "underlay: {iface: ens18}\nmetrics: {listen: ''}\nvnis: [{vni: 42, remotes: [10.65.132.188], device: {addresses: [172.17.1.2/24]}, ports: [veth1]}]\n"
	file := writeFile(t, text)
	g := start(t, h, "--config", file)
	rename := func(from, to string) {
		t.Helper()
		onLink(t, h, from, func(l netlink.Link) error {
			if err := netlink.LinkSetName(l, to); err == nil {
				return nil
			}
			if err := netlink.LinkSetDown(l); err != nil { // before Linux 6.2
				return err
			}
			if err := netlink.LinkSetName(l, to); err != nil {
				return err
			}
			return netlink.LinkSetUp(l)
		})
	}
	rename("veth1", "cable7")
	eventually(t, func() string {
		for _, p := range g.status().Ports {
			if p.Name == "veth1" && p.Renamed == "cable7" {
				return ""
			}
		}
		return "the status does not say that it was renamed"
	})
	pings(t, guest, ourAddress)
	output(t, h, "fdb", "add", "02:00:00:00:00:f1", "dev", "cable7", "master")
	const line = "02:00:00:00:00:f1 dev veth1 master gw42 static\n"
	for _, dev := range []string{"veth1", "cable7"} {
		if out := output(t, h, "fdb", "get", "02:00:00:00:00:f1", "dev", dev); out != line {
			t.Errorf("fdb get at %s: %s", dev, out)
		}
		if out := output(t, h, "fdb", "show", "dev", dev, "static"); out != line {
			t.Errorf("fdb show of %s: %s", dev, out)
		}
	}
	refuses(t, h, 1, "port add cable7 --vni 42", "veth1 is a port of vni 42 already")
	g.reload("nothing changed")
	rewrite(t, file, strings.Replace(text, "veth1", "cable7", 1))
	g.reload("it is a port already, by the name veth1 that it had")
	pings(t, guest, ourAddress)
	output(t, h, "port", "del", "cable7")
	g.reload("changed vni 42 (ports)")
	pings(t, guest, ourAddress)
	if out := output(t, h, "port", "show"); !strings.Contains(out, "cable7") || strings.Contains(out, "veth1") {
		t.Errorf("gw port show:\n%s", out)
	}
	rename("cable7", "veth1")
	if status := g.end(15); status != 0 {
		t.Errorf("exit status %d", status)
	}
}
