package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

var zeroMAC = make(net.HardwareAddr, 6)

// entries in the words of bridge(8), for both gw and the kernel's device.
type tunnelChange struct {
	verb string
	lab.TunnelEntry
}

// words is what gw fdb takes for it, behind the verb.
func (c *tunnelChange) words() string {
	s := fmt.Sprintf("%s dev gw42 dst %s", c.MAC, c.Dst)
	if c.Port != 0 {
		s += fmt.Sprintf(" port %d", c.Port)
	}
	if c.VNI != 0 {
		s += fmt.Sprintf(" vni %d", c.VNI)
	}
	return s + " " + c.State
}

// twins is gw and the kernel's vxlan device with VNI 42, on hosts of their own, and a host
// that both of them send to.
type twins struct {
	*fdbBed
	kernel *lab.Host
	far    *lab.Capture
	sent   []int // how many packets each frame is to become
}

func newTwins(t *testing.T) *twins {
	t.Helper()
	b := newFDBBed(t)
	b.gw(t, "del 00:00:00:00:00:00 dev gw42")
	w := &twins{fdbBed: b, kernel: b.hosts[1]}
	must(t, w.kernel.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Local: under2, NoUDPCSum: true, MAC: hostMAC}))
	var err error
	w.far, err = b.hosts[2].Capture("ens18", nil)
	must(t, err)
	return w
}

// do has both carry out the same.
func (w *twins) do(t *testing.T, c tunnelChange) {
	t.Helper()
	w.change(t, c.verb, c.words())
	must(t, w.kernel.ChangeTunnel("vxlan0", c.verb, c.TunnelEntry))
}

// sameTable wants both to print the same, as far as it is compared, but for the name of the device,
// and the underlay's.
func (w *twins) sameTable(t *testing.T, compared func(line string) bool) {
	t.Helper()
	all, err := w.kernel.TunnelFDB("vxlan0")
	must(t, err)
	var want, got []string
	for _, line := range all {
		if compared(line) {
			want = append(want, line)
		}
	}
	for _, e := range w.entries() {
		line := strings.NewReplacer("gw42", "vxlan0", " via ens18", "").Replace(e.String())
		if e.Ifname == "gw42" && e.Master == "" && compared(line) {
			got = append(got, line)
		}
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("the tables (-kernel +gw):\n%s", d)
	}
}

func everyLine(string) bool { return true }

// onWire is what is compared of a packet: where it goes, and all from the VXLAN header on.
func onWire(f lab.Frame, from netip.Addr, text string) (string, bool) {
	p := f.Data
	if f.Outgoing || len(p) < atInner+14 || p[12] != 8 || p[13] != 0 || p[atIP+9] != 17 || netip.AddrFrom4([4]byte(p[atSrc:])) != from || !bytes.Contains(p, []byte(text)) {
		return "", false
	}
	p = p[:atIP+int(binary.BigEndian.Uint16(p[atTotal:]))]
	return fmt.Sprintf("dst %v ttl %d port %d checksum %x vxlan %x inner %x", net.IP(p[atDst:atUDP]), p[atTTL],
		binary.BigEndian.Uint16(p[atDPort:]), p[atUSum:atVXLAN], p[atVXLAN:atInner], p[atInner:]), true
}

// sends has both send a frame to dst and waits for so many packets of each.
func (w *twins) sends(t *testing.T, dst net.HardwareAddr, want int) {
	t.Helper()
	text := fmt.Sprintf("twin %d.", len(w.sent))
	w.sent = append(w.sent, want)
	f := named(dst, boxMAC, text)
	must(t, w.box.SendFrame("veth0", f))
	must(t, w.kernel.SendFrame("vxlan0", f))
	for _, from := range []netip.Addr{under1, under2} {
		_, err := w.far.Wait(within(t), want, func(f lab.Frame) bool { _, ok := onWire(f, from, text); return ok })
		must(t, err)
	}
}

// sameWire compares the packets of all that was sent, and their numbers.
func (w *twins) sameWire(t *testing.T) {
	t.Helper()
	for n, want := range w.sent {
		var sets [2][]string
		for i, from := range []netip.Addr{under1, under2} {
			for _, f := range w.far.Frames() {
				if line, ok := onWire(f, from, fmt.Sprintf("twin %d.", n)); ok {
					sets[i] = append(sets[i], line)
				}
			}
			slices.Sort(sets[i])
		}
		if d := cmp.Diff(sets[1], sets[0]); d != "" || len(sets[0]) != want {
			t.Errorf("frame %d, %d packets wanted (-kernel +gw):\n%s", n, want, d)
		}
	}
}

// The same entries make the same tables and the same packets as with the kernel's device: several
// destinations of the flood list at one address, and unicast entries, each with a UDP port
// and a VNI of its own.
func TestFDBEndpoints(t *testing.T) {
	t.Parallel()
	w := newTwins(t)
	flood := func(verb string, port uint16, vni uint32) tunnelChange {
		return tunnelChange{verb, lab.TunnelEntry{MAC: zeroMAC, Dst: under3, Port: port, VNI: vni}}
	}
	for _, c := range []tunnelChange{
		flood("append", 0, 0), flood("append", 8472, 0), flood("append", 0, 100), flood("append", 8472, 100),
		flood("append", 8472, 100), flood("append", 4789, 42), // are there
		{"add", lab.TunnelEntry{MAC: farMAC, Dst: under3, Port: 9999, VNI: 7, State: "static"}},
		{"add", lab.TunnelEntry{MAC: noMAC, Dst: under3, Port: 8472, State: "permanent"}},
		{"add", lab.TunnelEntry{MAC: hostMAC, Dst: under3, VNI: 16777215, State: "dynamic"}},
	} {
		w.do(t, c)
	}
	w.sameTable(t, everyLine)
	w.sends(t, everyone, 4) // by way of the kernel, which asks for the next hop first
	w.awaitRemotes(t, "direct")
	for dst, want := range map[string]int{everyone.String(): 4, farMAC2.String(): 4, farMAC.String(): 1, noMAC.String(): 1, hostMAC.String(): 1} {
		mac, err := net.ParseMAC(dst)
		must(t, err)
		w.sends(t, mac, want)
	}

	// What is looked at, changed and taken away is one of several.
	get := func(words, want string) {
		t.Helper()
		if got := w.gw(t, "get "+words); got != want {
			t.Errorf("gw fdb get %s:\n%swant\n%s", words, got, want)
		}
	}
	const zero = "00:00:00:00:00:00 dev gw42 dst 10.65.132.189"
	get(zero+" port 8472", zero+" port 8472 via ens18 self permanent\n")
	get(zero+" vni 100 port 8472", zero+" port 8472 vni 100 via ens18 self permanent\n")
	get(zero, zero+" via ens18 self permanent\n")
	w.refused(t, "get "+zero+" port 8473", 1, "no such entry")
	w.refused(t, "del "+zero+" port 8472 vni 101", 1, "no such entry")
	w.refused(t, "del "+farMAC.String()+" dev gw42 dst 10.65.132.189", 1, "no such entry", "port 9999 vni 7")
	w.refused(t, "del "+farMAC.String()+" dev gw42 dst 10.65.132.189 port 9999", 1, "no such entry")
	w.do(t, flood("del", 8472, 0))
	w.do(t, flood("del", 0, 0))
	w.do(t, tunnelChange{"replace", lab.TunnelEntry{MAC: noMAC, Dst: under3, VNI: 9}})
	w.sameTable(t, everyLine)
	w.sends(t, everyone, 2)
	w.sends(t, noMAC, 1)
	w.sameWire(t)

	// Each has counts of its own.
	for _, r := range w.status().Remotes {
		if _, ok := map[string]bool{"10.65.132.189 port 8472 vni 100": true, "10.65.132.189 vni 100": true, "10.65.132.189 port 9999 vni 7": true}[r.Name()]; ok && (r.State != "direct" || !r.Configured) {
			t.Errorf("the status has %+v", r)
		}
	}
	eventually(t, func() string { // a worker counts what it has sent when it has sent all that there was
		tx := map[string]uint64{}
		for _, r := range w.status().Remotes {
			tx[r.Name()] += r.TxPackets
		}
		if tx["10.65.132.189 port 9999 vni 7"] != 1 || tx["10.65.132.189 port 8472 vni 100"] < 4 || tx["10.65.132.189 vni 9"] != 1 {
			return fmt.Sprintf("frames by remote: %v", tx)
		}
		return ""
	})
	if got := output(t, w.host, "remote", "show", "--vni", "42"); !strings.Contains(got, "10.65.132.189 port 8472 vni 100  direct") {
		t.Errorf("gw remote show:\n%s", got)
	}
	eventually(t, func() string { // those that a change has taken out are forgotten
		for _, r := range w.status().Remotes {
			if r.Name() == "10.65.132.189 port 8472" {
				return "10.65.132.189 port 8472 is still there"
			}
		}
		return ""
	})
	w.stop()
}

// awaitRemotes waits until the ways to all remotes that were named are in a state.
func (w *twins) awaitRemotes(t *testing.T, state string) {
	t.Helper()
	eventually(t, func() string {
		for _, r := range w.status().Remotes {
			if r.Address == under3.String() && r.State != state {
				return fmt.Sprintf("%s is %s", r.Name(), r.State)
			}
		}
		return ""
	})
}

// A VTEP that speaks is the one that entries name, whatever they say of its port and VNI: what it
// sends is no conflict with a static entry, and moves no dynamic one.
func TestFDBEndpointSpeaks(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	static, dynamic := farMAC.String()+" dev gw42 dst 10.65.132.189 port 8472 vni 100 self static", noMAC.String()+" dev gw42 dst 10.65.132.189 vni 100 self"
	b.gw(t, "add "+farMAC.String()+" dev gw42 dst 10.65.132.189 port 8472 vni 100 static")
	b.gw(t, "add "+noMAC.String()+" dev gw42 dst 10.65.132.189 vni 100 dynamic")
	for range 2 {
		for _, mac := range []net.HardwareAddr{farMAC, noMAC} {
			b.says(t, 2, mac, "flooded")
		}
	}
	b.entry(t, farMAC, static)
	b.entry(t, noMAC, dynamic)
	b.says(t, 1, farMAC, "static_conflict")
	b.says(t, 1, noMAC, "flooded")
	b.entry(t, noMAC, noMAC.String()+" dev gw42 dst 10.65.132.188 self")
	b.stop()
}

// A file says the same, gw vni show says it as the file does, and reloads and gw remote change it.
func TestEndpointsInFile(t *testing.T) {
	t.Parallel()
	s := newSegment(t)
	text := func(remotes, fdb string) string {
		return "underlay: {iface: ens18}\nmetrics: {listen: ''}\nvnis:\n- vni: 42\n  remotes: [" + remotes + "]\n  fdb: [" + fdb + "]\n"
	}
	file := writeFile(t, text("10.65.132.188, {dst: 10.65.132.188, port: 8472}, {dst: 10.65.132.189, port: 4789, vni: 42}",
		"{mac: '02:00:00:00:00:f1', dst: 10.65.132.189, port: 8472, vni: 100}"))
	g := start(t, s.hosts[0], "--config", file)
	want := func(lines ...string) {
		t.Helper()
		var got []string
		for _, e := range g.entries() {
			if e.Master == "" {
				got = append(got, strings.NewReplacer("00:00:00:00:00:00", "zero", "02:00:00:00:00:", "", " dev gw42 dst 10.65.132.", " ", " via ens18", "", " self", "").Replace(e.String()))
			}
		}
		if d := cmp.Diff(lines, got); d != "" {
			t.Errorf("the table (-want +got):\n%s", d)
		}
	}
	want("zero 188 permanent", "zero 188 port 8472 permanent", "zero 189 permanent", "f1 189 port 8472 vni 100 static")
	shown := func(remotes string) {
		t.Helper()
		text := strings.Join(strings.Fields(output(t, g.host, "vni", "show", "42", "-j")), "")
		if !strings.Contains(text, `"remotes":[`+remotes+`]`) || !strings.Contains(text, `"fdb":[{"mac":"02:00:00:00:00:f1","dst":"10.65.132.189","port":8472,"vni":100}]`) {
			t.Errorf("gw vni show -j lacks the remotes %s, or the entry: %s", remotes, text)
		}
	}
	shown(`"10.65.132.188",{"dst":"10.65.132.188","port":8472},"10.65.132.189"`)
	g.reload("nothing changed")

	watch, err := g.client.WatchFDB(testContext(t))
	must(t, err)
	defer watch.Close()
	told := func(want string) {
		t.Helper()
		e, err := watch.Next()
		must(t, err)
		if e.String() != want {
			t.Errorf("told of %q, want %q", e, want)
		}
	}
	output(t, g.host, "remote", "add", "10.65.132.189", "--vni", "42", "--port", "8472", "--remote-vni", "7")
	told("00:00:00:00:00:00 dev gw42 dst 10.65.132.189 port 8472 vni 7 via ens18 self permanent")
	output(t, g.host, "fdb", "replace", "02:00:00:00:00:f1", "dev", "gw42", "dst", "10.65.132.189", "port", "8473", "static")
	told("02:00:00:00:00:f1 dev gw42 dst 10.65.132.189 port 8473 self static")
	output(t, g.host, "fdb", "replace", "02:00:00:00:00:f1", "dev", "gw42", "dst", "10.65.132.189", "port", "8472", "vni", "100", "static")
	told("02:00:00:00:00:f1 dev gw42 dst 10.65.132.189 port 8472 vni 100 self static")
	refuses(t, g.host, 1, "remote add 10.65.132.189 --vni 42 --port 8472 --remote-vni 7", "10.65.132.189 port 8472 vni 7 is a remote of vni 42 already")
	refuses(t, g.host, 1, "remote del 10.65.132.189 --vni 42 --port 8472", "10.65.132.189 port 8472 is no remote of vni 42")
	refuses(t, g.host, 2, "remote add 10.65.132.189 --vni 42 --remote-vni 16777216", "out of range")
	output(t, g.host, "remote", "del", "10.65.132.189", "--vni", "42")
	told("Deleted 00:00:00:00:00:00 dev gw42 dst 10.65.132.189 via ens18 self permanent")
	output(t, g.host, "fdb", "append", zeroMAC.String(), "dev", "gw42", "dst", "10.65.132.190", "vni", "8")
	want("zero 188 permanent", "zero 188 port 8472 permanent", "zero 189 port 8472 vni 7 permanent", "zero 190 vni 8 permanent", "f1 189 port 8472 vni 100 static")
	shown(`"10.65.132.188",{"dst":"10.65.132.188","port":8472},{"dst":"10.65.132.189","port":8472,"vni":7},{"dst":"10.65.132.190","vni":8}`)

	must(t, os.WriteFile(file, []byte(text("{dst: 10.65.132.188, vni: 9}", "{mac: '02:00:00:00:00:f1', dst: 10.65.132.189}")), 0o600))
	g.reload("changed vni 42 (remotes, fdb)")
	want("zero 188 vni 9 permanent", "f1 189 static")
	g.stop()
}
