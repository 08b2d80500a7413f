package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"vxgw/config"
	"vxgw/control"
	"vxgw/internal/lab"
)

// refuses runs a command that has to fail with words.
func refuses(t *testing.T, h *lab.Host, status int, line string, want ...string) {
	t.Helper()
	stdout, stderr, got := runGW(t, h, strings.Fields(line)...)
	if got != status || stdout != "" {
		t.Errorf("gw %s: exit status %d, want %d; %s", line, got, status, stdout)
	}
	said := onlyLine(t, stderr)
	for _, w := range want {
		if !strings.Contains(said, w) {
			t.Errorf("gw %s says %q, which lacks %q", line, said, w)
		}
	}
}

// gw vni, gw remote and gw port: frames flow when they return, and no more when
// they have taken away.
func TestVerbs(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	h, peer, guest := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "guest")
	cable(t, l, h, peer)
	must(t, l.Veth(h, "veth1", guest, "veth1", lab.VethOptions{MTU: 1450}))
	must(t, guest.AddAddress("veth1", "172.17.43.4/24"))
	before := dump(t, h)
	b := &reloadBed{peer: peer, h: h}
	b.kernel(t, 42, "172.17.42.3/24", "")
	b.kernel(t, 43, "172.17.43.3/24", "")
	b.kernel(t, 44, "172.17.44.3/24", "224.1.1.4")
	g := start(t, h, "--iface", "ens18", "--vni", "42", "--no-device", "--metrics", "")
	do := func(line string) string { t.Helper(); return output(t, h, strings.Fields(line)...) }

	// A VNI that waits for a port, and then has one, a remote and frames.
	do("vni add 43 --no-device --ttl 17 --ageing 60s --srcport 50000-50999 --udpcsum --learning=false")
	do("port add veth1 --vni 43")
	do("remote add 10.65.132.188 --vni 43")
	pings(t, guest, "172.17.43.3")
	do("vni add 44 --group 224.1.1.4 --address 172.17.44.2/24 --mcast-flood=false --storm broadcast=1000,unknown=500 --moves limit=5,within=60s --neigh-suppress --neigh-forward-grat=false --neigh-ageing 60s --maxneigh 10")
	pings(t, h, "172.17.44.3")

	var shown []config.VNI
	must(t, json.Unmarshal([]byte(do("vni show -j")), &shown))
	if len(shown) != 3 || shown[1].VNI != 43 || shown[1].Tunnel.TTL != 17 || !shown[1].Tunnel.UDPCsum || shown[1].Learning ||
		shown[1].Tunnel.SrcPort != (config.PortRange{50000, 50999}) || len(shown[1].Remotes) != 1 || !slices.Equal(shown[1].Ports, []config.Port{{Name: "veth1"}}) {
		t.Errorf("gw vni show -j: %+v", shown)
	}
	if v := shown[2]; v.MCastFlood || !v.BcastFlood || !v.Flood || v.Storm != (config.Storm{Broadcast: 1000, Unknown: 500}) ||
		v.Moves != (config.Moves{Limit: 5, Within: config.Duration(time.Minute)}) {
		t.Errorf("gw vni show -j: vni 44 floods %+v", v)
	}
	if v := shown[2]; !v.NeighSuppress || v.NeighForwardGrat || v.NeighAgeing != config.Duration(time.Minute) || v.MaxNeigh != 10 ||
		shown[1].NeighSuppress || !shown[1].NeighForwardGrat {
		t.Errorf("gw vni show -j: vni 44 suppresses %+v", v)
	}
	if out := do("vni show"); strings.Count(out, "  flood  ") != 2 || strings.Count(out, "  all\n") != 2 || !strings.Contains(out, "  broadcast<=1000/s,unknown<=500/s\n") {
		t.Errorf("gw vni show:\n%s", out)
	}
	if out := do("vni show 44"); !strings.Contains(out, "224.1.1.4") || strings.Contains(out, "veth1") || !strings.Contains(out, "172.17.44.2/24") {
		t.Errorf("gw vni show 44:\n%s", out)
	}
	var remotes []flooded
	eventually(t, func() string { // the first packets go through the kernel
		must(t, json.Unmarshal([]byte(do("remote show -j --vni 43")), &remotes))
		if len(remotes) != 1 || remotes[0].VNI != 43 || remotes[0].Address != "10.65.132.188" || remotes[0].State != "direct" {
			return fmt.Sprintf("gw remote show -j: %+v", remotes)
		}
		return ""
	})
	if out := do("remote show"); strings.Count(out, "\n") != 3 || !strings.Contains(out, "224.1.1.4") {
		t.Errorf("gw remote show:\n%s", out)
	}
	var ports []control.Port
	must(t, json.Unmarshal([]byte(do("port show -j")), &ports))
	if len(ports) != 2 || ports[0].Name != "veth1" || ports[0].VNI != 43 || ports[1].Device != "gw44" {
		t.Errorf("gw port show -j: %+v", ports)
	}
	if out := do("port show"); !strings.Contains(out, "veth1") || !strings.Contains(out, "gw44") {
		t.Errorf("gw port show:\n%s", out)
	}

	for _, r := range []struct {
		line   string
		status int
		want   []string
	}{
		{"vni add 43", 1, []string{"vni add: vni 43 is there already", "gw vni del 43"}},
		{"vni add 0", 2, []string{"out of range"}},
		{"vni add", 2, []string{"which VNI?"}},
		{"vni add 45 --port veth1", 2, []string{"port veth1 is a port of vni 43 already"}},
		{"vni add 45 --port veth9", 2, []string{"vni 45: port veth9: no interface", "did you mean veth1"}},
		{"vni add 45 --remote 10.65.132.187", 2, []string{"this gateway's own address"}},
		{"vni add 45 --no-device --address 10.0.0.1/8", 2, []string{"--no-device does not go with"}},
		{"vni add 45 --ttl 0", 2, []string{"ttl: \"0\" is not a TTL"}},
		{"vni add 45 --srcport 5000", 2, []string{"--srcport \"5000\" is no range"}},
		{"vni set 45 --ttl 9", 1, []string{"vni set: there is no vni 45"}},
		{"vni set 43", 2, []string{"set what?"}},
		{"vni set", 2, []string{"which VNI?"}},
		{"vni set 42 --udpcsum false", 2, []string{`"false" belongs to no flag`, "--udpcsum=false"}},
		{"vni set 43 --udpcsum=off", 2, []string{"--udpcsum=\"off\" is not true or false"}},
		{"vni set 43 --udpcsumrx no", 2, []string{"udpcsumrx: \"no\" is unknown (give verify, ignore)"}},
		{"vni set 43 --reserved-bits 0x800000000000000", 2, []string{"reserved_bits", "which hold the flags and the VNI"}},
		{"vni add 45 --device ens18", 2, []string{"device ens18 needs the name ens18"}},
		{"vni add 45 --storm broadcast", 2, []string{`--storm "broadcast" is no limit`}},
		{"vni add 45 --storm broadcast=-1", 2, []string{`--storm "broadcast=-1" is no limit`}},
		{"vni add 45 --storm unicast=1", 2, []string{`unknown key "unicast" in vnis[].storm`}},
		{"vni add 45 --neigh-suppress=maybe", 2, []string{"neigh-suppress"}},
		{"vni add 45 --neigh-ageing 60", 2, []string{"neigh_ageing: 60 has no unit (give 60s for seconds)"}},
		{"vni add 45 --moves 5", 2, []string{`--moves "5" is not understood`}},
		{"vni add 45 --moves limit=many", 2, []string{`--moves "limit=many" is no number of moves`}},
		{"vni add 45 --moves limit=5,within=1", 2, []string{"moves.within: 1 has no unit (give 1s for seconds)"}},
		{"vni add 45 --moves limit=5,within=0s", 2, []string{"moves: within 0s is out of range"}},
		{"vni add 45 --flood=off", 2, []string{"flood"}},
		{"vni del 45", 1, []string{"there is no vni 45", "gw vni show"}},
		{"vni show 45", 1, []string{"there is no vni 45"}},
		{"remote add 10.65.132.188 --vni 43", 1, []string{"10.65.132.188 is a remote of vni 43 already"}},
		{"remote add 224.1.1.4 --vni 44", 1, []string{"224.1.1.4 is the group of gw44"}},
		{"remote add 10.65.132.187 --vni 43", 2, []string{"local address"}},
		{"remote add 10.65.132.189", 2, []string{"--vni is missing"}},
		{"remote add ens18 --vni 43", 2, []string{"not an IP address"}},
		{"remote del 10.65.132.189 --vni 43", 1, []string{"is no remote of vni 43"}},
		{"remote show --vni 45", 1, []string{"there is no vni 45"}},
		{"port add veth1 --vni 43", 1, []string{"veth1 is a port of vni 43 already"}},
		{"port add veth1 --vni 42", 1, []string{"veth1 is a port of vni 43 already"}},
		{"port add veth9 --vni 45", 1, []string{"there is no vni 45"}},
		{"port add ens18 --vni 42", 2, []string{"ens18 is the underlay already"}},
		{"port add lo --vni 42", 2, []string{"loopback"}},
		{"port add veth1", 2, []string{"--vni is missing"}},
		{"port del veth9", 1, []string{"veth9 is no port of this gateway"}},
		{"port del veth1 --vni 44", 1, []string{"veth1 is a port of vni 43, not 44"}},
		{"port del gw44", 1, []string{"gw44 is the device of vni 44"}},
	} {
		refuses(t, h, r.status, r.line, r.want...)
	}
	pings(t, guest, "172.17.43.3")

	do("remote del 10.65.132.188 --vni 43")
	do("remote add 10.65.132.188 --vni 43")
	pings(t, guest, "172.17.43.3")
	do("port del veth1")
	if e := g.entries(); slices.ContainsFunc(e, func(e control.FDBEntry) bool { return e.Ifname == "veth1" }) {
		t.Errorf("entries of a port that was taken away: %v", e)
	}
	do("port add veth1 --vni 43")
	pings(t, guest, "172.17.43.3")
	do("vni del 44")
	do("vni del 43")
	do("vni del 42")
	if s := g.status(); len(s.VNIs)+len(s.Ports) != 0 {
		t.Errorf("VNIs and ports are left: %+v %+v", s.VNIs, s.Ports)
	}
	do("vni add 43 --port veth1 --remote 10.65.132.188")
	pings(t, guest, "172.17.43.3")
	g.stop()
	clean(t, before, h)
}
