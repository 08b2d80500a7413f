package main

import (
	"encoding/json"
	"strings"

	"github.com/spf13/cobra"

	"vxgw/config"
)

// neighFlags gives gw vni add the flags of ARP and ND suppression. What they say is entered into v, an element of vnis in a file.
func neighFlags(c *cobra.Command) (enter func(v map[string]any)) {
	f := c.Flags()
	f.Bool("neigh-suppress", false, "answer ARP and ND on behalf of hosts behind tunnels, and keep questions from tunnels")
	f.Bool("neigh-forward-grat", true, "let announcements (gratuitous ARP and the like) into tunnels all the same")
	f.String("neigh-ageing", "", "how long a neighbour that was seen is answered for (default 300s), 0s for ever")
	f.Uint32("maxneigh", 0, "most neighbours that are learned, 0 for no limit (default 8192)")
	return func(v map[string]any) {
		for _, name := range []string{"neigh-suppress", "neigh-forward-grat", "maxneigh"} {
			if f.Changed(name) {
				v[strings.ReplaceAll(name, "-", "_")] = json.RawMessage(f.Lookup(name).Value.String())
			}
		}
		if f.Changed("neigh-ageing") {
			v["neigh_ageing"] = f.Lookup("neigh-ageing").Value.String()
		}
	}
}

// neighText says what becomes of questions for neighbours: suppressed, announcements too, or flooded.
func neighText(v *config.VNI) string {
	switch {
	case !v.NeighSuppress:
		return "flood"
	case v.NeighForwardGrat:
		return "suppress"
	}
	return "suppress,announcements"
}
