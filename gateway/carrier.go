package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Many drivers reset their NIC when an XDP program comes or goes, and the link with it: igb's
// carrier is away for two seconds. Frames can flow when it is back.

const (
	// carrierPatience is how long a link may take. Negotiating with a switch takes up to five seconds.
	carrierPatience = 10 * time.Second
	carrierPause    = 10 * time.Millisecond
)

// carrying reports whether an interface carries frames now: it is set up, has a carrier, and the
// kernel has acted upon that. There is nothing to wait for from one that has gone.
func carrying(ifindex int) (carries, gone bool) {
	const need = unix.IFF_UP | unix.IFF_LOWER_UP | unix.IFF_RUNNING
	l, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return false, errors.As(err, &netlink.LinkNotFoundError{})
	}
	return l.Attrs().RawFlags&need == need, false
}

// AwaitCarrier returns when frames can flow wherever they could before the gateway attached its
// programs, when that has taken too long, which is logged, or when ctx ends. Links that were
// down before are not waited for. Call it once, after Start.
func (g *Gateway) AwaitCarrier(ctx context.Context) {
	g.asking.RLock()
	all := append(ifaces(g.ports), g.wire)
	g.asking.RUnlock()
	g.awaitCarrier(ctx.Done(), all, carrierPatience)
}

// ifaces are those of open ports; nil ones are left out.
func ifaces(ports []*port) (all []*iface) {
	seen := map[*iface]bool{}
	for _, p := range ports {
		if p != nil && !seen[p.iface] { // those of a trunk share it
			seen[p.iface] = true
			all = append(all, p.iface)
		}
	}
	return all
}

// awaitCarrier is AwaitCarrier for some interfaces, until stop is closed.
func (g *Gateway) awaitCarrier(stop <-chan struct{}, all []*iface, patience time.Duration) {
	begin, told := time.Now(), false
	for {
		var waiting []*iface
		for _, f := range all {
			if carries, gone := carrying(f.info.Index); f.carried && !gone && !(carries && g.sees(f)) {
				waiting = append(waiting, f)
			}
		}
		all = waiting
		switch {
		case len(all) == 0:
			return
		case time.Since(begin) > patience:
			for _, f := range all {
				g.log.Warn("the link has had no carrier since XDP was attached: no frames flow there", "iface", f.info.Name,
					"waited", patience, "cure", fmt.Sprintf("look at the cable and the other end: ethtool %s", f.info.Name))
			}
			return
		case !told && time.Since(begin) > 10*carrierPause:
			told = true
			for _, f := range all {
				g.log.Info("waiting for the carrier: the driver resets the link for XDP", "iface", f.info.Name, "driver", f.info.Driver)
			}
		}
		select {
		case <-stop:
			return
		case <-time.After(carrierPause):
		}
	}
}

// sees reports whether workers send to an interface: they go by the snapshot.
func (g *Gateway) sees(f *iface) bool {
	s := g.plane.Snapshot()
	if f == g.wire {
		return s.Underlay
	}
	port := f.queues[0].Port
	return port < uint32(len(s.Ports)) && s.Ports[port] != nil && s.Ports[port].Up
}
