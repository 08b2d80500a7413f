package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// What the reader of JSON takes, the other one understands the same way; and it takes
// what files are made of.
func TestFastJSON(t *testing.T) {
	text, err := json.Marshal(example())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text string
		fast bool
	}{
		{string(text), true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1}]}`, true},
		{` { "remotes" : [ "10.0.0.1" ] , "underlay" : { "iface" : "u" } , "vnis" : [ { "vni" : 1 } , {"vni":2,"group":"224.1.1.1"},{"vni":3,"remotes":[]},{"vni":4,"remotes":null} ] } `, true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"device": null, "vni": 1, "tunnel": {"ttl": 9, "tos": "0xb8", "srcport": [1, 2]}, "ageing": "5m"}]}`, true},
		{`{"vnis": [{"vni": 1}], "underlay": {"iface": "u"}}`, true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "ports": ["a", {"name": "b", "isolated": true}, { "isolated" : false, "name": "c" }], "flood": false, "storm": {"multicast": 7}}]}`, true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "ports": [{"name": "b", "isolated": 1}]}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "ports": [{"name": "b", "vlan": 100, "tpid": "802.1ad"}, {"name": "c", "vlan": "strip"}]}, {"vni": 2, "ports": [{"name": "b", "vlan": "untagged", "tpid": "802.1ad"}]}]}`, true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "ports": [{"name": "b", "vlan": 4095}]}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "ports": [7]}]}`, false},
		{`{"underlay": {"iface": "u"}, "remotes": [{"dst": "10.0.0.1", "vni": 7}, "10.0.0.1"], "vnis": [{"vni": 1, "remotes": ["10.0.0.1", {"dst": "10.0.0.1", "port": 8472, "vni": 100}], "fdb": [{"mac": "02:00:00:00:00:01", "dst": "10.0.0.1", "port": 8472, "vni": 3}, {"mac": "02:00:00:00:00:02", "dst": "10.0.0.1", "port": "8472"}]}]}`, true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "remotes": [{"dst": "10.0.0.1", "via": "x"}]}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "allow": "remotes"}, {"vni": 2, "allow": ["10.0.0.1", "remotes", "10.1.0.0/16" ]}]}`, true},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "allow": null}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "allow": []}]}`, false},
		{`{"vnis": [{"vni": 1}], "remotes": ["10.0.0.1"], "underlay": {"iface": "u"}}`, false},
		{`{"underlay": {"iface": "\u0075"}, "vnis": [{"vni": 1}]}`, false},
		{`{underlay: {iface: u}, vnis: [{vni: 1}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "vni": 2}]}`, false},
		{`{"underlay": {"Iface": "u"}, "vnis": [{"vni": 1}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 01}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "tunnel": {"srcport": [1]}}]}`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1}]} x`, false},
		{`{"underlay": {"iface": "u"}, "vnis": [{"vni": 1, "remotes": ["10.0.0.1", "x"]}]}`, false},
	} {
		got := Default()
		if _, took := fast([]byte(c.text), &got); took != c.fast {
			t.Errorf("taken: %v, want %v: %s", took, c.fast, c.text)
		}
		sameByBoth(t, []byte(c.text))
	}
}

// sameByBoth holds the fast reader against the other one.
func sameByBoth(t *testing.T, text []byte) {
	t.Helper()
	got := Default()
	if bytes.ContainsAny(text, "\t") { // YAML has opinions about tabs
		return
	}
	if _, ok := fast(text, &got); !ok || got.check() != nil {
		return
	}
	want, _, err := parseYAML(text, "f", nil)
	if err != nil {
		t.Fatalf("only the fast reader takes %s: %v", text, err)
	}
	if d := diff(want, &got); d != "" {
		t.Fatalf("%s (-want +got):\n%s", text, d)
	}
}

// Equal lists of remotes share their memory, however a file says them.
func TestRemotesShared(t *testing.T) {
	const head = `{"underlay": {"iface": "u"}, `
	for _, text := range []string{
		head + `"remotes": ["10.0.0.1", "10.0.0.2"], "vnis": [{"vni": 1}, {"vni": 2}]}`,
		head + `"vnis": [{"vni": 1, "remotes": ["10.0.0.1", "10.0.0.2"]}, {"vni": 2, "remotes": ["10.0.0.1", "10.0.0.2"]}]}`,
		"underlay: {iface: u}\nremotes: [10.0.0.1, 10.0.0.2]\nvnis: [{vni: 1}, {vni: 2}]\n",
	} {
		c, err := Parse([]byte(text), "f")
		if err != nil {
			t.Fatal(err)
		}
		a, b := c.VNIs[0].Remotes, c.VNIs[1].Remotes
		if len(a) != 2 || !sameMemory(a, b) {
			t.Errorf("%v and %v in %s", a, b, text)
		}
	}
}

// The defaults of a file hold for VNIs that say nothing else.
func TestDefaultRemotes(t *testing.T) {
	c, err := Parse([]byte("vnis: [{vni: 1}, {vni: 2, group: 224.1.1.1}, {vni: 3, remotes: [10.0.0.9]}, {vni: 4, remotes: []}, {vni: 5, remotes: }]\nunderlay: {iface: u}\nremotes: [10.0.0.1]\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range c.VNIs {
		got = append(got, fmt.Sprint(v.Remotes))
	}
	if s := strings.Join(got, " "); s != "[10.0.0.1] [] [10.0.0.9] [] []" {
		t.Errorf("remotes %s", s)
	}
}

// A large file with a slip is refused by its place, and without the YAML parser.
func TestLargeJSON(t *testing.T) {
	vnis := strings.Repeat("\n"+`{"vni": 1, "remotes": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"]},`, largeJSON/80)
	for last, want := range map[string]string{
		`{"vni": 2, "prots": ["a"]}`: fmt.Sprintf("f:%d: near byte ", 2+largeJSON/80),
		`{"vni": 2}`:                 "f: vni 1 is given twice (join the two, or renumber one)",
	} {
		_, err := Parse([]byte(`{"underlay": {"iface": "u"}, "vnis": [`+vnis+"\n"+last+"]}"), "f")
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func BenchmarkFastJSON(b *testing.B) {
	c := example()
	c.VNIs = nil
	for i := range 100 {
		v := c.NewVNI(uint32(i + 1))
		for n := range 1000 {
			v.Remotes = append(v.Remotes, Remote{Dst: netip.AddrFrom4([4]byte{10, byte(i), byte(n / 250), byte(1 + n%250)})})
		}
		c.VNIs = append(c.VNIs, v)
	}
	text, err := json.Marshal(c)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		got := Default()
		if _, ok := fast(text, &got); !ok {
			b.Fatal("not taken")
		}
	}
}
