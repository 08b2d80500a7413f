package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// everyOther is a file in which no setting has its default.
const everyOther = `underlay: {iface: ens18, local: 10.65.132.187, local6: 2001:db8::1, dstport: 8472, mode: copy}
tunnel:
  ttl: 9
  tos: 0xb8
  df: inherit
  udpcsum: true
  udp6zerocsumtx: true
  udp6zerocsumrx: true
  flowlabel: auto
  srcport: [50000, 50999]
  udpcsumrx: ignore
  reserved_bits: 0xf700000000000000
remotes: [10.65.132.201, {dst: "2001:db8::201", port: 4790, vni: 7}]
dataplane: {workers: 2, frames: 32768, poll: busy, cpus: "2,4-7", framesize: 8192}
vnis:
  - vni: 42
    group: 224.1.1.1
    remotes: [10.65.132.188, {dst: 10.65.132.189, port: 4789, vni: 100}]
    device: {name: "blue.1", addresses: [172.17.1.2/24, "2001:db8:1::2/64"], mtu: 1400}
    ports: [veth1, {name: "0x10", isolated: true}, {name: ens20, vlan: 100, tpid: 802.1ad}, {name: "null", vlan: strip}]
    learning: false
    ageing: 0s
    maxaddress: 7
    flood: false
    bcast_flood: false
    mcast_flood: false
    storm: {broadcast: 1, unknown: 2, multicast: 3}
    moves: {limit: 5, within: 60s, freeze: 90s}
    neigh_suppress: true
    neigh_forward_grat: false
    neigh_ageing: 61s
    maxneigh: 62
    neigh: [{ip: 172.17.1.77, mac: "02:57:a7:1c:00:01"}, {ip: "fe80::77", mac: "02:57:a7:1c:00:01", vlan: 10, router: true}]
    allow: [remotes, 10.65.132.0/24, "2001:db8::/32"]
    fdb:
      - {mac: "02:57:a7:1c:00:01", dst: 10.65.132.188}
      - {mac: "02:57:a7:1c:00:02", port: veth1}
      - {mac: "02:57:a7:1c:00:03", dst: 10.65.132.188, port: 4790, vni: 100}
    tunnel: {ttl: inherit}
  - {vni: 43, device: null, ports: [eth9]}
  - {vni: 44, remotes: []}
  - {vni: 100-101, ports: [{name: eth1, vlan: 10-11}]}
metrics: {listen: ""}
control: {path: /tmp/x.sock, group: gw}
log: {format: json, level: debug}
`

func explain(t *testing.T, text string, over ...Override) (Explained, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gw.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Explain(file, over...)
}

// What is shown means the same, whatever a setting is.
func TestShowRoundTrip(t *testing.T) {
	files := []string{everyOther, "underlay: {iface: ens18}\nvnis: [{vni: 42}]\n", "{\"underlay\": {\"iface\": \"no\"}, \"vnis\": [{\"vni\": 42, \"ports\": [\"true\"]}]}"}
	for _, text := range files {
		e, err := explain(t, text)
		if err != nil {
			t.Fatal(err)
		}
		shown := e.YAML()
		again, err := Parse(shown, "shown")
		if err != nil {
			t.Fatalf("%v\n%s", err, shown)
		}
		if d := diff(e.Config, again); d != "" {
			t.Errorf("%s\nis another one than\n%s\n%s", shown, text, d)
		}
	}
	// And the first of them has something else than the default for each setting.
	e, _ := explain(t, everyOther)
	plain := Default()
	plain.VNIs = []VNI{plain.NewVNI(0)}
	differ(t, "", reflect.ValueOf(*e.Config), reflect.ValueOf(plain))
	differ(t, "vnis[0]", reflect.ValueOf(e.Config.VNIs[0]), reflect.ValueOf(plain.VNIs[0]))
	differ(t, "vnis[0].device", reflect.ValueOf(*e.Config.VNIs[0].Device), reflect.ValueOf(Device{}))
}

// differ fails for settings that are equal.
func differ(t *testing.T, path string, a, b reflect.Value) {
	t.Helper()
	for i := range a.NumField() {
		at := join(path, keyOf(a.Type().Field(i)))
		if a.Field(i).Kind() == reflect.Struct && !isText(a.Field(i).Type()) {
			differ(t, at, a.Field(i), b.Field(i))
		} else if same(a.Field(i), b.Field(i)) {
			t.Errorf("%s is the default: this tests nothing", at)
		}
	}
}

func TestOrigins(t *testing.T) {
	e, err := explain(t, "underlay:\n  iface: ens18\ntunnel:\n  ttl: 9\nvnis:\n  - vni: 42\n    ports:\n      - veth1\n    tunnel: {tos: 7}\n",
		Override{"workers", "2", "GW_WORKERS"}, Override{"iface", "ens19", "--iface"})
	if err != nil {
		t.Fatal(err)
	}
	if e.Config.Underlay.Iface != "ens19" || e.Config.Dataplane.Workers != 2 {
		t.Errorf("%+v", e.Config)
	}
	for path, want := range map[string]string{
		"underlay.iface": "--iface", "underlay.dstport": "default", "tunnel.ttl": "gw.yaml:4", "dataplane.workers": "GW_WORKERS",
		"vnis[0].vni": "gw.yaml:6", "vnis[0].ports": "gw.yaml:8", "vnis[0].ports[0]": "gw.yaml:8", "vnis[0].device": "default",
		"vnis[0].tunnel.tos": "gw.yaml:9", "vnis[0].tunnel.ttl": "gw.yaml:4", "vnis[0].tunnel.df": "default",
	} {
		if got := e.Origins.Of(path); filepath.Base(got) != want {
			t.Errorf("%s is from %s, want %s", path, got, want)
		}
	}
	// A verb has added a VNI and changed another.
	now := *e.Config
	v := now.NewVNI(7)
	now.VNIs = append([]VNI{v}, now.VNIs...)
	now.VNIs[1].Ageing = 0
	now.Log.Level = "debug"
	e = e.AtRunTime(&now)
	for path, want := range map[string]string{
		"underlay.iface": "--iface", "log.level": "changed at run time", "log.format": "default", "vnis[0].vni": "changed at run time", "vnis[0].tunnel.ttl": "changed at run time",
		"vnis[1].ageing": "changed at run time", "vnis[1].vni": "gw.yaml:6", "vnis[1].ports": "gw.yaml:8", "vnis[1].flood": "default",
	} {
		if got := e.Origins.Of(path); filepath.Base(got) != want {
			t.Errorf("%s is from %s, want %s", path, got, want)
		}
	}
	if text := string(e.YAML()); !strings.Contains(text, "    ageing: \"0s\" # changed at run time\n") {
		t.Error(text)
	}
}

// An override that is wrong is to blame, not the file.
func TestBadOverride(t *testing.T) {
	for _, r := range []struct {
		over Override
		want string
	}{
		{Override{"mode", "fast", "GW_MODE"}, "GW_MODE: underlay.mode: \"fast\" is unknown (give auto, zerocopy, copy, generic)"},
		{Override{"workers", "many", "--workers"}, "--workers: \"many\" is no whole number (give 0-4294967295)"},
		{Override{"local", "here", "GW_LOCAL"}, "GW_LOCAL: \"here\" is not an IP address (give one like 10.65.132.188)"},
		{Override{"dstport", "0", "GW_DSTPORT"}, "GW_DSTPORT: dstport 0 is no UDP port (give 1-65535; the usual one is 4789)"},
		{Override{"iface", "", "GW_IFACE"}, "GW_IFACE: no underlay interface is given (add --iface, or underlay.iface)"},
	} {
		if _, err := explain(t, "underlay: {iface: ens18}\nvnis: [{vni: 42}]\n", r.over); err == nil || err.Error() != r.want {
			t.Errorf("%v: %v, want %s", r.over, err, r.want)
		}
	}
}
