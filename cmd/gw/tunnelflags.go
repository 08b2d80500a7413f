package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// tunnelOptions are the keys of a file's tunnel section that commands have as flags, with what
// they say of themselves. A key's _ is a - in its flag.
var tunnelOptions = []struct{ key, usage string }{
	{"ttl", "outer TTL: 1-255, auto (64; 1 to a group) or inherit"},
	{"tos", "outer TOS: 0-255 or inherit; its ECN bits are always the inner packet's"},
	{"df", "outer don't-fragment bit: unset, set or inherit"},
	{"udpcsum", "fill the outer UDP checksum in over IPv4: true or false"},
	{"udp6zerocsumtx", "leave it out over IPv6: true or false"},
	{"udp6zerocsumrx", "take packets without it over IPv6: true or false"},
	{"flowlabel", "outer flow label over IPv6: a number, inherit or auto"},
	{"udpcsumrx", "wrong UDP checksums of received packets: verify or ignore"},
	{"reserved_bits", "reserved bits in the VXLAN header of received packets: ignore, strict or the bits that drop one"},
	{"srcport", "range of outer source ports, such as 49152-65535"},
}

// tunnelFlags adds the flags of the tunnel's options. What is given of them is entered into
// tunnel, a tunnel section of a file; their names are in names.
func tunnelFlags(f *pflag.FlagSet) (names []string, enter func(tunnel map[string]any) error) {
	given := map[string]*once{}
	for _, o := range tunnelOptions {
		name, text := strings.ReplaceAll(o.key, "_", "-"), new(string)
		given[name] = &once{text: text}
		f.Var(given[name], name, o.usage)
		if isBool(o.key) {
			f.Lookup(name).NoOptDefVal = "true"
		}
		names = append(names, name)
	}
	return names, func(tunnel map[string]any) error {
		for _, o := range tunnelOptions {
			text := given[strings.ReplaceAll(o.key, "_", "-")]
			if !text.set {
				continue
			}
			value, err := tunnelValue(o.key, *text.text)
			if err != nil {
				return err
			}
			tunnel[o.key] = value
		}
		return nil
	}
}

// tunnelValue is a flag's text as a file has it.
func tunnelValue(key, text string) (any, error) {
	switch {
	case isBool(key):
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("--%s=%q is not true or false", key, text)
		}
		return json.RawMessage(text), nil
	case key == "srcport":
		low, high, ok := strings.Cut(text, "-")
		if !ok || !digits(low) || !digits(high) {
			return nil, fmt.Errorf("--srcport %q is no range (give one like 49152-65535)", text)
		}
		return []json.Number{json.Number(low), json.Number(high)}, nil
	}
	return text, nil
}

func isBool(key string) bool {
	return key == "udpcsum" || key == "udp6zerocsumtx" || key == "udp6zerocsumrx"
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
