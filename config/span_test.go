package config

import (
	"fmt"
	"strings"
	"testing"
)

// An element of the list of VNIs for a range of them is as many elements, whose VLANs count
// along.
func TestVNIRange(t *testing.T) {
	const head = "underlay: {iface: u}\nremotes: [10.0.0.1]\nvnis:\n"
	short, err := Parse([]byte(head+"- {vni: 7}\n- {vni: 10100-10199, ageing: 60s, ports: [{name: eth1, vlan: 200-299, isolated: true}, {name: eth2, vlan: 5-104, tpid: 802.1ad}]}\n- {vni: 8, ports: [a]}\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	var long strings.Builder
	long.WriteString(head + "- {vni: 7}\n")
	for i := range 100 {
		fmt.Fprintf(&long, "- {vni: %d, ageing: 60s, ports: [{name: eth1, vlan: %d, isolated: true}, {name: eth2, vlan: %d, tpid: 802.1ad}]}\n", 10100+i, 200+i, 5+i)
	}
	long.WriteString("- {vni: 8, ports: [a]}\n")
	want, err := Parse([]byte(long.String()), "f")
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(want, short); d != "" {
		t.Errorf("(-each +range)\n%s", d)
	}
	devices, err := Parse([]byte(head+"- {vni: 3-4}\n"), "f")
	if err != nil || len(devices.VNIs) != 2 || devices.VNIs[1].Device.Name != "gw4" {
		t.Errorf("%+v, %v", devices, err)
	}
	all, err := want.ParseVNIs([]byte(`{"vni": "20-21", "ports": [{"name": "eth1", "vlan": "1-2"}]}`))
	if err != nil || len(all) != 2 || all[1].VNI != 21 || all[1].Ports[0].VLAN != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestVNIRangeBad(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[{vni: 9-8}]", `f:2: vnis[0].vni: "9-8" is no range of VNIs (give the first and the last, 1-16777215, at most 65535 of them)`},
		{"[{vni: 0-8}]", `f:2: vnis[0].vni: "0-8" is no range of VNIs (give the first and the last, 1-16777215, at most 65535 of them)`},
		{"[{vni: 1-16777216}]", `f:2: vnis[0].vni: "1-16777216" is no range of VNIs (give the first and the last, 1-16777215, at most 65535 of them)`},
		{"[{vni: 1-65536}]", `f:2: vnis[0].vni: "1-65536" is no range of VNIs (give the first and the last, 1-16777215, at most 65535 of them)`},
		{"[{vni: 1-x}]", "f:2: vnis[0].vni is text, not a whole number"},
		{"[{vni: 1-4294967297}]", "f:2: vnis[0].vni is text, not a whole number"},
		{"\n- {vni: 1-2, device: null}\n- {vni: 2}", "f:4: vni 2 is given twice (join the two, or renumber one)"},
		{"[{vni: 1-2, ports: [a]}]", "f:2: vni 2: port a is a port of vni 1 already (an interface has one use)"},
		{"[{vni: 1-2, ports: [{name: a, vlan: 5}]}]", "f:2: vni 2: port a: vlan 5 is that of vni 1 already (a VLAN has one VNI)"},
		{"[{vni: 1-2, ports: [{name: a, vlan: 5-7}]}]", `f:2: vnis[0].ports[0].vlan: "5-7" is 3 VLANs for 2 VNIs (give as many)`},
		{"[{vni: 1-2, ports: [{name: a, vlan: 4094-4095}]}]", `f:2: vnis[0].ports[0].vlan: "4094-4095" is no range of VLANs (give the first and the last, 1-4094)`},
		{"[{vni: 1, ports: [{name: a, vlan: 5-6}]}]", `f:2: vnis[0].ports[0].vlan: "5-6" goes with as many VNIs (give one VLAN, or vni as a range)`},
	} {
		_, err := Parse([]byte("underlay: {iface: u}\nvnis: "+c.text), "f")
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.text, err, c.want)
		}
	}
}
