package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"vxgw/control"
)

func TestParseChange(t *testing.T) {
	far, vni, port := netip.MustParseAddr("10.0.0.2"), uint32(42), uint16(4789)
	for _, c := range []struct {
		verb, args string
		want       control.FDBChange
	}{
		{"add", "02:00:00:00:00:01 dev gw42 dst 10.0.0.2", control.FDBChange{MAC: "02:00:00:00:00:01", Dev: "gw42", Dst: far}},
		{"add", "dev gw42 dst ::ffff:10.0.0.2 to 02:00:00:00:00:0A", control.FDBChange{MAC: "02:00:00:00:00:0a", Dev: "gw42", Dst: far}},
		{"replace", "02:00:00:00:00:01 dev gw42 dst 10.0.0.2 vni 42 port 4789 via ens18 self static extern_learn",
			control.FDBChange{MAC: "02:00:00:00:00:01", Dev: "gw42", Dst: far, VNI: &vni, Port: &port, Via: "ens18", Self: true, State: "static", Extern: true}},
		{"add", "02:00:00:00:00:01 dev veth1 master temp", control.FDBChange{MAC: "02:00:00:00:00:01", Dev: "veth1", Master: true, State: "static"}},
		{"append", "00:00:00:00:00:00 dev gw42 dst 10.0.0.2 self local", control.FDBChange{MAC: control.ZeroMAC, Dev: "gw42", Dst: far, Self: true, State: "permanent"}},
		{"del", "00:00:00:00:00:00 dev gw42", control.FDBChange{MAC: control.ZeroMAC, Dev: "gw42"}},
		{"del", "02:00:00:00:00:01 dev veth1 master", control.FDBChange{MAC: "02:00:00:00:00:01", Dev: "veth1", Master: true}},
		{"get", "to 02:00:00:00:00:01 brport veth1", control.FDBChange{MAC: "02:00:00:00:00:01", Dev: "veth1"}},
	} {
		got, err := parseChange(c.verb, strings.Fields(c.args))
		if err != nil {
			t.Errorf("%s %s: %v", c.verb, c.args, err)
		} else if d := cmp.Diff(c.want, got, cmpopts.EquateComparable(netip.Addr{})); d != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.verb, c.args, d)
		}
	}
}

func TestParseChangeRefuses(t *testing.T) {
	const far, tunnel = "02:00:00:00:00:01 ", "02:00:00:00:00:01 dev gw42 dst 10.0.0.2 "
	for _, c := range []struct {
		verb, args string
		want       string
	}{
		{"add", "", "which address?"},
		{"add", far, "dev is missing"},
		{"add", far + "dev", "dev needs a value"},
		{"add", "dev gw42 dst 10.0.0.2", "which address?"},
		{"add", "02:00:00:00:00 dev gw42 dst 10.0.0.2", "not a MAC address"},
		{"add", "01:00:5e:00:00:01 dev gw42 dst 10.0.0.2", "multicast"},
		{"add", "02:00:00:00:00:00:00:01 dev gw42 dst 10.0.0.2", "not a MAC address"},
		{"add", tunnel + "dev gw43", `"dev" is given twice`},
		{"add", tunnel + "static permanent", "permanent does not go with static"},
		{"add", tunnel + "nonsense", `"nonsense" is not a word`},
		{"add", far + "dev gw42 dst host", "not an IP address"},
		{"add", tunnel + "vni 0", "vni"},
		{"add", tunnel + "vni 16777216", "1-16777215"},
		{"del", far + "dev gw42 port 8472", "port and vni go with dst"},
		{"add", far + "dev veth1 master vni 42", "port and vni go with dst"},
		{"add", tunnel + "port 65536", "1-65535"},
		{"add", tunnel + "vlan 4095", "out of range (1-4094)"},
		{"add", tunnel + "nhid 1", "nhid is not supported"},
		{"add", tunnel + "router", "router is not supported"},
		{"add", tunnel + "sticky", "say static"},
		{"add", tunnel + "use", "use is not supported"},
		{"add", tunnel + "master", "dst does not go with master"},
		{"add", far + "dev veth1 self", "self needs dst"},
		{"add", far + "dev veth1 master permanent", "say static"},
		{"append", tunnel, "use add or replace"},
		{"replace", "00:00:00:00:00:00 dev gw42 dst 10.0.0.2", "use append and del"},
		{"append", "00:00:00:00:00:00 dev gw42", "dst is missing"},
		{"append", "00:00:00:00:00:00 dev gw42 dst 10.0.0.2 dynamic", "dynamic does not go with"},
		{"append", "00:00:00:00:00:00 dev gw42 dst 10.0.0.2 extern_learn", "extern_learn does not go with"},
		{"append", "00:00:00:00:00:00 dev veth1 master dst 10.0.0.2", "master does not go with"},
		{"change", tunnel, "verb"},
	} {
		_, err := parseChange(c.verb, strings.Fields(c.args))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.verb, c.args, err, c.want)
		}
	}
}

func TestParseFilter(t *testing.T) {
	vni, domain, port := uint32(42), uint32(7), uint16(8472)
	for args, want := range map[string]control.FDBFilter{
		"port 8472 vni 42 src_vni 7 via ens18": {Port: &port, VNI: &vni, SrcVNI: &domain, Via: "ens18"},
		"":                                     {},
		"br gw42 state static":                 {Br: "gw42", State: "static"},
		"dev gw42 dst 10.0.0.2":                {Dev: "gw42", Dst: netip.MustParseAddr("10.0.0.2")},
		"brport veth1 nopermanent":             {Brport: "veth1", State: "nopermanent"},
		"vni 42 self noextern_learn dynamic":   {VNI: &vni, Self: true, Extern: "noextern_learn", State: "dynamic"},
	} {
		got, err := parseFilter(strings.Fields(args))
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got):\n%s", args, err, d)
		}
	}
	for args, want := range map[string]string{
		"static dynamic":              "dynamic does not go with static",
		"extern_learn noextern_learn": "does not go with extern_learn",
		"state":                       "state needs a value",
		"state strange":               `"strange" is not a word`,
		"nosticky":                    "nosticky is not supported",
		"vlan 0":                      "out of range (1-4094)",
		"nhid 1":                      "nhid is not supported",
		"port 65536":                  "out of range (1-65535)",
		"port 4789 master":            "port and via do not go with master",
		"dev":                         "dev needs a value",
		"dst 10.0.0.2 master":         "dst, port and via do not go with master",
	} {
		if _, err := parseFilter(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}
