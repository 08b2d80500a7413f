package gateway

import (
	"fmt"
	"net/netip"

	"vxgw/fdb"
)

// enter makes the entry k what it says, whatever it was.
func (g *Gateway) enter(k fdb.Key, d fdb.Dest, kind fdb.Kind, s state) error {
	old := g.plane.FDB.Lookup(k)
	if err := g.plane.FDB.Replace(k, d, kind, g.now()); err != nil {
		return err
	}
	g.unname(old)
	g.given.change(k, old, g.plane.FDB.Lookup(k), s)
	return nil
}

// keepDest returns what finds the destination of v again: the number of a remote that
// nothing names may have been given to another meanwhile.
func (g *Gateway) keepDest(v fdb.Value) func() (fdb.Dest, error) {
	dest := v.Dest()
	if !v.Found() || !dest.IsRemote() {
		return func() (fdb.Dest, error) { return dest, nil }
	}
	addr := g.plane.Remotes.Addr(dest.Index())
	return func() (fdb.Dest, error) {
		n, err := g.remote(addr)
		return fdb.RemoteDest(n), err
	}
}

// remote numbers an address and has the way to it followed from now on.
func (g *Gateway) remote(addr netip.Addr) (uint32, error) {
	if number, ok := g.plane.Remotes.Find(addr); ok && g.steward.watched[number] {
		return number, nil
	}
	number, err := g.plane.Remotes.Add(addr)
	if err != nil {
		return 0, fmt.Errorf("remote %s: %w", addr, err)
	}
	if err := g.mirror.Watch(addr); err != nil {
		return 0, fmt.Errorf("remote %s: %w", addr, err)
	}
	g.steward.watched[number] = true
	g.steward.repath = true
	return number, nil
}

// label is what users call a port: a device by the name of the host's side.
func (p *port) label() string {
	if p.pair != nil {
		return p.pair.Name
	}
	return p.info.Name
}
