package control

import (
	"context"
	"fmt"
)

// neighRoutes are those of gw neigh.
func neighRoutes() []Route {
	entry := `{"dst": "172.17.1.9", "lladdr": "02:57:a7:1c:00:01", "dev": "gw42"}`
	change := func(name, doc, sample string) Route {
		return verb("/neigh/"+name, doc, sample, func(g Gateway, c NeighChange) error {
			if err := c.Check(name); err != nil {
				return Invalid{fmt.Errorf("neigh %s: %w", name, err)}
			}
			return g.ChangeNeighbour(name, c)
		})
	}
	return []Route{
		get("/neigh", "Lists the neighbours that are answered for, of all VNIs with `neigh_suppress`.", func(g Gateway) ([]Neighbour, error) {
			return g.Neighbours(NeighFilter{})
		}),
		post("/neigh/show", "Lists those that the body chooses.", `{"dev": "gw42"}`, Gateway.Neighbours),
		change("add", "Enters at which MAC address an IP address is, unless there is an entry.", entry),
		change("replace", "Enters it, whatever was there.", entry),
		change("del", "Deletes an entry.", `{"dst": "172.17.1.9", "dev": "gw42"}`),
		post("/neigh/flush", "Deletes the entries that the body chooses; permanent ones and those of a control plane only where `state` names them.", `{"dev": "gw42"}`,
			func(g Gateway, f NeighFilter) (Flushed, error) {
				n, err := g.FlushNeighbours(f)
				return Flushed{n}, err
			}),
	}
}

// Neighbours returns the entries that f chooses.
func (c *Client) Neighbours(ctx context.Context, f NeighFilter) ([]Neighbour, error) {
	var all []Neighbour
	return all, c.post(ctx, "neigh/show", f, &all)
}

// ChangeNeighbour carries out add, replace or del. The error is a *Refused when the gateway does not do it.
func (c *Client) ChangeNeighbour(ctx context.Context, verb string, change NeighChange) error {
	return c.post(ctx, "neigh/"+verb, change, &Done{})
}

// FlushNeighbours takes the entries away that f chooses and returns their number.
func (c *Client) FlushNeighbours(ctx context.Context, f NeighFilter) (removed int, err error) {
	var flushed Flushed
	err = c.post(ctx, "neigh/flush", f, &flushed)
	return flushed.Removed, err
}
