package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// fdbFile has a VNI with a flood list and one with a group.
const fdbFile = `
underlay: {iface: ens18}
vnis:
  - vni: 42
    remotes: [10.65.132.188]
    ports: [veth1, veth2]
    device: {}
  - vni: 43
    group: 224.1.1.1
    device: {name: blue}
metrics: {listen: ""}
`

// fdbBed is gw between two containers and two hosts that only say what a test has
// them say.
type fdbBed struct {
	*segment
	*vtep
	box, box2 *lab.Host
	under     net.HardwareAddr // of gw's underlay
	sent      int              // frames so far, each with a text of its own
}

func newFDBBed(t *testing.T) *fdbBed {
	t.Helper()
	b := &fdbBed{segment: newSegment(t)}
	for i, port := range []string{"veth1", "veth2"} {
		box := newHost(t, b.lab, fmt.Sprintf("box%d", i+1))
		must(t, b.lab.Veth(b.hosts[0], port, box, "veth0", lab.VethOptions{}))
		b.box, b.box2 = b.box2, box
	}
	file := filepath.Join(t.TempDir(), "gw.yaml")
	must(t, os.WriteFile(file, []byte(fdbFile), 0o600))
	b.vtep = start(t, b.hosts[0], "--config", file)
	var err error
	b.under, err = b.hosts[0].MAC("ens18")
	must(t, err)
	return b
}

// gw runs a verb of gw fdb that has to succeed.
func (b *fdbBed) gw(t *testing.T, line string) string {
	t.Helper()
	return output(t, b.host, append([]string{"fdb"}, strings.Fields(line)...)...)
}

// change is gw without a process of its own.
func (b *fdbBed) change(t *testing.T, verb, line string) {
	t.Helper()
	c, err := parseChange(verb, strings.Fields(line))
	must(t, err)
	must(t, b.client.ChangeFDB(testContext(t), verb, c))
}

// refused runs one that has to fail.
func (b *fdbBed) refused(t *testing.T, line string, status int, want ...string) {
	t.Helper()
	stdout, stderr, got := runGW(t, b.host, append([]string{"fdb"}, strings.Fields(line)...)...)
	if got != status || stdout != "" {
		t.Errorf("gw fdb %s: exit status %d, want %d; %s", line, got, status, stdout)
	}
	said := onlyLine(t, stderr)
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("gw fdb %s says %q, which lacks %q", line, said, w)
		}
	}
}

// entry wants exactly this line for an address, or none.
func (b *fdbBed) entry(t *testing.T, mac net.HardwareAddr, want string) {
	t.Helper()
	var have []string
	for _, e := range b.entries() {
		if e.MAC == mac.String() {
			have = append(have, e.String())
		}
	}
	if got := strings.Join(have, "\n"); got != want {
		t.Errorf("%s is\n%s\nwant\n%s", mac, got, want)
	}
}

// goesTo has the first container send a frame to dst and wants it at these remotes.
func (b *fdbBed) goesTo(t *testing.T, dst net.HardwareAddr, want ...netip.Addr) {
	t.Helper()
	b.sent++
	f := named(dst, boxMAC, fmt.Sprintf("frame %d", b.sent))
	must(t, b.box.SendFrame("veth0", f))
	arrived := func(p lab.Frame) (netip.Addr, bool) {
		o, ok := parseOuter(p)
		return o.dst, ok && o.src == under1 && bytes.Equal(o.packet[atInner-atIP:o.length], f)
	}
	probe := b.probes[0]
	if _, err := probe.Wait(within(t), len(want), func(p lab.Frame) bool { _, ok := arrived(p); return ok }); err != nil {
		t.Fatalf("to %s: %v", dst, err)
	}
	// What was sent too much would be before the next frame.
	must(t, b.box.SendFrame("veth0", named(farMAC2, boxMAC, fmt.Sprintf("behind %d", b.sent))))
	_, err := probe.Wait(within(t), 1, func(p lab.Frame) bool {
		return bytes.Contains(p.Data, fmt.Appendf(nil, "behind %d\x00", b.sent))
	})
	must(t, err)
	var got []netip.Addr
	for _, p := range probe.Frames() {
		if to, ok := arrived(p); ok {
			got = append(got, to)
		}
	}
	slices.SortFunc(got, netip.Addr.Compare)
	if !slices.Equal(got, want) {
		t.Errorf("a frame to %s went to %v, want %v", dst, got, want)
	}
}

// says has a frame from src come out of the tunnel from a VTEP, and waits for its
// verdict.
func (b *fdbBed) says(t *testing.T, from int, src net.HardwareAddr, verdict string) {
	t.Helper()
	addr := b.segment.under[from].As4()
	b.gets(t, verdict, func() {
		must(t, b.hosts[from].SendFrame("ens18", craft(b.under, 42, named(boxMAC, src, "hello"), header(atSrc, addr[:]...))))
	})
}

// gets waits until what is sent has its verdict.
func (b *fdbBed) gets(t *testing.T, verdict string, send func()) {
	t.Helper()
	before, _, _ := verdicts(b.status())
	send()
	eventually(t, func() string {
		now, _, _ := verdicts(b.status())
		if now[verdict] == before[verdict] {
			return fmt.Sprintf("no verdict %s, but %v after %v", verdict, now, before)
		}
		return ""
	})
}

// farMAC2 is behind the remote of the flood list, and nobody learns it.
var farMAC2 = net.HardwareAddr{2, 0, 0, 0, 0, 0xf2}
