package gateway

import (
	"fmt"
	"net/netip"

	"vxgw/config"
	"vxgw/dataplane"
	"vxgw/fdb"
)

// enter makes the entry k what it says, whatever it was.
func (g *Gateway) enter(k fdb.Key, d fdb.Dest, kind fdb.Kind, s state) error {
	return g.enterAt(k, d, kind, s, g.now())
}

// enterAt does so with the second in which the address was seen last.
func (g *Gateway) enterAt(k fdb.Key, d fdb.Dest, kind fdb.Kind, s state, seen uint32) error {
	old := g.plane.FDB.Lookup(k)
	if err := g.plane.FDB.Replace(k, d, kind, seen); err != nil {
		return err
	}
	g.unname(old)
	g.noteGiven(k, old, g.plane.FDB.Lookup(k), s)
	return nil
}

// noteGiven is given.change, after which others may be allowed to send.
func (g *Gateway) noteGiven(k fdb.Key, old, v fdb.Value, s state) {
	if i := k.Domain(); g.given.change(k, old, v, s) && int(i) < len(g.domains) && g.domains[i] != nil {
		g.steward.reallow(g.domains[i].cfg.VNI, g.domains[i])
	}
}

// keepDest returns what finds the destination of v again: the number of a remote that
// nothing names may have been given to another meanwhile.
func (g *Gateway) keepDest(v fdb.Value) func() (fdb.Dest, error) {
	dest := v.Dest()
	if !v.Found() || !dest.IsRemote() {
		return func() (fdb.Dest, error) { return dest, nil }
	}
	to := g.plane.Remotes.Endpoint(dest.Index())
	return func() (fdb.Dest, error) {
		n, err := g.remoteAt(to)
		return fdb.RemoteDest(n), err
	}
}

// endpoint is what a remote of a configuration is to workers.
func endpoint(r config.Remote) dataplane.Endpoint {
	return dataplane.Endpoint{Addr: r.Dst.Unmap(), Port: r.Port, VNI: r.VNI}
}

// remoteOf is the reverse.
func remoteOf(e dataplane.Endpoint) config.Remote {
	return config.Remote{Dst: e.Addr, Port: e.Port, VNI: e.VNI}
}

// remote numbers an address and has the way to it followed from now on.
func (g *Gateway) remote(addr netip.Addr) (uint32, error) {
	return g.remoteAt(dataplane.Endpoint{Addr: addr})
}

// remoteAt is remote for packets with a port or VNI of their own.
func (g *Gateway) remoteAt(e dataplane.Endpoint) (uint32, error) {
	if number, ok := g.plane.Remotes.FindEndpoint(e); ok && g.steward.watched[number] {
		return number, nil
	}
	number, err := g.plane.Remotes.AddEndpoint(e)
	if err == nil {
		err = g.follow(number, e.Addr)
	}
	if err != nil {
		return 0, fmt.Errorf("remote %s: %w", remoteOf(e), err)
	}
	g.steward.repath = true
	return number, nil
}

// follow has the way to the address of a number followed.
func (g *Gateway) follow(number uint32, addr netip.Addr) error {
	s := &g.steward
	if s.watched[number] {
		return nil
	}
	if err := g.mirror.Watch(addr); err != nil {
		return err
	}
	s.watched[number] = true
	s.followed[addr]++
	return nil
}

// unfollow is the reverse, for a number that is about to be given back.
func (s *steward) unfollow(number uint32, addr netip.Addr, unwatch func(netip.Addr)) {
	if !s.watched[number] {
		return
	}
	delete(s.watched, number)
	if s.followed[addr]--; s.followed[addr] == 0 {
		delete(s.followed, addr)
		unwatch(addr)
	}
}

// label is what users call a port: a device by the name of the host's side.
func (p *port) label() string {
	if p.pair != nil {
		return p.pair.Name
	}
	return p.info.Name
}
