package config

import (
	"bytes"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Every setting is described, and nothing else is.
func TestSettings(t *testing.T) {
	have := map[string]bool{}
	for _, s := range Settings() {
		if s.Doc == "" || s.Value == "" {
			t.Errorf("%s: nothing is said of it (write a doc comment, and run make generate)", s.Key)
		}
		have[s.Key] = true
	}
	for _, key := range []string{"underlay.iface", "tunnel.ttl", "remotes[]", "vnis[].device.addresses[]", "vnis[].ports[].isolated", "vnis[].fdb[].mac", "log.level"} {
		if !have[key] {
			t.Errorf("%s is missing", key)
		}
	}
	var fields []string
	for key := range descriptions {
		if strings.Contains(key, ".") {
			fields = append(fields, key)
		}
	}
	slices.Sort(fields)
	if diff := cmp.Diff(fields, slices.Sorted(maps.Keys(kernelWords))); diff != "" {
		t.Errorf("fields of the schema (-) are not those of kernelWords (+):\n%s", diff)
	}
}

// The schema takes the example, which has every key, and refuses what is wrong by itself.
func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("gw.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("gw.json")
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("testdata/example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(fromYAML(t, file)); err != nil {
		t.Errorf("the example is refused: %v", err)
	}
	for name, bad := range map[string]string{
		"an unknown key": "{underlay: {iface: a, mtu: 5}, vnis: []}",
		"a wrong type":   "{underlay: {iface: a}, vnis: [{vni: x}]}",
		"a wrong word":   "{underlay: {iface: a}, tunnel: {df: maybe}, vnis: []}",
		"too much":       "{underlay: {iface: a, dstport: 70000}, vnis: []}",
		"nothing":        "{}",
	} {
		if schema.Validate(fromYAML(t, []byte(bad))) == nil {
			t.Errorf("%s is accepted: %s", name, bad)
		}
	}
}

// fromYAML is a file as a schema's judge wants to see it.
func fromYAML(t *testing.T, text []byte) any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return v
}
