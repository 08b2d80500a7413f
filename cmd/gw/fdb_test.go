package main

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"vxgw/internal/lab"
)

// The verbs of gw fdb, seen on the wire.
func TestFDBVerbs(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	far := farMAC.String()
	b.goesTo(t, farMAC, under2) // flooded

	// Used at once, in place of flooding, although nobody has spoken yet.
	b.gw(t, "add "+far+" dev gw42 dst 10.65.132.189")
	b.goesTo(t, farMAC, under3)
	b.entry(t, farMAC, far+" dev gw42 dst 10.65.132.189 self permanent")
	b.refused(t, "add "+far+" dev gw42 dst 10.65.132.188", 1, "fdb add "+far, "exists", "use replace", "10.65.132.189")
	b.goesTo(t, farMAC, under3)
	b.gw(t, "replace "+far+" dev gw42 dst 10.65.132.188 static")
	b.goesTo(t, farMAC, under2)
	b.entry(t, farMAC, far+" dev gw42 dst 10.65.132.188 self static")
	b.gw(t, "replace "+noMAC.String()+" dev gw42 dst 10.65.132.189") // was not there
	b.goesTo(t, noMAC, under3)

	// Learning moves neither static nor extern entries, whoever claims the address.
	b.says(t, 2, farMAC, "static_conflict")
	b.gets(t, "to_port", func() { must(t, b.box2.SendFrame("veth0", named(boxMAC, farMAC, "I am far"))) })
	b.entry(t, farMAC, far+" dev gw42 dst 10.65.132.188 self static")
	b.gw(t, "replace "+far+" dev gw42 dst 10.65.132.188 extern_learn dynamic")
	b.says(t, 2, farMAC, "static_conflict")
	b.entry(t, farMAC, far+" dev gw42 dst 10.65.132.188 self extern_learn")
	b.goesTo(t, farMAC, under2)

	// A learned entry that is deleted floods again and is learned again; one that is
	// entered as dynamic moves.
	b.refused(t, "del "+far+" dev gw42 dst 10.65.132.189", 1, "no such entry", "there is "+far)
	b.gw(t, "del "+far+" dev gw42 dst 10.65.132.188")
	b.gw(t, "del "+noMAC.String()+" dev gw42")
	b.entry(t, noMAC, "")
	b.says(t, 2, farMAC, "to_port")
	b.entry(t, farMAC, far+" dev gw42 dst 10.65.132.189 self")
	b.goesTo(t, farMAC, under3)
	b.gw(t, "del "+far+" dev gw42")
	b.goesTo(t, farMAC, under2)
	b.says(t, 2, farMAC, "to_port")
	b.goesTo(t, farMAC, under3)
	b.gw(t, "replace "+far+" dev gw42 dst 10.65.132.188 dynamic")
	b.goesTo(t, farMAC, under2)
	b.says(t, 2, farMAC, "to_port")
	b.goesTo(t, farMAC, under3)

	// At a port: nothing goes into the tunnel any more.
	tap, err := b.box2.Capture("veth0", nil)
	must(t, err)
	b.gw(t, "replace "+far+" dev veth2 master")
	b.entry(t, farMAC, far+" dev veth2 master gw42 static")
	b.goesTo(t, farMAC)
	_, err = tap.Wait(within(t), 1, nil)
	must(t, err)
	b.gw(t, "del "+far+" dev veth2 master")
	b.goesTo(t, farMAC, under2)
	b.stop()
}

// What is flooded goes to the list as it is now.
func TestFDBFlood(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	const zero = "00:00:00:00:00:00"
	b.gw(t, "append "+zero+" dev gw42 dst 10.65.132.189 self permanent")
	b.gw(t, "append "+zero+" dev gw42 dst 10.65.132.189") // as the kernel's device takes it
	b.goesTo(t, noMAC, under2, under3)
	if got, want := b.gw(t, "get "+zero+" dev gw42"), zero+" dev gw42 dst 10.65.132.188 via ens18 self permanent\n"+
		zero+" dev gw42 dst 10.65.132.189 via ens18 self permanent\n"; got != want {
		t.Errorf("the flood list is\n%swant\n%s", got, want)
	}
	b.gw(t, "del "+zero+" dev gw42 dst 10.65.132.188")
	b.refused(t, "del "+zero+" dev gw42 dst 10.65.132.188", 1, "no such entry", "flood list of gw42")
	must(t, b.box.SendFrame("veth0", named(noMAC, boxMAC, "only to the second")))
	_, err := b.probes[0].Wait(within(t), 1, func(f lab.Frame) bool { return bytes.Contains(f.Data, []byte("only to the second")) })
	must(t, err) // before the first is back on the list
	b.refused(t, "add "+zero+" dev gw42 dst 10.65.132.188", 1, "exists", "use append")
	if v := b.status().VNIs[0]; !slices.Equal(v.Remotes, []string{"10.65.132.189"}) {
		t.Errorf("the status has the flood list %v", v.Remotes)
	}
	b.gw(t, "append "+zero+" dev gw42 dst 10.65.132.188")
	b.goesTo(t, noMAC, under2, under3)
	for _, p := range outers(t, b.probes[0], under1) {
		if strings.Contains(string(p.packet), "only to the second") && p.dst != under3 {
			t.Errorf("a copy went to %s, which had been deleted", p.dst)
		}
	}
	b.gw(t, "del "+zero+" dev gw42")
	b.refused(t, "get "+zero+" dev gw42", 1, "no such entry")
	b.gw(t, "add "+zero+" dev gw42 dst 10.65.132.188")
	b.goesTo(t, noMAC, under2)
	for _, verb := range []string{"append", "del"} {
		b.refused(t, verb+" "+zero+" dev gw43 dst 224.1.1.1", 1, "224.1.1.1 is the group of gw43")
	}
	b.stop()
}

func TestFDBRefusals(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	before := b.fdb()
	const entry = "02:00:00:00:00:f1 dev gw42 dst 10.65.132.189 "
	dev, err := b.host.MAC("gw42")
	must(t, err)
	for _, c := range []struct {
		line   string
		status int
		want   []string
	}{
		{"add 02:00:00:00:00:f1 dev gw44 dst 10.65.132.189", 1, []string{"gw44 is neither a VNI nor a port", "gw42, gw43, veth1"}},
		{"add " + entry + "src_vni 43", 1, []string{"src_vni 43", "src_vni 42", "leave it out"}},
		{"add " + entry + "via veth1", 1, []string{"via veth1", "ens18 alone", "leave via out"}},
		{"add " + entry + "vlan 7", 1, []string{"gw42 is no trunk", "leave vlan out"}},
		{"add " + entry + "vlan 4095", 2, []string{"vlan", "1-4094"}},
		{"add 02:00:00:00:00:f1 dev gw42", 1, []string{"gw42 is a VNI and a device", "dst ADDRESS", "master"}},
		{"add 02:00:00:00:00:f1 dev gw43 master", 1, []string{"gw43 is a VNI", "dev PORT master"}},
		{"add 02:00:00:00:00:f1 dev veth1 dst 10.65.132.189", 1, []string{"veth1 is a port", "say dev gw42"}},
		{"add 02:00:00:00:00:f1 dev gw42 dst 10.65.132.187", 2, []string{"local address"}},
		{"add 02:00:00:00:00:f1 dev gw42 dst ::1", 2, []string{"loopback"}},
		{"add 02:00:00:00:00:f1 dev gw42 dst 224.1.1.1", 2, []string{"multicast"}},
		{"append 00:00:00:00:00:00 dev veth1 dst 10.65.132.189", 1, []string{"veth1 is a port", "gw42"}},
		{"append 00:00:00:00:00:00 dev gw42 dst 10.65.132.187", 2, []string{"local address"}},
		{"del 02:00:00:00:00:f1 dev gw42", 1, []string{"no such entry in gw42", "gw fdb show"}},
		{"get 02:00:00:00:00:f1 dev gw42", 1, []string{"no such entry in gw42"}},
		{"replace " + dev.String() + " dev gw42 dst 10.65.132.189", 1, []string{"the device itself"}},
		{"del " + dev.String() + " dev gw42", 1, []string{"the device itself"}},
		{"show dev gw44", 1, []string{"gw44 is neither a VNI nor a port"}},
		{"monitor brport veth9", 1, []string{"veth9 is neither a VNI nor a port"}},
		{"add 02:00:00:00:00:f1", 2, []string{"dev is missing"}},
	} {
		b.refused(t, c.line, c.status, c.want...)
	}
	if d := cmp.Diff(before, b.fdb()); d != "" {
		t.Errorf("a refusal changed the table (-before +after):\n%s", d)
	}
	b.stop()
}

// The keys are those of `bridge -j fdb show` (iproute2 bridge/fdb.c), and two more.
func TestFDBJSON(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	b.gw(t, "add 02:00:00:00:00:f1 dev gw42 dst 10.65.132.189")
	b.gw(t, "add 02:00:00:00:00:f2 dev veth1 master static")
	b.says(t, 1, noMAC, "flooded")
	want := map[string][]string{
		"00:00:00:00:00:00": {"dst", "flags", "ifname", "mac", "state", "viaIf", "vni"},
		"02:00:00:00:00:f1": {"dst", "flags", "ifname", "mac", "state", "vni"},
		"02:00:00:00:00:f2": {"flags", "ifname", "mac", "master", "state", "vni"},
		noMAC.String():      {"age", "dst", "flags", "ifname", "mac", "state", "vni"},
	}
	got := map[string][]string{}
	for _, e := range b.fdbJSON() {
		if mac := e["mac"].(string); want[mac] != nil {
			got[mac] = slices.Sorted(maps.Keys(e))
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("keys (-want +got):\n%s", d)
	}
	if got := b.gw(t, "get 02:00:00:00:00:f1 dev gw42 -j"); !strings.Contains(got, `"state": "permanent"`) || !strings.Contains(got, `"self"`) {
		t.Errorf("gw fdb get -j: %s", got)
	}
	b.stop()
}
