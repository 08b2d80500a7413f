package main

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"vxgw/config"
)

// settings are the flags that say what a gateway does. A flag wins over its variable in the environment, that over the file, and
// that over the default.
type settings struct {
	flags   config.Flags
	file    string
	options func(map[string]any) error // the tunnel's
	from    map[string]string          // what the flags that are given are called; after load
}

// add adds the flags to those of a command.
func (s *settings) add(f *pflag.FlagSet) {
	s.flags = config.DefaultFlags()
	flags := &s.flags
	f.Var(&once{text: &flags.Iface}, "iface", "underlay interface, which carries the VXLAN packets")
	f.UintSliceVar(&flags.VNIs, "vni", flags.VNIs, "VXLAN network identifier, 1-16777215; repeatable")
	f.Var(&once{text: &flags.Local}, "local", "outer source address, IPv4 or IPv6 (default: the interface's first global address)")
	f.Var(&once{text: &flags.Local6}, "local6", "outer source address over IPv6, beside one over IPv4 (default: as for --local)")
	f.UintVar(&flags.DstPort, "dstport", flags.DstPort, "UDP port of VXLAN")
	f.StringSliceVar(&flags.Remotes, "remote", flags.Remotes, "VTEP that gets a copy of every flooded frame; repeatable")
	f.StringSliceVar(&flags.Allow, "allow", flags.Allow, allowUsage)
	f.Var(&once{text: &flags.Group}, "group", "multicast group that flooded frames go to")
	f.StringSliceVar(&flags.Ports, "port", flags.Ports, "existing interface to bridge, or NAME:VLAN for VLAN 1-4094 or untagged of a trunk, or to keep, strip or drop tags; repeatable")
	f.Var(&once{text: &flags.Device}, "device", "name of the interface to make for this host (default gw<VNI> where no --port is given)")
	f.BoolVar(&flags.NoDevice, "no-device", false, "make no interface for this host, also where no --port is given")
	f.StringSliceVar(&flags.Addresses, "address", flags.Addresses, "address with prefix length for that interface; repeatable")
	f.UintVar(&flags.MTU, "mtu", flags.MTU, "MTU of that interface (default what the underlay's leaves, whatever that is at any time)")
	_, s.options = tunnelFlags(f)
	f.Var(&once{text: &flags.Mode}, "mode", "how to bind: auto, zerocopy, copy or generic")
	f.UintVar(&flags.Workers, "workers", flags.Workers, "threads that move frames (default half of the CPUs, at most one per queue of the underlay)")
	f.Var(&once{text: &flags.Poll}, "poll", "what a worker does with nothing to do: adaptive, busy or interrupt")
	f.Var(&once{text: &flags.CPUs}, "cpus", "CPUs for them, one on each, such as 2,4-7")
	f.Var(&once{text: &flags.Metrics}, "metrics", "address of /metrics for Prometheus and of a page to look at, empty for none")
	f.Var(&once{text: &flags.Control}, "control", "path of the API socket (default /run/gw/<iface>.sock)")
	f.Var(&once{text: &flags.ControlGroup}, "control-group", "group whose members may use the API (default that of the process)")
	f.StringVar(&flags.LogFormat, "log-format", flags.LogFormat, "auto, text or json")
	f.StringVar(&flags.LogLevel, "log-level", flags.LogLevel, "debug, info, warn or error")
	f.Var(&once{text: &s.file}, "config", "YAML or JSON file that describes everything, read again on SIGHUP; of the flags above only those beside it that are about no VNI and no tunnel")
}

// load makes the configuration of the flags, or of the file and those flags that go beside it. A second call reads the file again.
func (s *settings) load(f *pflag.FlagSet) (config.Explained, error) {
	// A script's empty variable must not quietly make a gateway without remotes.
	for _, name := range []string{"config", "local", "remote", "allow", "group", "port", "device", "address", "cpus", "control-group"} {
		if f := f.Lookup(name); f.Changed && strings.Trim(f.Value.String(), "[]") == "" {
			return config.Explained{}, usageError{fmt.Errorf("--%s is empty (give a value, or leave it out)", name)}
		}
	}
	if s.from == nil {
		var err error
		if s.from, err = takeEnvironment(f); err != nil {
			return config.Explained{}, err
		}
	}
	if s.file != "" {
		return s.loadFile(f)
	}
	s.flags.Tunnel = map[string]any{}
	if err := s.options(s.flags.Tunnel); err != nil {
		return config.Explained{}, usageError{err}
	}
	cfg, err := config.FromFlags(s.flags)
	return config.ExplainFlags(cfg, s.from), namedIn(err, s.from)
}

func (s *settings) loadFile(f *pflag.FlagSet) (config.Explained, error) {
	var over []config.Override
	var bad error
	f.VisitAll(func(flag *pflag.Flag) {
		from, given := s.from[flag.Name]
		if _, beside := config.FlagPath(flag.Name); !given || flag.Name == "config" {
			return
		} else if !beside && bad == nil {
			bad = usageError{fmt.Errorf("%s and %s do not go together (write it into the file)", s.from["config"], from)}
		}
		over = append(over, config.Override{Flag: flag.Name, Text: flag.Value.String(), From: from})
	})
	if bad != nil {
		return config.Explained{}, bad
	}
	return config.Explain(s.file, over...)
}
