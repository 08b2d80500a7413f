package control

import "encoding/json"

// Version is what answers.
type Version struct {
	API     string `json:"api"`     // v1
	Version string `json:"version"` // the build of the gateway
}

// Configuration is what a gateway is told.
type Configuration struct {
	Config  json.RawMessage   `json:"config"`  // as a file would say it
	Origins map[string]string `json:"origins"` // of settings by path, such as underlay.iface or vnis[0].ttl: FILE:LINE, a flag, a variable of the environment, or "changed at run time"; the others are defaults
}

// aboutRoutes are about the gateway as a whole.
func aboutRoutes() []Route {
	return []Route{
		get("/version", "Says which API this is, and which build answers.", func(g Gateway) (Version, error) {
			return Version{API, g.Version()}, nil
		}),
		get("/config", "Answers the configuration in force, and where each setting came from: what `gw config show` prints.", func(g Gateway) (Configuration, error) {
			return g.Config()
		}),
		get("/status", "Describes the gateway as it is now: what `gw status -j` prints.", func(g Gateway) (Status, error) {
			return g.Status(), nil
		}),
	}
}
