package control

import "context"

// ReloadRequest is what POST /v1/reload takes.
type ReloadRequest struct {
	DryRun bool `json:"dry_run,omitempty"` // only say what would change, or why it would be refused
}

// Reloaded is what a reload has changed, or would.
type Reloaded struct {
	Summary string   `json:"summary"` // in one line
	Changes []string `json:"changes"` // a setting, or an element of a list, each: what goes begins with -, what comes with +, an order that changes with ~
}

// Reload has the gateway read its file again, or with dryRun only say what that would change. The error is a *Refused when it is refused,
// and then everything is as it was.
func (c *Client) Reload(ctx context.Context, dryRun bool) (Reloaded, error) {
	var r Reloaded
	return r, c.post(ctx, "reload", ReloadRequest{dryRun}, &r)
}

// reloadRoutes are those of gw reload.
func reloadRoutes() []Route {
	return []Route{post("/reload", "Reads the file again that the gateway was started with, as SIGHUP does: all of it comes into force, or it is refused and nothing changes. With `dry_run` nothing changes in any case.",
		`{"dry_run": true}`, Gateway.ReloadFile)}
}
