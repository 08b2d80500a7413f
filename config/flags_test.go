package config

import (
	"errors"
	"testing"
)

// with changes the flags of `--iface u --vni 42`.
func with(change func(*Flags)) Flags {
	f := DefaultFlags()
	f.Iface, f.VNIs = "u", []uint{42}
	change(&f)
	return f
}

// The command line must give what a file with the same settings gives.
func TestFromFlags(t *testing.T) {
	cases := []struct {
		flags Flags
		file  string
	}{
		{with(func(*Flags) {}), "vnis: [{vni: 42}]"},
		{with(func(f *Flags) { f.Remotes, f.Addresses = []string{"10.65.132.188"}, []string{"172.17.1.2/24"} }),
			"vnis: [{vni: 42, remotes: [10.65.132.188], device: {addresses: [172.17.1.2/24]}}]"},
		{with(func(f *Flags) { f.Group, f.Ports = "224.1.1.1", []string{"veth1"} }),
			"vnis: [{vni: 42, group: 224.1.1.1, ports: [veth1]}]"},
		{with(func(f *Flags) { f.Remotes, f.Allow = []string{"10.0.0.1"}, []string{"remotes", "10.1.0.0/16"} }),
			"vnis: [{vni: 42, remotes: [10.0.0.1], allow: [remotes, 10.1.0.0/16]}]"},
		{with(func(f *Flags) { f.Ports, f.Device = []string{"veth1", "veth2"}, "d" }),
			"vnis: [{vni: 42, ports: [veth1, veth2], device: {name: d}}]"},
		{with(func(f *Flags) { f.Ports = []string{"veth1:100", "veth2:drop", "veth3:untagged"} }),
			"vnis: [{vni: 42, ports: [{name: veth1, vlan: 100}, {name: veth2, vlan: drop}, {name: veth3, vlan: untagged}]}]"},
		{with(func(f *Flags) { f.VNIs, f.Remotes = []uint{1, 2}, []string{"10.0.0.1"} }),
			"vnis: [{vni: 1, remotes: [10.0.0.1]}, {vni: 2, remotes: [10.0.0.1]}]"},
		{with(func(f *Flags) {
			f.Tunnel = map[string]any{"ttl": "inherit", "tos": "0xb8", "df": "set", "udpcsum": true, "srcport": []int{5, 6}, "udpcsumrx": "ignore", "reserved_bits": "0xff"}
		}), "tunnel: {ttl: inherit, tos: 184, df: set, udpcsum: true, srcport: [5, 6], udpcsumrx: ignore, reserved_bits: 255}\nvnis: [{vni: 42}]"},
		{with(func(f *Flags) {
			f.Local, f.DstPort, f.Mode, f.Workers = "10.9.9.9", 8472, "copy", 2
			f.Metrics, f.Control, f.LogFormat, f.LogLevel = "", "/tmp/s", "json", "debug"
		}), "underlay: {iface: u, local: 10.9.9.9, dstport: 8472, mode: copy}\ndataplane: {workers: 2}\nvnis: [{vni: 42}]\n" +
			"metrics: {listen: ''}\ncontrol: {path: /tmp/s}\nlog: {format: json, level: debug}"},
	}
	for i, c := range cases {
		got, err := FromFlags(c.flags)
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		if c.flags.Local == "" {
			c.file = "underlay: {iface: u}\n" + c.file
		}
		want, err := Parse([]byte(c.file), "f")
		if err != nil {
			t.Errorf("%d: %v", i, err)
			continue
		}
		if d := diff(want, got); d != "" {
			t.Errorf("%d (-file +flags):\n%s", i, d)
		}
	}
}

func TestFromFlagsBad(t *testing.T) {
	several := "--port, --device and --address go with one --vni (describe several in a file: --config)"
	cases := []struct {
		flags Flags
		want  string
	}{
		{DefaultFlags(), "no underlay interface is given (add --iface, or underlay.iface)"},
		{with(func(f *Flags) { f.VNIs = nil }), "no vni is given (add --vni, or a list under vnis)"},
		{with(func(f *Flags) { f.VNIs = []uint{0} }), "vni 0 is out of range (give 1-16777215)"},
		{with(func(f *Flags) { f.VNIs = []uint{1 << 24} }), "vni 16777216 is out of range (give 1-16777215)"},
		{with(func(f *Flags) { f.VNIs = []uint{1<<32 + 42} }), "vni 4294967338 is out of range (give 1-16777215)"},
		{with(func(f *Flags) { f.VNIs = []uint{1, 1} }), "vni 1 is given twice (join the two, or renumber one)"},
		{with(func(f *Flags) { f.VNIs, f.Ports = []uint{1, 2}, []string{"a"} }), several},
		{with(func(f *Flags) { f.VNIs, f.Device = []uint{1, 2}, "d" }), several},
		{with(func(f *Flags) { f.VNIs, f.Addresses = []uint{1, 2}, []string{"10.0.0.1/8"} }), several},
		{with(func(f *Flags) { f.DstPort = 65536 }), "--dstport 65536 is out of range (give 1-65535; the usual one is 4789)"},
		{with(func(f *Flags) { f.Local = "x" }), `--local: "x" is not an IP address (give one like 10.65.132.188)`},
		{with(func(f *Flags) { f.Group = "x" }), `--group: "x" is not an IP address (give one like 10.65.132.188)`},
		{with(func(f *Flags) { f.Allow = []string{"10.1.0.0/8"} }), "--allow: 10.1.0.0/8 has bits behind its prefix (give 10.0.0.0/8)"},
		{with(func(f *Flags) { f.Remotes = []string{"x"} }), `--remote: "x" is not an IP address (give one like 10.65.132.188)`},
		{with(func(f *Flags) { f.Remotes = []string{""} }), "vni 42: remote invalid IP is no address (give one like 10.65.132.188)"},
		{with(func(f *Flags) { f.Addresses = []string{"10.0.0.1"} }), `--address: "10.0.0.1" has no prefix length (give one like 10.0.0.1/24)`},
		{with(func(f *Flags) { f.Addresses, f.Ports = []string{"10.0.0.1/8"}, []string{"a"} }),
			"--address 10.0.0.1/8 needs a device (add --device gw42)"},
		{with(func(f *Flags) { f.Ports = []string{"u"} }), "vni 42: port u is the underlay already (an interface has one use)"},
		{with(func(f *Flags) { f.Ports = []string{"a:b"} }), `--port: port "a": "b" is no VLAN (give 1-4094, untagged, keep, strip or drop)`},
	}
	for _, c := range cases {
		_, err := FromFlags(c.flags)
		if err == nil || err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
		if e := (*Error)(nil); !errors.As(err, &e) {
			t.Errorf("%v is a %T, not an *Error", err, err)
		}
	}
}
