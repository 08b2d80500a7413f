package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// Parse never panics, complains in one line, and reads back what it accepted.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "example.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, c := range bad {
		f.Add([]byte(c.text))
	}
	for _, c := range badVNI {
		f.Add([]byte("underlay: {iface: u, local: 10.9.9.9}\nvnis: " + c.text))
	}
	f.Add([]byte(`{"underlay": {"iface": "u"}, "remotes": ["10.0.0.1"], "vnis": [{"vni": 1, "device": null, "tunnel": {"ttl": 9}}]}`))
	f.Add([]byte("underlay: {iface: u}\nvnis: [{vni: 10-19, ports: [{name: a, vlan: 100-109}]}, {vni: 7, ports: [{name: a, vlan: untagged}, {name: b, vlan: drop}]}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		sameByBoth(t, text)
		c, err := Parse(text, "f")
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Fatalf("not one line: %q", err)
			}
			return
		}
		for name, marshal := range map[string]func(any) ([]byte, error){"yaml": yaml.Marshal, "json": json.Marshal} {
			again, err := marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Parse(again, name)
			if err != nil {
				t.Fatalf("%v in:\n%s", err, again)
			}
			if d := diff(c, got); d != "" {
				t.Fatalf("%s (-first +again):\n%s\n%s", name, d, again)
			}
		}
	})
}
