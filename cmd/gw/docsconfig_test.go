package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"vxgw/config"
)

// TestDocConfigs wants every example of a configuration on the pages, a block or a few words of one, to be one that gw takes.
func TestDocConfigs(t *testing.T) {
	blocks, words := 0, 0
	for name, text := range pages(t) {
		if name == "reference.md" { // made from the settings themselves
			continue
		}
		for _, block := range configBlocks(text) {
			blocks++
			if _, err := config.Parse([]byte(wholeFile(block)), name); err != nil {
				t.Errorf("%v\n%s", err, block)
			}
		}
		for _, fragment := range configWords(text) {
			if reason := notMeantToBeValid[fragment]; reason != "" {
				continue
			}
			words++
			if _, err := config.Parse([]byte(wholeFile(inPlace(t, fragment))), name); err != nil {
				t.Errorf("%v\nof `%s`", err, fragment)
			}
		}
	}
	if blocks < 10 || words < 8 {
		t.Errorf("only %d blocks and %d fragments on all pages", blocks, words)
	}
}

// notMeantToBeValid are fragments with the reason why no file has them so.
var notMeantToBeValid = map[string]string{
	"dataplane: {frames: N}":   "N stands for a number",
	"dataplane: {workers: N}":  "N stands for a number",
	"dataplane: {poll: ...}":   "the values stand in the table below it",
	"device: {mtu: N}":         "N stands for a number",
	"device: {mtu, addresses}": "names of keys",
	"log: {level: LEVEL}":      "LEVEL stands for one of four",
	"metrics: {listen: ...}":   "the address stands beside it",
}

// TestDocConfigsFails wants wrong ones told from right ones.
func TestDocConfigsFails(t *testing.T) {
	page := "    vnis:\n      - {vni: 42, grup: 224.1.1.1}\n\n    # a comment\n    metrics: {listen: ''}\n    vnis:\n      - vni: 43\n        ports: [veth1]\n\n    gw status\n\n    {\"vnis\": [{\"vni\": 44}]}\n"
	blocks := configBlocks(page)
	if len(blocks) != 3 {
		t.Fatalf("%q", blocks)
	}
	for i, block := range blocks {
		if _, err := config.Parse([]byte(wholeFile(block)), "page"); (err == nil) != (i > 0) {
			t.Errorf("%s\n%v", block, err)
		}
	}
	found := configWords("`{name: eth1, vlan: 100}`, `moves: {limt: 5}` and `gw fdb`, `dataplane: {workers: 2}`")
	if len(found) != 3 {
		t.Fatalf("%q", found)
	}
	for i, fragment := range found {
		if _, err := config.Parse([]byte(wholeFile(inPlace(t, fragment))), "page"); (err == nil) != (i != 1) {
			t.Errorf("%s: %v", fragment, err)
		}
	}
}

// settingsIn are the keys of a file, of a VNI in one, and of a port.
func settingsIn(t *testing.T) (file, vni, port []string) {
	t.Helper()
	type schema struct {
		Properties map[string]schema
		Items      *schema
		AnyOf      []schema
	}
	var s schema
	text, err := config.Schema()
	must(t, err)
	must(t, json.Unmarshal(text, &s))
	keys := func(s schema) []string { return slices.Sorted(maps.Keys(s.Properties)) }
	domain := *s.Properties["vnis"].Items
	for _, kind := range domain.Properties["ports"].Items.AnyOf {
		port = append(port, keys(kind)...)
	}
	return keys(s), keys(domain), port
}

var (
	topKey   = regexp.MustCompile(`^([a-z]+):( |$)|^\{"`)
	fragment = regexp.MustCompile("`(([a-z_]+): [\\[{][^`]*|\\{[a-z]+: [^`]*)`")
)

// configBlocks are the files on a page: indented lines that begin with a key of a file, or JSON, up to the next one that is not indented
// further or begins with such a key.
func configBlocks(page string) (all []string) {
	var block []string
	end := func() {
		if len(block) > 0 {
			all = append(all, strings.Join(block, "\n"))
		}
		block = nil
	}
	for line := range strings.Lines(page) {
		code, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		switch {
		case !indented:
			end()
		case topKey.MatchString(code) || len(block) > 0 && strings.HasPrefix(code, " "):
			block = append(block, code)
		default:
			end()
		}
	}
	end()
	return slices.DeleteFunc(all, func(block string) bool {
		key, _, _ := strings.Cut(block, ":")
		return !strings.Contains(block, `"vnis"`) && !slices.Contains(topLevel, key)
	})
}

// comment is what YAML takes for one.
var comment = regexp.MustCompile(`(?m)(^| +)#.*$`)

// topLevel are the keys that a block may begin with.
var topLevel = []string{"underlay", "tunnel", "remotes", "dataplane", "vnis", "metrics", "control", "log"}

// configWords are the fragments of files within a page's text.
func configWords(page string) (all []string) {
	for _, m := range fragment.FindAllStringSubmatch(page, -1) {
		all = append(all, m[1])
	}
	return all
}

// inPlace puts a fragment where its first key belongs: into a port, a VNI or the file.
func inPlace(t *testing.T, fragment string) string {
	t.Helper()
	file, vni, port := settingsIn(t)
	key, _, _ := strings.Cut(strings.TrimPrefix(fragment, "{"), ":")
	switch inBraces := strings.HasPrefix(fragment, "{"); {
	case inBraces && slices.Contains(port, key):
		return fmt.Sprintf("vnis: [{vni: 42, ports: [%s]}]", fragment)
	case inBraces && slices.Contains(vni, key):
		return fmt.Sprintf("vnis: [%s]", fragment)
	case slices.Contains(file, key):
		return fragment
	case slices.Contains(vni, key):
		return fmt.Sprintf("vnis: [{vni: 42, %s}]", fragment)
	}
	t.Errorf("`%s`: no file, VNI or port has %s", fragment, key)
	return ""
}

// wholeFile gives an example what a file has to have besides: the underlay's name, and a VNI.
func wholeFile(block string) string {
	block = comment.ReplaceAllString(block, "")
	if strings.HasPrefix(block, "{") {
		return strings.Replace(block, "{", `{"underlay": {"iface": "ens18"}, `, 1)
	}
	switch {
	case !strings.Contains(block, "underlay:"):
		block = "underlay: {iface: ens18}\n" + block
	case !strings.Contains(block, "iface:"):
		block = strings.Replace(block, "underlay: {", "underlay: {iface: ens18, ", 1)
	}
	if !strings.Contains(block, "vnis:") {
		block += "\nvnis: [{vni: 42}]"
	}
	return block
}
