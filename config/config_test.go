package config

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

var equalAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
var equalPrefixes = cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })

func diff(want, got any) string {
	return cmp.Diff(want, got, equalAddrs, equalPrefixes, cmp.Comparer(func(a, b Allowed) bool { return a == b }))
}

// example is testdata/example.yaml in Go.
func example() *Config {
	tunnel := Tunnel{TTL: TTLAuto, TOS: TOSInherit, DF: "unset", SrcPort: PortRange{49152, 65535}, UDPCsumRx: "verify"}
	return &Config{
		Underlay:  Underlay{Iface: "ens18", Local: netip.MustParseAddr("10.65.132.187"), DstPort: 4789, Mode: "auto"},
		Tunnel:    tunnel,
		Dataplane: Dataplane{Workers: 1, Frames: 32768, Poll: PollAdaptive, CPUs: CPUs{1}},
		VNIs: []VNI{{
			VNI:        42,
			Group:      netip.MustParseAddr("224.1.1.1"),
			Device:     &Device{Name: "gw42", Addresses: []netip.Prefix{netip.MustParsePrefix("172.17.1.2/24")}},
			Ports:      []Port{{Name: "veth1"}, {Name: "ens19", Isolated: true}, {Name: "ens20", VLAN: 100, TPID: TPID8021ad}, {Name: "ens21", VLAN: VLANStrip}},
			Learning:   true,
			Ageing:     Duration(5 * time.Minute),
			MaxAddress: 100000,
			Flood:      true,
			BcastFlood: true,
			Storm:      Storm{Broadcast: 1000, Unknown: 500},
			Moves:      Moves{Limit: 5, Within: Duration(3 * time.Minute)},
			Allow:      Allow{{}, {netip.MustParsePrefix("10.65.132.0/24")}, {netip.MustParsePrefix("10.65.133.7/32")}},

			NeighSuppress:    true,
			NeighForwardGrat: true,
			NeighAgeing:      Duration(5 * time.Minute),
			MaxNeigh:         8192,
			Neigh: []Neighbour{
				{IP: netip.MustParseAddr("172.17.1.77"), MAC: MAC{0x02, 0x57, 0xa7, 0x1c, 0, 1}},
				{IP: netip.MustParseAddr("fe80::77"), MAC: MAC{0x02, 0x57, 0xa7, 0x1c, 0, 1}, VLAN: 10, Router: true},
			},
			FDB: []Static{
				{MAC: MAC{0x02, 0x57, 0xa7, 0x1c, 0, 1}, Dst: netip.MustParseAddr("10.65.132.188")},
				{MAC: MAC{0x02, 0x57, 0xa7, 0x1c, 0, 2}, Port: "veth1"},
				{MAC: MAC{0x02, 0x57, 0xa7, 0x1c, 0, 3}, Dst: netip.MustParseAddr("10.65.132.188"), UDPPort: 8472, VNI: 100},
			},
			Tunnel: tunnel,
		}},
		Metrics: Metrics{Listen: "127.0.0.1:9478"},
		Control: Control{Path: "/run/gw/ens18.sock"},
		Log:     Log{Format: "auto", Level: "info"},
	}
}

func TestLoadExample(t *testing.T) {
	got, err := Load(filepath.Join("testdata", "example.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(example(), got); d != "" {
		t.Errorf("example.yaml (-want +got):\n%s", d)
	}
}

// Both languages that a Config can be written in must read back as the same.
func TestRoundTrip(t *testing.T) {
	for name, marshal := range map[string]func(any) ([]byte, error){"yaml": yaml.Marshal, "json": json.Marshal} {
		text, err := marshal(example())
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(text, name)
		if err != nil {
			t.Fatalf("%v in:\n%s", err, text)
		}
		if d := diff(example(), got); d != "" {
			t.Errorf("%s (-want +got):\n%s\n%s", name, d, text)
		}
	}
}

func TestDefaults(t *testing.T) {
	c := Default()
	if err := c.Validate(); err == nil {
		t.Error("a config without interface and vni passes")
	}
	got, err := Parse([]byte("underlay: {iface: ens18}\nvnis: [{vni: 7}]\ntunnel:\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	c.Underlay.Iface = "ens18"
	v := c.NewVNI(7)
	v.Device = &Device{Name: "gw7"}
	c.VNIs = []VNI{v}
	if d := diff(&c, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestByteOrderMark reads what editors elsewhere save.
func TestByteOrderMark(t *testing.T) {
	const text = "underlay: {iface: u}\r\nvnis: [{vni: 42}]\r\n"
	want, err := Parse([]byte(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse([]byte("\ufeff"+text), "f")
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(want, got); d != "" {
		t.Errorf("(-without +with):\n%s", d)
	}
}

func TestDevice(t *testing.T) {
	for text, want := range map[string]*Device{
		"{vni: 7}":                                            {Name: "gw7"},
		"{vni: 7, device: {}}":                                {Name: "gw7"},
		"{vni: 7, device: {name: br}}":                        {Name: "br"},
		"{vni: 7, device: null}":                              nil,
		"{vni: 7, ports: [a]}":                                nil,
		"{vni: 7, ports: [a], device: null}":                  nil,
		"{vni: 7, ports: [a], device: {}}":                    {Name: "gw7"},
		"{vni: 7, ports: [a], device: {addresses: []}}":       {Name: "gw7"},
		"{vni: 16777215}":                                     {Name: "gw16777215"},
		"{vni: 7, device: {addresses: ['fd00::1/64']}}":       {Name: "gw7", Addresses: []netip.Prefix{netip.MustParsePrefix("fd00::1/64")}},
		"{vni: 7, ports: [a], device: {name: abcdefghijklm}}": {Name: "abcdefghijklm"},
	} {
		c, err := Parse([]byte("underlay: {iface: u}\nvnis: ["+text+"]"), "f")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d := diff(want, c.VNIs[0].Device); d != "" {
			t.Errorf("%s (-want +got):\n%s", text, d)
		}
	}
}

// The order of the sections in a file must not matter.
func TestTunnelOverride(t *testing.T) {
	text := `
vnis:
  - {vni: 1}
  - {vni: 2, tunnel: {ttl: inherit, udpcsum: false, reserved_bits: 0xff}}
tunnel: {ttl: 200, tos: 0xb8, df: set, udpcsum: true, srcport: [1, 2], udpcsumrx: ignore, reserved_bits: strict}
underlay: {iface: u}
`
	c, err := Parse([]byte(text), "f")
	if err != nil {
		t.Fatal(err)
	}
	one := Tunnel{TTL: 200, TOS: 0xb8, DF: DFSet, UDPCsum: true, SrcPort: PortRange{1, 2}, UDPCsumRx: CsumIgnore, ReservedBits: ReservedStrict}
	two := one
	two.TTL, two.UDPCsum, two.ReservedBits = TTLInherit, false, 0xff
	if d := diff([]Tunnel{one, one, two}, []Tunnel{c.Tunnel, c.VNIs[0].Tunnel, c.VNIs[1].Tunnel}); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLoadErrors(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		filepath.Join(dir, "none.yaml"): "no such file",
		dir:                             "is a directory",
	} {
		_, err := Load(name)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("Load(%s) = %v, want an *Error with %q", name, err, want)
		}
	}
	file := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(file, []byte("underlay: {iface: u}\nvnis:\n  - vni: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := file + ":3: vni 0 is out of range (give 1-16777215)"
	if _, err := Load(file); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"ens18", "ens19", "lo", "eth0", "dstport"}
	for word, want := range map[string][]string{
		"ens81":    {"ens18", "ens19"},
		"ens1":     {"ens18", "ens19"},
		"eht0":     {"eth0"},
		"dts-prt":  {},
		"dst_port": {"dstport"},
		"wlan0":    {},
		"":         {},
	} {
		got := Nearest(word, names)
		if len(got) != len(want) || (len(want) > 0 && !cmp.Equal(got, want)) {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
