package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTroubleshooting provokes what docs/troubleshooting.md tells of, looks where it says, and wants what it names.
func TestTroubleshooting(t *testing.T) {
	t.Parallel()
	newLab(t) // root, or this is skipped
	page := pages(t)["troubleshooting.md"]
	const gw, vxlan = "gw --iface ens18 --vni 42 --remote 10.65.132.188 --address 172.17.1.2/24",
		"ip -n node2 link add vxlan0 type vxlan id %d dstport %d remote 10.65.132.187 local 10.65.132.188 dev ens18"
	peer := func(vni, port int) []string {
		return []string{fmt.Sprintf(vxlan, vni, port), "ip -n node2 address add 172.17.1.3/24 dev vxlan0", "ip -n node2 link set vxlan0 up"}
	}
	ping := "ping -c 1 -W 1 172.17.1.3 >/dev/null; true"
	for _, c := range []struct {
		name  string
		do    []string
		look  string
		says  string // what the page names
		where string // regular expression of what is printed, where it is more than that
	}{
		{"other port", append(peer(42, 8472), gw, ping), "gw stats", "ens18      -    0           0 ", `ens18 +- +0 +0 +[1-9]`},
		{"other vni", append(peer(99, 4789), gw, ping), "gw stats", "ens18      -    0           0 ", `ens18 +- +0 +0 +[1-9]`},
		{"nowhere to flood to", []string{"gw --iface ens18 --vni 42 --address 172.17.1.2/24", ping}, "gw stats", "no_target", ""},
		{"next hop does not answer", []string{gw, "gw remote add 10.65.132.200 --vni 42", ping}, "gw status", "waiting for 10.65.132.200 to answer ARP on ens18", ""},
		{"no route", []string{gw, "ip route add blackhole 10.99.0.0/16", "gw remote add 10.99.0.1 --vni 42"}, "gw status",
			"no route to 10.99.0.1 from 10.65.132.187 through ens18: the route is a blackhole (ip route get 10.99.0.1 from 10.65.132.187 oif ens18)", ""},
		{"not allowed", append(peer(42, 4789), "gw --iface ens18 --vni 42 --address 172.17.1.2/24 --allow 10.65.132.190", "ip netns exec node2 "+strings.Replace(ping, "172.17.1.3", "172.17.1.2", 1)),
			"gw stats", "remote_not_allowed", `remote_not_allowed +[1-9]`},
		{"port too wide", append(container(1), "ip link set dev veth1 mtu 1500", "gw --iface ens18 --vni 42 --remote 10.65.132.188 --port veth1"), "gw status",
			"port veth1 of vni 42 has an MTU of 1500, and the tunnel carries 1450: larger packets are lost, and their senders told by ICMP", ""},
		{"too big", append(peer(42, 4789), append(container(1), "ip link set dev veth1 mtu 1500", "ip -n container1 link set eth0 mtu 1500", "gw --iface ens18 --vni 42 --remote 10.65.132.188 --port veth1",
			"ip netns exec container1 ping -c 1 -W 1 -M do -s 1472 172.17.1.3; true")...), "gw stats", "too_big", `too_big +[1-9]`},
		{"group and remote", []string{"gw --iface ens18 --vni 42 --group 224.1.1.1 --remote 10.65.132.188"}, "gw status", "FLOODS TO", `gw42 +10\.65\.132\.188 224\.1\.1\.1`},
		{"kernel device", []string{"ip link add vxlan0 type vxlan id 42 dstport 4789 remote 10.65.132.188 local 10.65.132.187 dev ens18", "ip link set vxlan0 up", gw}, "gw doctor",
			"vxlan0: a kernel vxlan device has VNI 42 and UDP port 4789, too: it gets no more frames while gw runs", ""},
		{"tags lost", append(container(1), "gw --iface ens18 --vni 42 --port veth1 --mode generic"), "gw doctor", "port.tags", `warning +port\.tags`},
		{"segments lost", append(container(1), "gw --iface ens18 --vni 42 --port veth1 --mode generic"), "gw doctor", "port.offloads", `warning +port\.offloads`},
		{"address twice", append(container(1, 2), "ip -n container1 link set eth0 address 02:00:00:00:07:77", "ip -n container2 link set eth0 address 02:00:00:00:07:77",
			"gw --iface ens18 --vni 42 --port veth1 --port veth2", "ip netns exec container1 "+ping, "ip netns exec container2 "+ping),
			"gw fdb history 02:00:00:00:07:77", "vni 42 02:00:00:00:07:77 from dev veth1 to dev veth2", ""},
		{"second gateway", []string{gw}, "gw --iface ens18 --vni 43", "held by process", ""},
		{"second metrics", []string{gw, "ip link add d0 type veth peer name d1", "ip address add 10.1.1.1/24 dev d0"}, "gw --iface d0 --vni 43", "listen for metrics on 127.0.0.1:9478: the address is in use", ""},
		{"no zero-copy", nil, "gw --iface ens18 --vni 42 --mode zerocopy", "bind ens18 zero-copy: operation not supported", ""},
		{"queues of a veth", []string{"ip link add q0 numrxqueues 1 numtxqueues 1 type veth peer name q1 numrxqueues 4 numtxqueues 4", "ip link set q0 up", "ip link set q1 up"}, "gw --iface ens18 --vni 42 --port q0",
			"it has 1 rx queues, fewer than the 4 tx queues of its peer q1", ""},
		{"no address", []string{"ip address flush dev ens18"}, "gw --iface ens18 --vni 42", "has no global IPv4 address", ""},
		{"wrong name", nil, "gw --iface nosuch --vni 42", `no interface "nosuch" (there are `, ""},
		{"unknown key", []string{`printf 'underlay: {iface: ens18}\nvnis:\n  - vni: 42\n    grup: 224.1.1.1\n' >gw.yaml`}, "gw config check gw.yaml", `gw.yaml:4: unknown key "grup" in vnis[0] (did you mean group?)`, ""},
		{"underlay down", []string{"ip link set ens18 down", gw}, "gw status", "PROBLEM: underlay ens18 is down", ""},
		{"killed", []string{gw, "kill -9 %gw; wait %gw; true"}, "gw status; gw cleanup --iface ens18", "put back: pair gw42", ""},
		{"not running", nil, "gw status", "no gw answers in this network namespace", ""},
		{"explained", append(container(1), "gw --iface ens18 --vni 42 --remote 10.65.132.188 --port veth1", "gw fdb add 02:00:00:00:00:02 dev gw42 dst 10.65.132.188"),
			"gw explain --port veth1 --flow 02:00:00:00:00:01,02:00:00:00:00:02,172.17.1.4,172.17.1.3,udp,1000,80,size=1500,df=1", "too_big: The frame is larger than the MTU of the way to its destination.", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(page, c.says) {
				t.Errorf("the page does not name %q", c.says)
			}
			r := newReader(t)
			for _, line := range c.do {
				r.follow(t, step{command: line})
			}
			pattern := regexp.QuoteMeta(c.says)
			if c.where != "" {
				pattern = c.where
			}
			seen := regexp.MustCompile(pattern)
			eventually(t, func() string {
				printed := r.node.enter(t, "{ timeout 10 "+strings.ReplaceAll(c.look, "; ", "; timeout 10 ")+"; } 2>&1") // in case that a start succeeds
				if seen.MatchString(printed) {
					return ""
				}
				time.Sleep(100 * time.Millisecond)
				return fmt.Sprintf("%s\nprinted\n%s\nwhich lacks\n%s", c.look, printed, pattern)
			})
			if c.name != "killed" {
				r.stop(t)
			}
		})
	}
}
