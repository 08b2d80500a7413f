package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"vxgw/internal/lab"
)

// Options of the outer headers over IPv6, against the kernel's device with the same ones.

// optionSets are VNIs with options, for gw and for the kernel's device. The kernel inherits nothing by default.
var optionSets = []struct {
	gw     string
	kernel lab.VXLANConfig
}{
	{"{}", lab.VXLANConfig{TOS: 1}},
	{"{ttl: 17, tos: 0xb8, flowlabel: 0x12345}", lab.VXLANConfig{TTL: 17, TOS: 0xb8, FlowLabel: 0x12345}},
	{"{tos: 0, flowlabel: inherit, df: set}", lab.VXLANConfig{LabelInherit: true, DF: "set"}},
	{"{ttl: inherit}", lab.VXLANConfig{TTLFrom: "inherit", TOS: 1}},
	{"{udp6zerocsumtx: true, udpcsum: true}", lab.VXLANConfig{TOS: 1, UDP6ZeroCSumTx: true}},
}

// innerPackets are frames of every kind that the options look at, and what they are called.
func innerPackets(src []byte) map[string][]byte {
	frames := map[string][]byte{"not IP": named(noMAC, src, "options")}
	for _, tos := range []byte{0, 0x28, 0xba, 0xb9} {
		frames[fmt.Sprintf("IPv4, TOS %#x", tos)] = slices.Concat(noMAC, src, []byte{8, 0}, ipv4(tos, "options over IPv6, at least 46 bytes of them"))
	}
	for _, label := range []uint32{0, 0xabcde} {
		ip := make([]byte, 40+24)
		binary.BigEndian.PutUint32(ip, 6<<28|0x2a<<20|label)
		ip[5], ip[6], ip[7], ip[8], ip[24] = 24, 253, 99, 0x20, 0x20
		frames[fmt.Sprintf("IPv6, label %#x", label)] = slices.Concat(noMAC, src, []byte{0x86, 0xdd}, ip)
	}
	return frames
}

func TestOptions6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	var file strings.Builder
	fmt.Fprint(&file, "underlay: {iface: ens18}\nmetrics: {listen: \"\"}\nremotes: [2001:db8:65::189]\nvnis:\n")
	for i, o := range optionSets {
		fmt.Fprintf(&file, "  - {vni: %d, tunnel: %s}\n", 42+i, o.gw)
		c := o.kernel
		c.Name, c.VNI, c.Dev, c.Remote, c.Local = fmt.Sprintf("vxlan%d", 42+i), uint32(42+i), "ens18", six3, six2
		must(t, s.hosts[1].KernelVXLAN(c))
	}
	g := start(t, s.hosts[0], "--config", writeFile(t, file.String()))
	for name, frame := range innerPackets(farMAC) {
		for i, o := range optionSets {
			var sent [2]outer
			for from, dev := range []string{"gw", "vxlan"} {
				must(t, s.hosts[from].SendFrame(fmt.Sprintf("%s%d", dev, 42+i), frame))
				eventually(t, func() string {
					for _, p := range outers(t, s.probes[from], s.under[from]) {
						if p.vni == uint32(42+i) && string(p.packet[56:]) == string(frame) {
							sent[from] = p
							return ""
						}
					}
					return fmt.Sprintf("%s%d did not send %s", dev, 42+i, name)
				})
			}
			ours, kernel := sent[0], sent[1]
			if ours.tos != kernel.tos || ours.ttl != kernel.ttl || ours.label != kernel.label || ours.length != kernel.length ||
				ours.udpLength != kernel.udpLength || (ours.udpSum == 0) != (kernel.udpSum == 0) {
				t.Errorf("%s, %s: gw has class %#x, hop limit %d, label %#x, length %d, checksum %#x; the kernel %#x, %d, %#x, %d, %#x", o.gw, name,
					ours.tos, ours.ttl, ours.label, ours.length, ours.udpSum, kernel.tos, kernel.ttl, kernel.label, kernel.length, kernel.udpSum)
			}
			if ours.udpSum != 0 && !ours.udpSumRight() {
				t.Errorf("%s, %s: wrong UDP checksum %#x", o.gw, name, ours.udpSum)
			}
		}
	}
	g.stop()
}

// With flowlabel auto, which the kernel's device has not, flows have labels as they have source ports.
func TestFlowLabelAuto(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	right := s.kernel(t, 1, lab.VXLANConfig{Remote: six1})
	g := start(t, s.hosts[0], "--config", writeFile(t, `{"underlay": {"iface": "ens18"}, "tunnel": {"flowlabel": "auto"}, "metrics": {"listen": ""},
		"vnis": [{"vni": 42, "remotes": ["2001:db8:65::188"], "device": {"addresses": ["172.17.1.2/24"]}}]}`))
	converse(t, s.end(0, "gw42"), right)
	labels := map[uint16]uint32{}
	distinct := map[uint32]bool{}
	for _, p := range outers(t, s.probes[0], six1) {
		if label, ok := labels[p.srcPort]; ok && label != p.label && p.inner.flow == "" {
			continue // two flows may share a port
		}
		labels[p.srcPort], distinct[p.label] = p.label, true
	}
	if len(distinct) < 3 || distinct[0] {
		t.Errorf("flows have the labels %v", distinct)
	}
	g.stop()
}

// A UDP checksum of zero is for those who ask for it, on either side.
func TestZeroChecksum6(t *testing.T) {
	t.Parallel()
	s := newSegment6(t)
	file := writeFile(t, "")
	configure := func(tunnel string) {
		must(t, os.WriteFile(file, []byte(`underlay: {iface: ens18}
metrics: {listen: ""}
vnis:
  - {vni: 42, remotes: ['2001:db8:65::188'], device: {addresses: [172.17.1.2/24]}, tunnel: `+tunnel+`}
  - {vni: 43, remotes: ['2001:db8:65::189'], device: {addresses: [172.17.43.2/24]}, tunnel: `+tunnel+`}
`), 0o600))
	}
	configure("{}")
	g := start(t, s.hosts[0], "--config", file)
	left := s.end(0, "gw42")
	right := s.kernel(t, 1, lab.VXLANConfig{Remote: six1, UDP6ZeroCSumTx: true, UDP6ZeroCSumRx: true})
	// The kernel sends without, and gw does not take that.
	must(t, right.host.SendFrame("vxlan0", named(noMAC, farMAC, "without a checksum")))
	eventually(t, func() string {
		if by, _, _ := verdicts(g.status()); by["zero_csum"] == 0 {
			return fmt.Sprintf("no verdict zero_csum: %v", by)
		}
		return ""
	})
	configure("{udp6zerocsumrx: true}")
	g.reload(`"msg":"reloaded"`)
	resolve(t, left, right)
	for _, p := range outers(t, s.probes[0], six1) {
		if p.udpSum == 0 {
			t.Fatalf("gw sends without a checksum: %+v", p)
		}
	}
	// gw sends without, to a kernel that takes it and to one that does not.
	strict := lab.VXLANConfig{Name: "vxlan43", VNI: 43, Dev: "ens18", Remote: six1, Address: "172.17.43.3/24"}
	must(t, s.hosts[2].KernelVXLAN(strict))
	far := end{s.hosts[2], "vxlan43", netip.MustParseAddr("172.17.43.3"), "ens18", six3}
	near := end{s.hosts[0], "gw43", netip.MustParseAddr("172.17.43.2"), "ens18", six1}
	resolve(t, near, far)
	configure("{udp6zerocsumrx: true, udp6zerocsumtx: true}")
	g.reload(`"msg":"reloaded"`)
	heardBehind(t, s.probes[0], s.hosts[0], "ens18")
	before := len(outers(t, s.probes[0], six1))
	resolve(t, left, right)
	for _, p := range outers(t, s.probes[0], six1)[before:] {
		if p.udpSum != 0 {
			t.Fatalf("gw sends with a checksum: %+v", p)
		}
	}
	refused := csumErrors(t, far.host)
	must(t, near.host.SendFrame("gw43", named(noMAC, hostMAC, "without a checksum")))
	eventually(t, func() string {
		if csumErrors(t, far.host) == refused {
			return "the kernel refused nothing without a checksum"
		}
		return ""
	})
	checkVerdicts(t, g)
	g.stop()
}

// csumErrors is how many UDP packets over IPv6 a host's kernel has refused for their checksum.
func csumErrors(t *testing.T, h *lab.Host) (n string) {
	t.Helper()
	must(t, h.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/snmp6")
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); f[0] == "Udp6InErrors" {
				n = f[1]
			}
		}
		return err
	}))
	return n
}
