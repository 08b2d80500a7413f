package gateway

import (
	"fmt"

	"vxgw/control"
	"vxgw/fdb"
)

// flushStep is how many entries the steward takes away before it looks after other
// things again: well below a millisecond.
const flushStep = 1024

// FlushFDB takes away the entries that f chooses, which names a VNI or a port as dev,
// and returns their number. The flood list stays, and so do the devices' own
// addresses.
func (g *Gateway) FlushFDB(f control.FDBFilter) (int, error) {
	n, err := g.flush(f)
	if err != nil {
		return n, fmt.Errorf("fdb flush: %w", err)
	}
	return n, nil
}

func (g *Gateway) flush(f control.FDBFilter) (removed int, err error) {
	chosen, err := g.choose(f)
	if err != nil {
		return 0, err
	}
	return g.leaveAll(chosen)
}

// leaveAll takes entries away that are still where they were.
func (g *Gateway) leaveAll(chosen []chosenEntry) (removed int, err error) {
	for len(chosen) > 0 && err == nil {
		step := chosen[:min(flushStep, len(chosen))]
		chosen = chosen[len(step):]
		err = g.order(func() (bool, error) {
			for _, c := range step {
				if g.same(c) && g.leave(c.key, c.value) == nil {
					removed++
				}
			}
			return false, nil
		})
	}
	return removed, err
}

// chosenEntry is an entry as the walk found it.
type chosenEntry struct {
	key   fdb.Key
	value fdb.Value
}

// same says whether the entry is still where it was.
func (g *Gateway) same(c chosenEntry) bool {
	now := g.plane.FDB.Lookup(c.key)
	return now.Found() && now.Dest() == c.value.Dest() && now.Kind() == c.value.Kind()
}

// choose walks the table, which may take long, so the steward does not do it.
func (g *Gateway) choose(f control.FDBFilter) (chosen []chosenEntry, err error) {
	g.asking.RLock()
	defer g.asking.RUnlock()
	if g.ended {
		return nil, errStopping
	}
	f.Dev, f.Brport = g.configured(f.Dev), g.configured(f.Brport)
	domains, err := g.namedAll(f.Dev, f.VLAN)
	if err != nil {
		return nil, err
	}
	if f.Dev == domains[0].cfg.DomainName() { // tunnel and bridge in one
		f.Br, f.Dev = f.Dev, ""
	}
	v := g.view()
	own := map[uint16]fdb.Key{}
	for _, d := range domains {
		own[d.index] = fdb.MakeKey(d.index, 0)
		for _, p := range d.ports {
			if p.pair != nil {
				own[d.index] = fdb.MakeKey(d.index, p.mac.Load())
			}
		}
	}
	g.plane.FDB.Range(func(k fdb.Key, value fdb.Value) bool {
		if device, chosen := own[k.Domain()]; !chosen || k == device || !v.knows(k, value.Dest()) {
			return true
		}
		if e := v.entry(k, value); f.Match(&e, g.cfg.Underlay.DstPort) {
			chosen = append(chosen, chosenEntry{k, value})
		}
		return true
	})
	return chosen, nil
}
