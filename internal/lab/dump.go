package lab

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/internal/ethtool"
)

// The flow of Dump: links and what hangs on each (features, queues, NAPI settings, qdiscs), then what the namespace
// holds (addresses, routes, rules, neighbours and FDB entries that somebody set, groups, sysctls), one line each,
// sorted at the end.

// Dump returns the state of the host's network as sorted lines of text: two dumps are equal if and only if nothing of
// it has changed. Counters, timers, interface indices, and what comes and goes with traffic (learned neighbours and FDB
// entries) are not in it. XDP programs stand with their ids; tc programs attached by tcx, and global tables such as
// netfilter's, are not covered. After links have come or gone, their IPv6 addresses and group memberships may follow
// within some milliseconds.
func (h *Host) Dump() (string, error) {
	links, err := h.Links()
	if err != nil {
		return "", err
	}
	d := &dumper{Host: h, links: map[int]string{0: "-"}}
	for _, l := range links {
		d.links[l.Attrs().Index] = l.Attrs().Name
	}
	for _, step := range []struct {
		what string
		take func() error
	}{
		{"links", func() error { d.addLinks(links); return nil }},
		{"features", func() error { return d.addFeatures(links) }},
		{"device settings", func() error { return d.addDeviceSettings(links) }},
		{"qdiscs", func() error { return d.addQdiscs(links) }},
		{"addresses", d.addAddresses},
		{"routes", d.addRoutes},
		{"rules", d.addRules},
		{"neighbours", d.addNeighbours},
		{"groups", d.addGroups},
		{"sysctls", d.addSysctls},
	} {
		if err := step.take(); err != nil {
			return "", fmt.Errorf("dump %s of %s: %w", step.what, h.name, err)
		}
	}
	slices.Sort(d.lines)
	return strings.Join(d.lines, "\n") + "\n", nil
}

// dumper collects the lines of one dump.
type dumper struct {
	*Host
	links map[int]string // names by index
	lines []string
}

func (d *dumper) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// link returns the name of a link that was there when the dump began.
func (d *dumper) link(index int) string {
	if name, ok := d.links[index]; ok {
		return name
	}
	return "?"
}

func (d *dumper) addLinks(links []netlink.Link) {
	for _, l := range links {
		a := l.Attrs()
		d.add("link %s type %s mac %s mtu %d flags %#x promiscuity %d allmulti %d master %s state %s "+
			"txqueues %d rxqueues %d txqueuelen %d group %d alias %q",
			a.Name, l.Type(), a.HardwareAddr, a.MTU, a.RawFlags, a.Promisc, a.Allmulti, d.link(a.MasterIndex), a.OperState,
			a.NumTxQueues, a.NumRxQueues, a.TxQLen, a.Group, a.Alias)
		if a.Xdp != nil && a.Xdp.Attached {
			d.add("xdp %s mode %d program %d", a.Name, a.Xdp.AttachMode, a.Xdp.ProgId)
		}
	}
}

func (d *dumper) addFeatures(links []netlink.Link) error {
	return d.Do(func() error {
		for _, l := range links {
			name := l.Attrs().Name
			state, err := ethtool.Features(name)
			if err != nil {
				return err
			}
			for _, feature := range slices.Sorted(maps.Keys(state)) {
				s := state[feature]
				d.add("feature %s %s active %t requested %t", name, feature, s.Active, s.Requested)
			}
			if c, err := ethtool.GetChannels(name); err == nil { // not every driver has channels
				d.add("channels %s rx %d tx %d combined %d", name, c.Rx, c.Tx, c.Combined)
			}
		}
		return nil
	})
}

func (d *dumper) addQdiscs(links []netlink.Link) error {
	for _, l := range links {
		qdiscs, err := dump(func() ([]netlink.Qdisc, error) { return d.nl.QdiscList(l) })
		if err != nil {
			return err
		}
		for _, q := range qdiscs {
			a := q.Attrs()
			d.add("qdisc %s %s parent %#x handle %#x", l.Attrs().Name, q.Type(), a.Parent, a.Handle)
		}
	}
	return nil
}

func (d *dumper) addAddresses() error {
	addrs, err := dump(func() ([]netlink.Addr, error) { return d.nl.AddrList(nil, unix.AF_UNSPEC) })
	if err != nil {
		return err
	}
	for _, a := range addrs {
		d.add("address %s %s peer %s scope %d flags %#x label %q broadcast %s",
			d.link(a.LinkIndex), a.IPNet, ipNet(a.Peer), a.Scope, a.Flags, a.Label, a.Broadcast)
	}
	return nil
}

func (d *dumper) addRoutes() error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := dump(func() ([]netlink.Route, error) {
			return d.nl.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_UNSPEC}, netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return err
		}
		for _, r := range routes {
			d.add("route %s table %d type %d via %s dev %s src %s scope %d proto %d metric %d mtu %d tos %d flags %#x encap %v",
				ipNet(r.Dst), r.Table, r.Type, r.Gw, d.link(r.LinkIndex), r.Src, r.Scope, r.Protocol, r.Priority, r.MTU, r.Tos, r.Flags, r.Encap)
			for _, hop := range r.MultiPath {
				d.add("nexthop %s table %d via %s dev %s weight %d", ipNet(r.Dst), r.Table, hop.Gw, d.link(hop.LinkIndex), hop.Hops+1)
			}
		}
	}
	return nil
}

func (d *dumper) addRules() error {
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		rules, err := dump(func() ([]netlink.Rule, error) { return d.nl.RuleList(family) })
		if err != nil {
			return err
		}
		for _, r := range rules {
			d.add("rule %d family %d from %s to %s table %d type %d mark %#x iif %q oif %q",
				r.Priority, family, ipNet(r.Src), ipNet(r.Dst), r.Table, r.Type, r.Mark, r.IifName, r.OifName)
		}
	}
	return nil
}

// addNeighbours adds what somebody set: permanent and NOARP entries, and any with a flag (managed, proxy, extern).
// Learned ones come and go; so do the router flag and the NOARP entries that the kernel makes for groups it sends to and
// for what it sends to itself (net/ipv4/arp.c, arp_constructor).
func (d *dumper) addNeighbours() error {
	const set = netlink.NUD_PERMANENT | netlink.NUD_NOARP
	for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_BRIDGE} {
		neighs, err := dump(func() ([]netlink.Neigh, error) { return d.nl.NeighList(0, family) })
		if err != nil {
			return err
		}
		for _, n := range neighs {
			flags := n.Flags &^ netlink.NTF_ROUTER
			switch {
			case family == unix.AF_BRIDGE && n.State&set == 0:
			case family != unix.AF_BRIDGE && n.State&set == 0 && flags == 0 && n.FlagsExt == 0:
			case family != unix.AF_BRIDGE && n.IP.IsMulticast():
			case family != unix.AF_BRIDGE && d.link(n.LinkIndex) == "lo" && n.State&set == netlink.NUD_NOARP:
			default:
				d.add("neighbour %s family %d %s mac %s set %#x flags %#x %#x vlan %d master %s",
					d.link(n.LinkIndex), family, n.IP, n.HardwareAddr, n.State&set, flags, n.FlagsExt, n.Vlan, d.link(n.MasterIndex))
			}
		}
	}
	return nil
}

// ipNet prints nil, which stands for all, and a prefix alike for both families.
func ipNet(n *net.IPNet) string {
	if n == nil {
		return "all"
	}
	return n.String()
}
