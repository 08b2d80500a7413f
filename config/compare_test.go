package config

import (
	"fmt"
	"strings"
	"testing"
)

// What two files differ in, as the summary says it.
func TestCompare(t *testing.T) {
	const head, one, two = "underlay: {iface: u}\n", "- {vni: 1, remotes: [10.0.0.1], ports: [a]}\n", "- {vni: 2, group: 224.1.1.1}\n"
	for _, c := range []struct{ from, to, want, fixed string }{
		{head + "vnis:\n" + one, head + "vnis:\n" + one, "nothing changed", ""},
		{head + "vnis:\n" + one, head + "vnis:\n" + one + two, "added vni 2", ""},
		{head + "vnis:\n" + one + two, head + "vnis:\n" + two, "removed vni 1", ""},
		{head + "vnis:\n" + one + two, head + "vnis:\n" + two + one, "nothing changed", ""},
		{head + "vnis:\n" + one, head + "vnis:\n" + two, "added vni 2; removed vni 1", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, group: 224.1.1.1}]", "changed vni 1 (group)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, remotes: [10.0.0.1]}]", "changed vni 1 (remotes)", ""},
		{head + "vnis: [{vni: 1}]", head + "remotes: [10.0.0.1]\nvnis: [{vni: 1}]", "changed vni 1 (remotes)", ""},
		{head + "vnis: [{vni: 1, device: {name: a}}]", head + "vnis: [{vni: 1, device: {name: b}}]", "changed vni 1 (device)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, device: {addresses: [10.0.0.1/8]}}]", "changed vni 1 (device)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, device: null}]", "changed vni 1 (device)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, ports: [a], device: {}}]", "changed vni 1 (ports)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, learning: false, ageing: 1s, maxaddress: 1}]", "changed vni 1 (learning, ageing, maxaddress)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, flood: false, bcast_flood: false, mcast_flood: false, storm: {unknown: 1}, moves: {limit: 2}}]",
			"changed vni 1 (flood, bcast_flood, mcast_flood, storm, moves)", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, neigh_suppress: true, neigh_forward_grat: false, neigh_ageing: 1s, maxneigh: 1, neigh: [{ip: 10.0.0.1, mac: '02:00:00:00:00:01'}]}]",
			"changed vni 1 (neigh_suppress, neigh_forward_grat, neigh_ageing, maxneigh, neigh)", ""},
		{head + "vnis: [{vni: 1, ports: [a]}]", head + "vnis: [{vni: 1, ports: [{name: a, isolated: true}]}]", "changed vni 1 (ports)", ""},
		{head + "vnis: [{vni: 1, ports: [a]}]", head + "vnis: [{vni: 1, ports: [{name: a, isolated: false}]}]", "nothing changed", ""},
		{head + "vnis: [{vni: 1, ports: [a]}]", head + "vnis: [{vni: 1, ports: [{name: a, vlan: drop}]}]", "changed vni 1 (ports)", ""},
		{head + "vnis: [{vni: 1, ports: [{name: a, vlan: 5}]}]", head + "vnis: [{vni: 1, ports: [{name: a, vlan: 6}]}]", "changed vni 1 (ports)", ""},
		{head + "vnis: [{vni: 1, ports: [a]}]", head + "vnis: [{vni: 1, ports: [{name: a, vlan: keep}]}]", "nothing changed", ""},
		{head + "vnis: [{vni: 1}]", head + "vnis: [{vni: 1, fdb: [{mac: '02:00:00:00:00:01', port: gw1}]}]", "changed vni 1 (fdb)", ""},
		{head + "vnis: [{vni: 1}]", head + "tunnel: {ttl: 9}\nvnis: [{vni: 1}]", "changed vni 1 (tunnel)", ""},
		{head + "vnis: [{vni: 1, tunnel: {ttl: 9}}]", head + "tunnel: {ttl: 9}\nvnis: [{vni: 1}]", "nothing changed", ""},
		{head + "vnis: [{vni: 1}]", "underlay: {iface: v, local: 10.0.0.9, dstport: 8472, mode: copy}\nvnis: [{vni: 1}]", "nothing changed",
			"underlay.iface, underlay.local, underlay.dstport, underlay.mode"},
		{head + "vnis: [{vni: 1}]", head + "dataplane: {workers: 2, frames: 4096}\nmetrics: {listen: ''}\ncontrol: {path: /x}\nlog: {format: json, level: debug}\nvnis: [{vni: 1}]",
			"log.level is debug", "dataplane.workers, dataplane.frames, metrics.listen, control.path, log.format"},
		{head + "log: {level: warn}\nvnis: [{vni: 1}]", head + "vnis: [{vni: 2}]", "added vni 2; removed vni 1; log.level is info", ""},
	} {
		from, err := Parse([]byte(c.from), "from")
		if err != nil {
			t.Fatal(err)
		}
		to, err := Parse([]byte(c.to), "to")
		if err != nil {
			t.Fatal(err)
		}
		got := Compare(from, to)
		if got.String() != c.want || strings.Join(got.Fixed, ", ") != c.fixed {
			t.Errorf("from %q\nto %q\ngot  %s, fixed %v\nwant %s, fixed %s", c.from, c.to, got.String(), got.Fixed, c.want, c.fixed)
		}
		if got.Empty() != (c.want == "nothing changed" && c.fixed == "") {
			t.Errorf("empty: %v for %s", got.Empty(), c.want)
		}
	}
}

// A summary stays one line, whatever the number of VNIs.
func TestCompareMany(t *testing.T) {
	from, to := Default(), Default()
	for i := range 100 {
		from.VNIs = append(from.VNIs, from.NewVNI(uint32(1+i)))
		v := to.NewVNI(uint32(51 + i))
		v.MaxAddress = 7
		to.VNIs = append(to.VNIs, v)
	}
	c := Compare(&from, &to)
	if s := c.String(); len(c.Add) != 50 || len(c.Remove) != 50 || len(c.Change) != 50 || len(s) > 600 || strings.Count(s, "and 42 more") != 3 {
		t.Errorf("%d added, %d removed, %d changed: %s", len(c.Add), len(c.Remove), len(c.Change), s)
	}
}

// A VNI by itself takes the defaults of the file, and is refused without a line.
func TestParseVNI(t *testing.T) {
	c, err := Parse([]byte("underlay: {iface: u}\nremotes: [10.0.0.1]\ntunnel: {ttl: 9}\nvnis: [{vni: 1}]\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	all, err := c.ParseVNIs([]byte(`{"vni": 2, "tunnel": {"tos": 8}}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d VNIs", len(all))
	}
	v := all[0]
	if fmt.Sprint(v.Remotes) != "[10.0.0.1]" || v.Tunnel.TTL != 9 || v.Tunnel.TOS != 8 || v.Device == nil || v.Device.Name != "gw2" {
		t.Errorf("%+v", v)
	}
	for text, want := range map[string]string{
		``:                            "no VNI is described",
		`{"vni": "x"}`:                "vnis[].vni is text, not a whole number",
		`{"vni": 1, "prots": ["a"]}`:  `unknown key "prots" in vnis[] (did you mean ports?)`,
		`[`:                           "bad YAML: sequence end token ']' not found",
		`{"vni": 1, "ageing": "300"}`: "vnis[].ageing: 300 has no unit (give 300s for seconds)",
	} {
		if _, err := c.ParseVNIs([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
