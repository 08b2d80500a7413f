package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"vxgw/control"
	"vxgw/internal/lab"
)

// awaitMTU waits until gw42 has an MTU, and the status says so.
func (w *world) awaitMTU(t *testing.T, mtu int) {
	t.Helper()
	eventually(t, func() string {
		if now := w.left.mtu(t); now != mtu {
			return fmt.Sprintf("gw42 has an MTU of %d, not %d", now, mtu)
		}
		if p := w.g.status().Ports[0]; p.Device == "gw42" && p.MTU != mtu {
			return fmt.Sprintf("the status says %d, not %d", p.MTU, mtu)
		}
		return ""
	})
}

// awaitRemoteMTU waits until the way to the far end has an MTU.
func (w *world) awaitRemoteMTU(t *testing.T, mtu int) {
	t.Helper()
	w.awaitRemote(t, "another MTU", func(r control.Remote) bool { return r.MTU == mtu })
}

// problem waits until the status has a problem with all the words, or with none given has no problem.
func (g *vtep) problem(words ...string) {
	g.t.Helper()
	eventually(g.t, func() string {
		p := strings.Join(g.status().Problems, "\n")
		for _, w := range words {
			if !strings.Contains(p, w) {
				return fmt.Sprintf("no %q in the problems: %q", w, p)
			}
		}
		if len(words) == 0 && p != "" {
			return p
		}
		return ""
	})
}

// TestDeviceMTU has the device follow the underlay, keep what somebody else has set and what the configuration says, by flag, file
// and verb, and keep its IPv6 addresses where the tunnel has no room for IPv6.
func TestDeviceMTU(t *testing.T) {
	t.Parallel()
	w := newStillWorld(t)
	a := w.left.host
	w.start(t, "--address", "fd17::2/64")
	must(t, a.SetMTU("ens18", 1500))
	for _, mtu := range []int{1400, 3000, 1500} {
		must(t, a.SetMTU("ens18", mtu))
		w.awaitMTU(t, mtu-50)
	}
	w.g.problem()

	must(t, a.SetMTU("ens18", 1300)) // leaves 1250
	w.awaitMTU(t, 1280)
	w.g.problem("device gw42 of vni 42 has an MTU of 1280, and the tunnel carries 1250", "ip link set dev gw42 mtu 1250; or give the underlay 1330")
	if !strings.Contains(dump(t, a), "fd17::2/64") {
		t.Error("gw42 has lost its IPv6 address")
	}
	must(t, a.SetMTU("ens18", 1500))
	w.awaitMTU(t, 1450)
	w.g.problem()

	must(t, a.SetMTU("gw42", 1400)) // by hand
	w.awaitMTU(t, 1400)
	must(t, a.SetMTU("ens18", 1480))
	w.awaitRemoteMTU(t, 1480)
	must(t, a.SetMTU("ens18", 1440))
	w.g.problem("device gw42 of vni 42 has an MTU of 1400, and the tunnel carries 1390", "ip link set dev gw42 mtu 1390")
	w.awaitMTU(t, 1400)
	must(t, a.SetMTU("ens18", 1500))
	w.g.problem()
	pings(t, a, peerAddress)

	// Back to what gw has set last, it follows again.
	must(t, a.SetMTU("gw42", 1450))
	must(t, a.SetMTU("ens18", 1460))
	w.awaitMTU(t, 1410)
	must(t, a.SetMTU("ens18", 1500))
	w.awaitMTU(t, 1450)
	output(t, a, "vni", "add", "43", "--mtu", "1300")
	if l, err := a.Link("gw43"); err != nil || l.Attrs().MTU != 1300 {
		t.Errorf("gw43: %+v, %v", l, err)
	}
	if text := output(t, a, "vni", "show", "43", "-j"); !strings.Contains(text, `"mtu": 1300`) {
		t.Errorf("gw vni show -j: %s", text)
	}
	w.g.stop()
	g := start(t, a, on("--remote", under2.String(), "--mtu", "1333")...)
	if mtu := w.left.mtu(t); mtu != 1333 {
		t.Errorf("with --mtu 1333 gw42 has %d", mtu)
	}
	g.stop()
	refuse(t, a, []refusal{
		{name: "no room for IPv6", args: on("--mtu", "1279", "--address", "fd17::2/64"), status: 2, want: []string{"vni 42", "gw42", "mtu 1279", "1280"}},
		{name: "none at all", args: on("--mtu", "60"), status: 2, want: []string{"vni 42", "mtu 60 is out of range", "68-65535"}},
		{name: "without a device", args: on("--mtu", "1400", "--no-device"), status: 2, want: []string{"--no-device does not go with", "--mtu"}},
	})
}

// A reload gives a device another MTU, and lets it follow again.
func TestDeviceMTUReload(t *testing.T) {
	t.Parallel()
	w := newStillWorld(t)
	a := w.left.host
	const file = "underlay: {iface: ens18}\nmetrics: {listen: ''}\nvnis: [{vni: 42, remotes: [10.65.132.188], device: {addresses: [172.17.1.2/24]%s}}]\n"
	path := writeFile(t, fmt.Sprintf(file, ", mtu: 1400"))
	w.g = start(t, a, "--config", path)
	w.awaitMTU(t, 1400)
	must(t, a.SetMTU("ens18", 1600))
	w.awaitRemoteMTU(t, 1600)
	w.awaitMTU(t, 1400)
	rewrite := func(text string) { must(t, os.WriteFile(path, []byte(fmt.Sprintf(file, text)), 0o600)) }
	rewrite(", mtu: 1300")
	w.g.reload("changed vni 42 (device)")
	w.awaitMTU(t, 1300)
	rewrite("")
	w.g.reload("changed vni 42 (device)")
	w.awaitMTU(t, 1550)
	must(t, a.SetMTU("ens18", 1500))
	w.awaitMTU(t, 1450)
	pings(t, a, peerAddress)
	w.g.stop()
}

// A port that is wider than the tunnel is told of, with what cures it, when either changes; no more once that was typed. A large
// device is made with frames that hold it.
func TestPortMismatch(t *testing.T) {
	t.Parallel()
	w := newStillWorld(t)
	a := w.left.host
	box, err := a.BridgePort("veth1", "box", over3.String()+"/24", lab.VethOptions{MTU: 1450})
	must(t, err)
	g := start(t, a, on("--remote", under2.String(), "--port", "veth1", "--device", "gw42", "--mtu", "9000")...)
	g.problem("device gw42 of vni 42 has an MTU of 9000, and the tunnel carries 1450")
	if s := g.status(); s.Memory.FrameSize != 16384 || len(s.Problems) != 1 {
		t.Errorf("frames of %d, problems %q", s.Memory.FrameSize, s.Problems)
	}
	must(t, a.SetMTU("gw42", 1450))
	g.problem()
	must(t, a.SetMTU("veth1", 1600))
	warned := func(what string) {
		t.Helper()
		eventually(t, func() string {
			if g.log.grep(what) == "" {
				return "no warning with " + what
			}
			return ""
		})
	}
	warned(`"mtu":1600,"tunnel":1450`)
	g.problem("port veth1 of vni 42 has an MTU of 1600, and the tunnel carries 1450", "ip link set dev veth1 mtu 1450, and at its other end; or give the underlay 1650")
	must(t, a.SetMTU("ens18", 1650))
	g.problem()
	must(t, a.SetMTU("ens18", 1640))
	g.problem("the tunnel carries 1590")
	warned(`"mtu":1600,"tunnel":1590`)
	must(t, a.SetMTU("veth1", 1590))
	must(t, box.SetMTU("veth0", 1590))
	g.problem()
	g.stop()
}
