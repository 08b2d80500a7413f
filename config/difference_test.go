package config

import (
	"fmt"
	"strings"
	"testing"
)

// What is told of a change names every setting that differs, and nothing else.
func TestLines(t *testing.T) {
	const head = "underlay: {iface: ens18}\nvnis:\n"
	for _, c := range []struct{ name, from, to, want string }{
		{"nothing", "  - {vni: 42}\n", "  - {vni: 42, ageing: 300s}\n", ""},
		{"VNIs", "  - {vni: 42}\n  - {vni: 43, remotes: [10.0.0.1]}\n", "  - {vni: 42}\n  - {vni: 44, device: {name: blue}, remotes: [10.0.0.2], ageing: 9s}\n",
			"- vni 43\n+ vni 44\n+ vni 44 remotes: \"10.0.0.2\"\n+ vni 44 device.name: blue\n+ vni 44 ageing: \"9s\""},
		{"scalars", "  - {vni: 42, tunnel: {ttl: 9}, storm: {broadcast: 7}}\n", "  - {vni: 42, ageing: 60s, tunnel: {tos: inherit}, group: 224.1.1.1}\n",
			"+ vni 42 group: \"224.1.1.1\"\n- vni 42 ageing: \"5m0s\"\n+ vni 42 ageing: \"1m0s\"\n- vni 42 storm.broadcast: 7\n+ vni 42 storm.broadcast: 0\n- vni 42 tunnel.ttl: 9\n+ vni 42 tunnel.ttl: auto"},
		{"lists", "  - {vni: 42, ports: [veth1, veth2], remotes: [10.0.0.1, 10.0.0.2]}\n", "  - {vni: 42, ports: [{name: veth1, isolated: true}, veth2], remotes: [10.0.0.2, 10.0.0.1]}\n",
			"~ vni 42 remotes: in another order\n- vni 42 ports: veth1\n+ vni 42 ports: {name: veth1, isolated: true}"},
		{"a device", "  - {vni: 42, device: {addresses: [172.17.1.2/24]}}\n", "  - {vni: 42, device: {addresses: [172.17.1.3/24], mtu: 1400}}\n",
			"- vni 42 device.addresses: \"172.17.1.2/24\"\n+ vni 42 device.addresses: \"172.17.1.3/24\"\n- vni 42 device.mtu: 0\n+ vni 42 device.mtu: 1400"},
		{"no device any more", "  - {vni: 42, device: {name: blue}}\n", "  - {vni: 42, device: null}\n", "- vni 42 device.name: blue\n+ vni 42 device: null"},
		{"a device at last", "  - {vni: 42, device: null}\n", "  - {vni: 42, device: {name: blue, mtu: 1400}}\n", "- vni 42 device: null\n+ vni 42 device.name: blue\n+ vni 42 device.mtu: 1400"},
		{"the log", "  - {vni: 42}\n", "  - {vni: 42}\nlog: {level: debug}\n", "+ log.level: debug"},
	} {
		t.Run(c.name, func(t *testing.T) {
			from, err := Parse([]byte(head+c.from), "from")
			if err != nil {
				t.Fatal(err)
			}
			to, err := Parse([]byte(head+c.to), "to")
			if err != nil {
				t.Fatal(err)
			}
			changes := Compare(from, to)
			if got := strings.Join(changes.Lines(), "\n"); got != c.want {
				t.Errorf("it says\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// However much there is to tell, it ends.
func TestLinesAreBounded(t *testing.T) {
	var c Changes
	plain := Default()
	for vni := range uint32(3 * mostLines) {
		v := plain.NewVNI(vni + 1)
		c.Add = append(c.Add, &v)
	}
	lines := c.Lines()
	if last := lines[len(lines)-1]; len(lines) != mostLines+1 || last != fmt.Sprintf("and %d more VNIs", 2*mostLines) {
		t.Errorf("%d lines, the last of them %q", len(lines), last)
	}
}
