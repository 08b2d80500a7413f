package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"vxgw/config"
)

// floodingFlags gives gw vni add the flags that say what is flooded, and when an address
// is frozen. What they say is entered into v, an element of vnis in a file.
func floodingFlags(c *cobra.Command) (enter func(v map[string]any) error) {
	f := c.Flags()
	f.Bool("flood", true, "flood frames to unicast addresses that are not known")
	f.Bool("bcast-flood", true, "flood broadcast frames")
	f.Bool("mcast-flood", true, "flood multicast frames")
	var storm, moves []string
	f.StringSliceVar(&moves, "moves", nil, "freeze an address that moves so often: limit=N,within=180s,freeze=0s")
	f.StringSliceVar(&storm, "storm", nil, "frames flooded in a second at most, by class: broadcast=N,unknown=N,multicast=N")
	return func(v map[string]any) error {
		for _, name := range []string{"flood", "bcast-flood", "mcast-flood"} {
			if f.Changed(name) {
				v[strings.ReplaceAll(name, "-", "_")] = json.RawMessage(f.Lookup(name).Value.String())
			}
		}
		if f.Changed("moves") {
			m, err := movesFlag(moves)
			if err != nil {
				return err
			}
			v["moves"] = m
		}
		if !f.Changed("storm") {
			return nil
		}
		limits := map[string]uint32{}
		for _, s := range storm {
			class, number, ok := strings.Cut(s, "=")
			n, err := strconv.ParseUint(number, 10, 32)
			if _, twice := limits[class]; !ok || err != nil || twice {
				return fmt.Errorf("--storm %q is no limit (give broadcast=N, unknown=N, multicast=N, each once, in frames per second)", s)
			}
			limits[class] = uint32(n)
		}
		v["storm"] = limits
		return nil
	}
}

// floodingText lists the classes that v floods, with their limits.
func floodingText(v *config.VNI) string {
	var on []string
	for _, c := range []struct {
		name  string
		on    bool
		limit uint32
	}{
		{"broadcast", v.BcastFlood, v.Storm.Broadcast},
		{"unknown", v.Flood, v.Storm.Unknown},
		{"multicast", v.MCastFlood, v.Storm.Multicast},
	} {
		switch {
		case c.on && c.limit > 0:
			on = append(on, fmt.Sprintf("%s<=%d/s", c.name, c.limit))
		case c.on:
			on = append(on, c.name)
		}
	}
	switch text := strings.Join(on, ","); text {
	case "broadcast,unknown,multicast":
		return "all"
	case "":
		return "none"
	default:
		return text
	}
}
