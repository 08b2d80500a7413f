package control

import (
	"context"
	"fmt"
	"net/http"
)

// neighbours answers GET /v1/neigh with all entries, and POST /v1/neigh/{verb}: show and flush with a NeighFilter for a body, add,
// replace and del with a NeighChange.
func neighbours(mux *http.ServeMux, g Gateway) {
	mux.HandleFunc("GET /v1/neigh", func(w http.ResponseWriter, _ *http.Request) {
		all, _ := g.Neighbours(NeighFilter{}) // which names nothing that may be missing
		answer(w, all)
	})
	mux.HandleFunc("POST /v1/neigh/show", func(w http.ResponseWriter, r *http.Request) {
		filtered(w, r, "show", func(f NeighFilter) (any, error) { return g.Neighbours(f) })
	})
	mux.HandleFunc("POST /v1/neigh/flush", func(w http.ResponseWriter, r *http.Request) {
		filtered(w, r, "flush", func(f NeighFilter) (any, error) {
			n, err := g.FlushNeighbours(f)
			return Flushed{n}, err
		})
	})
	mux.HandleFunc("POST /v1/neigh/{verb}", func(w http.ResponseWriter, r *http.Request) {
		verb := r.PathValue("verb")
		var c NeighChange
		err := read(w, r, &c)
		if err == nil {
			err = c.Check(verb)
		}
		if err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("neigh %s: %w", verb, err))
			return
		}
		if err := g.ChangeNeighbour(verb, c); err != nil {
			refuse(w, statusOf(err), err)
			return
		}
		answer(w, Done{})
	})
}

// filtered answers a request that has a NeighFilter.
func filtered(w http.ResponseWriter, r *http.Request, verb string, do func(NeighFilter) (any, error)) {
	var f NeighFilter
	if err := read(w, r, &f); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Errorf("neigh %s: %w", verb, err))
		return
	}
	out, err := do(f)
	if err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	answer(w, out)
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
