package control

// Version is what answers.
type Version struct {
	API     string `json:"api"`     // v1
	Version string `json:"version"` // the build of the gateway
}

// aboutRoutes are about the gateway as a whole.
func aboutRoutes() []Route {
	return []Route{
		get("/version", "Says which API this is, and which build answers.", func(g Gateway) (Version, error) {
			return Version{API, g.Version()}, nil
		}),
		get("/status", "Describes the gateway as it is now: what `gw status -j` prints.", func(g Gateway) (Status, error) {
			return g.Status(), nil
		}),
	}
}
