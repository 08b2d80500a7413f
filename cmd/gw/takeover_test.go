package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/handover"
	"vxgw/internal/lab"
)

// followed is a file for what a gateway can have; %s stands for more VNIs.
const followed = `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - vni: 42
    group: 224.1.1.1
    device: {addresses: [172.17.1.2/24]}
    ports: [veth1]
    neigh_suppress: true
    fdb: [{mac: "02:00:00:00:00:99", dst: 10.65.132.188}]
%s`

// more is a second VNI.
const more = `  - {vni: 43, remotes: [10.65.132.188], device: {name: blue, addresses: [172.17.43.2/24]}}
`

// follow starts a gateway that takes over from g, and returns it when frames flow. g ends as one that has handed over.
func follow(t *testing.T, g *vtep, args ...string) *vtep {
	t.Helper()
	next := launch(t, g.host, args...)
	if status := g.wait(); status != 3 {
		t.Errorf("the gateway that hands over ends with status %d:\n%s\n%s", status, g.log, next.log)
	}
	next.ready()
	if said := next.log.grep("took over from the gateway before"); said == "" {
		t.Errorf("it does not say that it took over:\n%s", next.log)
	}
	return next
}

// amiss is what no gateway says that hands over, or follows one, as it should.
var amiss = []string{`"ERROR"`, "putting back", "cannot", "is incomplete", "of no use", "attached anew", "not permitted", "permission denied"}

// keeps says which entries are missing in later, and not as they were but for their ages, which grow.
func keeps(was, now []control.FDBEntry) (bad []string) {
	for _, e := range was {
		i := slices.IndexFunc(now, func(o control.FDBEntry) bool { return o.String() == e.String() })
		switch {
		case i < 0:
			bad = append(bad, e.String()+" is gone")
		case e.Age != nil && (now[i].Age == nil || *e.Age > 60 && *now[i].Age < *e.Age):
			bad = append(bad, fmt.Sprintf("%s is of age %v, was of %v", e, now[i].Age, *e.Age))
		}
	}
	return bad
}

// TestTakeOver follows a gateway twice, under load both ways, with links, addresses, routes and tables as they were.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	h, peer, guest := newTriangle(t)
	before := dump(t, h)
	file := write(t, fmt.Sprintf(followed, more))
	g := start(t, h, "--config", file)
	pings(t, h, peerAddress)
	pings(t, guest, peerAddress)
	for _, entry := range []string{
		"02:57:a7:1c:00:01 dev gw42 dst 10.65.132.188",
		"02:57:a7:1c:00:02 dev veth1 master static",
		"02:57:a7:1c:00:03 dev gw43 dst 10.65.132.188 extern_learn",
		"02:57:a7:1c:00:04 dev gw42 dst 10.65.132.188 port 4790 vni 77 dynamic",
	} {
		output(t, h, append([]string{"fdb", "add"}, strings.Fields(entry)...)...)
	}
	output(t, h, "neigh", "add", "172.17.1.77", "lladdr", "02:00:00:00:00:77", "dev", "gw42")
	must(t, h.AddRoute(overlayRoute("gw42")))
	must(t, h.AddAddress("gw42", "172.17.1.200/24"))
	must(t, h.SetNeighbour("gw42", netip.MustParseAddr("172.17.1.55"), net.HardwareAddr{2, 0, 0, 0, 0, 0x55}))

	streams := map[string]*trickle{
		"to a device":   newTrickle(t, peer, h, ourAddress, 7001),
		"from a device": newTrickle(t, h, peer, peerAddress, 7002),
		"to a port":     newTrickle(t, peer, guest, guestAddress, 7003),
		"from a port":   newTrickle(t, guest, peer, peerAddress, 7004),
	}
	finish := longTransfer(t, peer, h, ourAddress, 7005)
	for _, s := range streams {
		s.flows(t)
	}
	complaints, err := peer.Capture("ens18", tellsOfTheGap)
	must(t, err)
	had, neighbours, entries := dump(t, h), output(t, h, "neigh", "show"), g.entries()
	for i := range 2 {
		for _, s := range streams {
			s.longest()
		}
		w := watchLinks(t, h, []string{"ens18", "veth1", "gw42-x", "blue-x"}, "gw42", "blue")
		g = follow(t, g, "--config", file, "--takeover")
		w.stop()
		for name, s := range streams {
			s.flows(t)
			gap := s.longest()
			t.Logf("turn %d, %s: the longest gap was %v", i+1, name, gap.Round(time.Millisecond))
			if gap > patience {
				t.Errorf("turn %d, %s: a gap of %v", i+1, name, gap)
			}
		}
		for _, what := range w.troubles {
			t.Errorf("turn %d: %s", i+1, what)
		}
		for _, name := range []string{"ens18", "veth1", "gw42-x", "blue-x"} {
			if ids := w.programs[name]; len(ids) != 2 {
				t.Errorf("turn %d: %s had programs %v, want the old one and the new one (%d looks)", i+1, name, ids, w.looks)
			}
		}
		if bad := keeps(entries, g.entries()); len(bad) > 0 {
			t.Errorf("turn %d: %s", i+1, strings.Join(bad, "\n"))
		}
		if now := output(t, h, "neigh", "show"); !sameNeighbours(neighbours, now) {
			t.Errorf("turn %d: neighbours were\n%s\nand are\n%s", i+1, neighbours, now)
		}
		if said := g.log.grep(amiss...); said != "" {
			t.Errorf("turn %d: it says %s", i+1, said)
		}
	}
	if told := complaints.Frames(); len(told) > 0 {
		t.Errorf("the underlay heard of it: %x", told[0].Data)
	}
	finish()
	for _, s := range streams {
		s.stop()
	}
	sameButPrograms(t, had, h)
	pings(t, h, peerAddress)
	g.stop()
	clean(t, before, h)
}

// sameNeighbours compares gw neigh show without what changes with time.
func sameNeighbours(a, b string) bool {
	places := func(s string) (all []string) {
		for line := range strings.Lines(s) {
			f := strings.Fields(line)
			all = append(all, strings.Join(f[:min(len(f), 5)], " "))
		}
		return all
	}
	return slices.Equal(places(a), places(b))
}

// TestTakeOverChanged follows with another file: it wins over what verbs have done to VNIs, ports and remotes, and what
// it does not have any more goes, with what led there.
func TestTakeOverChanged(t *testing.T) {
	t.Parallel()
	h, peer := newPoint(t)
	before := dump(t, h)
	g := start(t, h, "--config", write(t, fmt.Sprintf(followed, more)))
	pings(t, h, peerAddress)
	output(t, h, "vni", "add", "44", "--remote", "10.65.132.188", "--address", "172.17.44.2/24")
	output(t, h, "remote", "add", "10.65.132.190", "--vni", "43")
	for _, entry := range []string{
		"02:57:a7:1c:00:01 dev gw42 dst 10.65.132.188",
		"02:57:a7:1c:00:02 dev veth1 master static",
		"02:57:a7:1c:00:03 dev gw43 dst 10.65.132.190",
		"02:57:a7:1c:00:04 dev gw44 dst 10.65.132.188",
	} {
		output(t, h, append([]string{"fdb", "add"}, strings.Fields(entry)...)...)
	}
	other := strings.NewReplacer("172.17.1.2/24", "172.17.1.9/24", "    ports: [veth1]\n", "", "00:99", "00:98").Replace(fmt.Sprintf(followed, ""))
	device, err := h.Link("gw42")
	must(t, err)
	g = follow(t, g, "--config", write(t, other), "--takeover")
	now, err := h.Link("gw42")
	must(t, err)
	if now.Attrs().Index != device.Attrs().Index {
		t.Error("the device is another one")
	}
	lines := strings.Join(g.fdb(), "\n")
	for _, want := range []string{"02:57:a7:1c:00:01 dev gw42 dst 10.65.132.188 self permanent", "02:00:00:00:00:98 dev gw42"} {
		if !strings.Contains(lines, want) {
			t.Errorf("the FDB lacks %q:\n%s", want, lines)
		}
	}
	for _, gone := range []string{"00:99", "1c:00:02", "1c:00:03", "1c:00:04", "veth1", "blue", "gw44", "10.65.132.190"} {
		if strings.Contains(lines, gone) {
			t.Errorf("the FDB has %q:\n%s", gone, lines)
		}
	}
	for _, name := range []string{"blue", "gw44"} {
		if _, err := h.Link(name); err == nil {
			t.Errorf("%s is left", name)
		}
	}
	eventually(t, func() string {
		if l, err := h.Link("veth1"); err != nil || l.Attrs().Xdp.Attached {
			return fmt.Sprintf("veth1 still has a program: %v", err)
		}
		return ""
	})
	answers(t, peer, "172.17.1.9")
	if r, err := peer.Ping(testContext(t), netip.MustParseAddr(ourAddress), lab.PingOptions{Timeout: answerTime}); err == nil && r.Received > 0 {
		t.Error("the old address still answers")
	}
	g.stop()
	clean(t, before, h)
}

// TestTakeOverFails has a successor that finds out too late that it cannot start: nothing is left.
func TestTakeOverFails(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, "--config", write(t, fmt.Sprintf(followed, more)))
	pings(t, h, peerAddress)
	wrong := strings.Replace(fmt.Sprintf(followed, more), "[veth1]", "[veth1, lo]", 1) // no Ethernet
	next := launch(t, h, "--config", write(t, wrong), "--takeover")
	if status := g.wait(); status != 3 {
		t.Errorf("the gateway that hands over ends with status %d", status)
	}
	if status := next.wait(); status == 0 || !strings.Contains(next.log.String(), "lo") {
		t.Errorf("status %d:\n%s", status, next.log)
	}
	clean(t, before, h)
}

// TestTakeOverRefused asks where it cannot be: the gateway that runs goes on.
func TestTakeOverRefused(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	refuse(t, h, []refusal{
		{name: "nobody keeps it", args: []string{"handover"}, status: 1, want: []string{"nobody would keep", "--takeover"}},
		{name: "bad file", args: []string{"--config", write(t, "underlay: {iface: ens18}\nvnis: [{vni: 0}]\n"), "--takeover"}, status: 2, want: []string{"vni"}},
		{name: "no privilege", args: on("--takeover"), less: join(unix.CAP_NET_RAW), status: 1, want: []string{"lacks CAP_NET_RAW"}},
		{name: "no such underlay", args: []string{"--iface", "ens19", "--vni", "42", "--takeover"}, status: 2, want: []string{"ens19"}},
		{name: "no such port", args: on("--takeover", "--port", "veth9"), status: 2, want: []string{`"veth9"`}},
	})
	socket := pathsOf(t, h, "ens18").Handover
	other, err := handover.Listen(socket) // as another one that takes over does
	must(t, err)
	refuse(t, h, []refusal{{name: "two at once", args: on("--takeover"), status: 1, want: []string{"another gateway is about to take over"}}})
	must(t, handover.Reachable(socket)) // and that one is left alone
	_, _ = other.Collect()              // nothing
	pings(t, h, peerAddress)
	g.stop()
	g = start(t, h, append(everything(), "--takeover")...) // from nobody
	pings(t, h, peerAddress)
	g.stop()
	clean(t, before, h)
}

// TestKilledWhileHandingOver kills a successor when the gateway before has ended, and so whatever kept things alive. The
// next start, or gw cleanup, puts back what is left.
func TestKilledWhileHandingOver(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	for _, then := range []string{"start", "cleanup"} {
		t.Run(then, func(t *testing.T) {
			g := start(t, h, everything()...)
			pings(t, h, peerAddress)
			bag := handOver(t, g)
			if l, err := h.Link("ens18"); err != nil || !l.Attrs().Xdp.Attached {
				t.Errorf("ens18 lost its program: %v", err)
			}
			bag.Close() // as the kernel does when a process ends
			eventually(t, func() string {
				if l, err := h.Link("ens18"); err != nil || l.Attrs().Xdp.Attached {
					return fmt.Sprintf("ens18 still has a program: %v", err)
				}
				return ""
			})
			if then == "cleanup" {
				if out := output(t, h, "cleanup", "--iface", "ens18"); !strings.Contains(out, "put back: pair gw42\n") {
					t.Errorf("cleanup says %q", out)
				}
			} else {
				g = start(t, h, everything()...)
				if g.log.grep("putting back what a killed gateway left") == "" {
					t.Error("the next start does not say that it cleans up")
				}
				pings(t, h, peerAddress)
				g.stop()
			}
			clean(t, before, h)
		})
	}
}

// TestTakeOverKinds follows gateways whose interfaces are bound in other ways: XDP in the stack, with offloads that are off
// for it; a trunk; several workers.
func TestTakeOverKinds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, vnis, settings, entry string }{
		{name: "generic", settings: ", mode: generic", vnis: "- {vni: 42, group: 224.1.1.1, device: {addresses: [172.17.1.2/24]}, ports: [veth2]}", entry: "dev veth2 master static"},
		{name: "trunk", vnis: "- {vni: 42, group: 224.1.1.1, device: {addresses: [172.17.1.2/24]}, ports: [{name: veth2, vlan: 100}]}\n  - {vni: 43, ports: [{name: veth2, vlan: untagged}]}",
			entry: "dev veth2 master vlan 100 static"},
		{name: "workers", settings: "}\ndataplane: {workers: 2", vnis: "- {vni: 42, group: 224.1.1.1, device: {addresses: [172.17.1.2/24]}, ports: [veth1, veth2]}", entry: "dev veth2 master static"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l, h, peer := newUnderlay(t)
			must(t, l.Veth(h, "veth2", h, "veth3", lab.VethOptions{MTU: 1450}))
			must(t, peer.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Group: netip.MustParseAddr("224.1.1.1"), Address: peerAddress + "/24"}))
			before := dump(t, h)
			file := write(t, fmt.Sprintf("underlay: {iface: ens18%s}\nmetrics: {listen: \"\"}\nvnis:\n  %s\n", tt.settings, tt.vnis))
			g := start(t, h, "--config", file)
			pings(t, h, peerAddress)
			output(t, h, append([]string{"fdb", "add", "02:57:a7:1c:00:02"}, strings.Fields(tt.entry)...)...)
			had, entries := dump(t, h), g.entries()
			w := watchLinks(t, h, []string{"ens18", "veth2", "gw42-x"}, "gw42")
			g = follow(t, g, "--config", file, "--takeover")
			w.stop()
			for _, what := range w.troubles {
				t.Error(what)
			}
			if bad := keeps(entries, g.entries()); len(bad) > 0 {
				t.Error(strings.Join(bad, "\n"))
			}
			sameButPrograms(t, had, h)
			pings(t, h, peerAddress)
			g.stop()
			clean(t, before, h)
		})
	}
}
