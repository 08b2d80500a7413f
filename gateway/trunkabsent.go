package gateway

import (
	"errors"
	"fmt"
	"slices"

	"vxgw/netdev"
)

// restoreTrunk opens absent VLANs of a trunk if that is there again, all at once, and
// reports whether there is nothing to complain of.
func (g *Gateway) restoreTrunk(name string, absent []*absence) (well bool) {
	if _, err := netdev.Lookup(name); errors.As(err, new(*netdev.NotFoundError)) {
		for _, a := range absent {
			g.explain(a, "")
		}
		return true
	}
	t, err := g.holdTrunk(name)
	if err != nil {
		for _, a := range absent {
			g.explain(a, fmt.Sprintf("port %s: %v", name, err))
		}
		return false
	}
	defer func() {
		if err := g.releaseTrunk(t); err != nil { // it closes if none of them could be opened
			g.log.Warn("a trunk could not be closed", "port", name, "err", err)
		}
	}()
	all := make([]member, len(absent))
	for i, a := range absent {
		all[i] = a.member
	}
	err = g.reopen(all)
	vnis := 0
	for _, a := range absent {
		if slices.ContainsFunc(a.d.ports, func(p *port) bool { return a.same(p.member()) }) {
			vnis++
		} else if err != nil {
			g.explain(a, err.Error())
		}
	}
	if vnis > 0 {
		g.awaitCarrier(g.builder.stop, []*iface{t.iface}, carrierPatience)
		g.log.Info("the port is back", "port", name, "vnis", vnis)
	}
	return err == nil
}
