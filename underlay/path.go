package underlay

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

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
	Until   time.Time  // when that is thought no more, where a router has told it; else the zero Time
	Reason  string     // why it is not Direct, for people; empty when it is

	locked bool // no router is believed about MTU
}

// route is what the kernel's routing says about one remote.
type route struct {
	known   bool // asked at least once
	kind    uint8
	gateway netip.Addr
	mtu     int       // 0: the link's
	locked  bool      // nobody may tell that it is less
	until   time.Time // when it is forgotten; of one that was told
	assumed bool      // no entry in any table: the kernel takes the remote to be on the link
	err     string
}

// lookup asks for the route from the link's source to dst. It costs a second request where the answer is no gateway:
// there the kernel may have made up that dst is on the link, also against a route that forbids to send at all.
func (c *conn) lookup(link Link, ifindex int, dst netip.Addr) route {
	source, why := link.Sources.Pick(dst)
	if why != "" {
		return route{known: true, err: why}
	}
	if dst.Is6() {
		return c.lookup6(link, ifindex, source, dst)
	}
	m, err := c.route(ifindex, source, dst, false)
	if err != nil {
		return route{known: true, err: routeError(link, dst, err)}
	}
	r := route{known: true, kind: m.kind, gateway: m.gateway, mtu: m.mtu, locked: m.locked}
	if m.kind == unix.RTN_UNICAST && !m.gateway.IsValid() {
		_, err := c.route(ifindex, source, dst, true)
		r.assumed = errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH)
	}
	if r.assumed {
		_, err := c.route(link.vrfIndex, source, dst, false)
		for errno, name := range forbidding {
			if errors.Is(err, errno) {
				return route{known: true, err: routeError(link, dst, name)}
			}
		}
	}
	return r
}

// lookup6 is lookup over IPv6, where nobody is on the link by assumption.
func (c *conn) lookup6(link Link, ifindex int, source, dst netip.Addr) route {
	m, err := c.route(ifindex, source, dst, false)
	if err == nil && m.oif != ifindex && m.kind == unix.RTN_UNICAST {
		if m, err = c.route(ifindex, netip.Addr{}, dst, false); err == nil && m.oif != ifindex && m.kind == unix.RTN_UNICAST {
			err = unix.ENETUNREACH
		}
	}
	for errno, name := range forbidding {
		if errors.Is(err, errno) {
			err = name
		}
	}
	if err != nil {
		return route{known: true, err: routeError(link, dst, err)}
	}
	return route{known: true, kind: m.kind, gateway: m.gateway, mtu: m.mtu}
}

// forbidding are the kinds of routes that forbid to send, by what a lookup for any interface answers to them
// (net/ipv4/fib_semantics.c, fib_props; net/ipv6/route.c, ip6_rt_type_to_error). Without any route it is ENETUNREACH.
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
	source, in := link.Sources.For(dst), ""
	if link.VRF != "" {
		in = " in VRF " + link.VRF
	}
	return fmt.Sprintf("no route to %s from %s through %s%s: %v (ip route get %s from %s oif %s)", dst, source, link.Name, in, err, dst, source, link.Name)
}

// nextHop returns whose MAC a packet to remote needs, or the zero Addr when it needs none or there is no way.
func (r route) nextHop(remote netip.Addr) netip.Addr {
	switch {
	case !r.known, r.err != "", r.kind != unix.RTN_UNICAST, remote.IsMulticast():
		return netip.Addr{}
	case !r.gateway.IsValid():
		return remote
	case r.gateway.Is4() == remote.Is4():
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
	case !link.Sources.For(remote).IsValid():
		_, why := link.Sources.Pick(remote)
		p.State, p.Reason = NoRoute, why
		return p
	case remote.IsMulticast():
		p.State, p.MTU, p.DstMAC = Direct, pathMTU(link, remote, r), groupMAC(remote)
		return p
	}
	p.NextHop = r.nextHop(remote)
	if !p.NextHop.IsValid() {
		p.State, p.Reason = NoRoute, r.refusal(remote)
		return p
	}
	p.Gateway, p.MTU, p.locked = r.gateway, pathMTU(link, remote, r), r.locked
	if p.MTU == r.mtu {
		p.Until = r.until
	}
	switch {
	case n.usable():
		p.State, p.DstMAC = Direct, n.mac
	case trouble != "":
		p.Reason = trouble
	case n.present && n.state&unix.NUD_FAILED == 0 || !n.present:
		p.Reason = fmt.Sprintf("waiting for %s to answer %s on %s", p.NextHop, asking(p.NextHop), link.Name)
	case r.assumed:
		p.State = NoRoute
		p.Reason = fmt.Sprintf("no route to %s through %s, and nobody on the link answers ARP for it (ip route add %s via GATEWAY dev %s)", remote, link.Name, remote, link.Name)
	case p.Gateway.IsValid():
		p.State, p.Reason = Failed, fmt.Sprintf("gateway %s does not answer %s on %s", p.Gateway, asking(p.Gateway), link.Name)
	default:
		p.State, p.Reason = Failed, fmt.Sprintf("%s does not answer %s on %s", remote, asking(remote), link.Name)
	}
	return p
}

// asking is what a neighbour of the family of addr is asked by.
func asking(addr netip.Addr) string {
	if addr.Is4() {
		return "ARP"
	}
	return "neighbour discovery"
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
	case r.kind == unix.RTN_BLACKHOLE:
		return fmt.Sprintf("the route to %s is a blackhole", remote)
	case r.kind == unix.RTN_UNREACHABLE, r.kind == unix.RTN_PROHIBIT:
		return fmt.Sprintf("the route to %s is of type unreachable or prohibit", remote)
	case r.kind == unix.RTN_UNICAST && r.gateway.Is6() && remote.Is4():
		return fmt.Sprintf("the route to %s goes through %s: %v", remote, r.gateway, errIPv6)
	}
	return fmt.Sprintf("the route to %s is of type %d, not unicast", remote, r.kind)
}

// pathMTU is the route's MTU, a learned path MTU included, where it is below the link's.
func pathMTU(link Link, remote netip.Addr, r route) int {
	mtu := link.MTU
	if remote.Is6() && link.MTU6 > 0 {
		mtu = link.MTU6
	}
	if r.mtu > 0 && r.mtu < mtu {
		return r.mtu
	}
	return mtu
}

// groupMAC maps a group to its Ethernet address (RFC 1112 section 6.4, RFC 2464 section 7).
func groupMAC(group netip.Addr) [6]byte {
	if group.Is6() {
		a := group.As16()
		return [6]byte{0x33, 0x33, a[12], a[13], a[14], a[15]}
	}
	a := group.As4()
	return [6]byte{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}
}
