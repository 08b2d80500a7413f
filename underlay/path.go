package underlay

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// State says how a remote can be reached.
type State uint8

const (
	// Resolving: no usable neighbour yet; send through the kernel ([Raw]), which queues and resolves.
	Resolving State = iota
	// Direct: DstMAC is usable, frames may leave through a ring.
	Direct
	// Failed: the next hop does not answer. The kernel goes on asking every few seconds.
	Failed
	// NoRoute: the kernel has no way to the remote through the underlay interface.
	NoRoute
	// LinkDown: the underlay interface is gone, set down or without carrier.
	LinkDown
)

// String returns the state in the words of the command line: resolving, direct, failed, no-route, link-down.
func (s State) String() string {
	switch s {
	case Resolving:
		return "resolving"
	case Direct:
		return "direct"
	case Failed:
		return "failed"
	case NoRoute:
		return "no-route"
	case LinkDown:
		return "link-down"
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Path is the way to one remote or multicast group. It is a value; == compares.
type Path struct {
	Remote  netip.Addr
	State   State
	Gateway netip.Addr // the router; the zero Addr when the remote is on the link
	NextHop netip.Addr // whose MAC it is: Gateway, or Remote; the zero Addr for a group and without a route
	DstMAC  [6]byte    // valid while Direct, else zero
	MTU     int        // largest outer IP packet in bytes: the path's, the route's or the link's; 0 without a route
	Reason  string     // why it is not Direct, for people; empty when it is
}

// route is what the kernel's routing says about one remote.
type route struct {
	known   bool // asked at least once
	kind    uint8
	gateway netip.Addr
	mtu     int  // 0: the link's
	assumed bool // no entry in any table: the kernel takes the remote to be on the link
	err     string
}

// lookup asks for the route from the link's source to dst. It costs a second request where the answer is no gateway:
// there the kernel may have made up that dst is on the link, also against a route that forbids to send at all.
func (c *conn) lookup(link Link, ifindex int, dst netip.Addr) route {
	if link.NoSource != "" {
		return route{known: true, err: link.NoSource}
	}
	m, err := c.route(ifindex, link.Source, dst, false)
	if err != nil {
		return route{known: true, err: routeError(link, dst, err)}
	}
	r := route{known: true, kind: m.kind, gateway: m.gateway, mtu: m.mtu}
	if m.kind == unix.RTN_UNICAST && !m.gateway.IsValid() {
		_, err := c.route(ifindex, link.Source, dst, true)
		r.assumed = errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH)
	}
	if r.assumed {
		_, err := c.route(0, link.Source, dst, false)
		for errno, name := range forbidding {
			if errors.Is(err, errno) {
				return route{known: true, err: routeError(link, dst, name)}
			}
		}
	}
	return r
}

// forbidding are the kinds of routes that forbid to send, by what a lookup for any interface answers to them
// (net/ipv4/fib_semantics.c, fib_props). Without any route it is ENETUNREACH.
var forbidding = map[unix.Errno]error{
	unix.EINVAL:       errors.New("the route is a blackhole"),
	unix.EHOSTUNREACH: errors.New("the route is of type unreachable"),
	unix.EACCES:       errors.New("the route is of type prohibit"),
}

// routeError puts a refused route lookup into a sentence for people.
func routeError(link Link, dst netip.Addr, err error) string {
	if errno := unix.Errno(0); errors.As(err, &errno) {
		err = errno // without the kernel's remarks
	}
	return fmt.Sprintf("no route to %s from %s through %s: %v (ip route get %s from %s oif %s)", dst, link.Source, link.Name, err, dst, link.Source, link.Name)
}

// nextHop returns whose MAC a packet to remote needs, or the zero Addr when it needs none or there is no way.
func (r route) nextHop(remote netip.Addr) netip.Addr {
	switch {
	case !r.known, r.err != "", r.kind != unix.RTN_UNICAST, remote.IsMulticast():
		return netip.Addr{}
	case !r.gateway.IsValid():
		return remote
	case r.gateway.Is4():
		return r.gateway
	}
	return netip.Addr{}
}

// pathOf puts link, route and neighbour together. n matters only where the route has a next hop; trouble is
// why the neighbour could not be asked, or empty.
func pathOf(link Link, remote netip.Addr, r route, n neighbour, trouble string) Path {
	p := Path{Remote: remote}
	switch {
	case link.Gone:
		p.State, p.Reason = LinkDown, link.Name+" is gone"
		return p
	case !link.Up:
		p.State, p.Reason = LinkDown, link.downReason()
		return p
	case !r.known:
		p.Reason = "route not looked up yet"
		return p
	case link.NoSource != "":
		p.State, p.Reason = NoRoute, link.NoSource
		return p
	case remote.IsMulticast():
		p.State, p.MTU, p.DstMAC = Direct, pathMTU(link, r), groupMAC(remote)
		return p
	}
	p.NextHop = r.nextHop(remote)
	if !p.NextHop.IsValid() {
		p.State, p.Reason = NoRoute, r.refusal(remote)
		return p
	}
	p.Gateway, p.MTU = r.gateway, pathMTU(link, r)
	switch {
	case n.usable():
		p.State, p.DstMAC = Direct, n.mac
	case trouble != "":
		p.Reason = trouble
	case n.present && n.state&unix.NUD_FAILED == 0 || !n.present:
		p.Reason = fmt.Sprintf("waiting for %s to answer ARP on %s", p.NextHop, link.Name)
	case r.assumed:
		p.State = NoRoute
		p.Reason = fmt.Sprintf("no route to %s through %s, and nobody on the link answers ARP for it (ip route add %s via GATEWAY dev %s)", remote, link.Name, remote, link.Name)
	case p.Gateway.IsValid():
		p.State, p.Reason = Failed, fmt.Sprintf("gateway %s does not answer ARP on %s", p.Gateway, link.Name)
	default:
		p.State, p.Reason = Failed, fmt.Sprintf("%s does not answer ARP on %s", remote, link.Name)
	}
	return p
}

// refusal says why a route leads nowhere.
func (r route) refusal(remote netip.Addr) string {
	switch {
	case r.err != "":
		return r.err
	case r.kind == unix.RTN_LOCAL:
		return fmt.Sprintf("%s is an address of this host", remote)
	case r.kind == unix.RTN_BROADCAST:
		return fmt.Sprintf("%s is a broadcast address", remote)
	case r.gateway.Is6():
		return fmt.Sprintf("the route to %s goes through %s: %v", remote, r.gateway, errIPv6)
	}
	return fmt.Sprintf("the route to %s is of type %d, not unicast", remote, r.kind)
}

// pathMTU is the route's MTU, a learned path MTU included, where it is below the link's.
func pathMTU(link Link, r route) int {
	if r.mtu > 0 && r.mtu < link.MTU {
		return r.mtu
	}
	return link.MTU
}

// groupMAC maps an IPv4 group to its Ethernet address (RFC 1112 section 6.4).
func groupMAC(group netip.Addr) [6]byte {
	a := group.As4()
	return [6]byte{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
}
