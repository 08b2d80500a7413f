package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

// Override is a setting that is given beside a file, and wins over what stands there. Only settings of the whole file can be
// given so: flagPaths of a VNI cannot say which one is meant.
type Override struct {
	Flag string // its name, without dashes
	Text string
	From string // how errors call it: --iface or GW_IFACE
}

// flagPaths are the settings that flags are for.
var flagPaths = map[string]string{
	"iface": "underlay.iface", "local": "underlay.local", "local6": "underlay.local6", "dstport": "underlay.dstport", "mode": "underlay.mode",
	"workers": "dataplane.workers", "poll": "dataplane.poll", "cpus": "dataplane.cpus",
	"metrics": "metrics.listen", "control": "control.path", "control-group": "control.group",
	"log-format": "log.format", "log-level": "log.level",

	"vni": "vnis[].vni", "remote": "vnis[].remotes", "allow": "vnis[].allow", "group": "vnis[].group", "port": "vnis[].ports",
	"device": "vnis[].device.name", "no-device": "vnis[].device", "address": "vnis[].device.addresses", "mtu": "vnis[].device.mtu",
}

// FlagPath is the setting that a flag is for, and whether the flag can stand beside a file. Those of the tunnel's options have the names of
// their keys, with - for _.
func FlagPath(flag string) (path string, beside bool) {
	if path = flagPaths[flag]; path == "" {
		path = "tunnel." + strings.ReplaceAll(flag, "-", "_")
	}
	return path, !strings.HasPrefix(path, "vnis[]") && !strings.HasPrefix(path, "tunnel.")
}

// overrides are those of one file.
type overrides []Override

// apply writes them into c.
func (all overrides) apply(c *Config) error {
	for _, o := range all {
		path, _ := FlagPath(o.Flag)
		if err := setPath(reflect.ValueOf(c).Elem(), path, o.Text); err != nil {
			return &Error{Problem: fmt.Sprintf("%s: %v", o.From, err)}
		}
	}
	return nil
}

// blame says that a problem is one of them, if it is.
func (all overrides) blame(p *problem) (*Error, bool) {
	for _, o := range all {
		if path, _ := FlagPath(o.Flag); path == p.path {
			return &Error{Problem: o.From + ": " + p.text}, true
		}
	}
	return nil, false
}

// setPath writes text into the setting of a section.
func setPath(section reflect.Value, path, text string) error {
	key, rest, more := strings.Cut(path, ".")
	field := section.Field(fieldOf(section.Type(), key))
	if more {
		return setPath(field, rest, text)
	}
	if into, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return unmarshal(into, text)
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	default: // a whole number
		most := uint64(1)<<field.Type().Bits() - 1
		n, err := parseUint(text, most)
		if err != nil {
			return fmt.Errorf("%s is no whole number (give 0-%d)", show(text), most)
		}
		field.SetUint(n)
	}
	return nil
}
