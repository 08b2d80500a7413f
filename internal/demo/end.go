package demo

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"vxgw/internal/lab"
)

// bridge is the kernel's bridge on a node with containers, as in the article.
const bridge = "bridge0"

// end is one who pings and answers on the overlay: a node by its own device, or a container.
type end struct {
	name  string
	inner netip.Addr
	host  *lab.Host
	link  string // that has the address
}

// mac returns the address that the VTEPs learn.
func (e *end) mac() (net.HardwareAddr, error) { return e.host.MAC(e.link) }

// container is a namespace that hangs on a node by a veth pair.
type container struct {
	end
	port string // the node's end of the pair
}

// ends returns who is on the overlay at this node.
func (v *vtep) ends() []*end {
	if len(v.containers) == 0 {
		return []*end{&v.end}
	}
	var all []*end
	for _, c := range v.containers {
		all = append(all, &c.end)
	}
	return all
}

// hasPort reports whether a link of the node leads to a container.
func (v *vtep) hasPort(link string) bool {
	return slices.ContainsFunc(v.containers, func(c *container) bool { return c.port == link })
}

// makeContainers makes what hangs on the node. Its MTU leaves room for the outer headers.
func (v *vtep) makeContainers() (err error) {
	for _, c := range v.containers {
		c.host, err = v.host.BridgePort(c.port, c.name, c.inner.String()+overlayBits, lab.VethOptions{MTU: mtu})
		if err != nil {
			return err
		}
	}
	return nil
}

// behindPort checks a line of gw's table: the container's address is behind its port.
func (c *container) behindPort(lines []string) error {
	mac, err := c.mac()
	if err != nil {
		return err
	}
	want := fmt.Sprintf("%s dev %s master gw%d", mac, c.port, vni)
	if !slices.Contains(lines, want) {
		return fmt.Errorf("no entry %q", want)
	}
	return nil
}

// resolved checks that e has the MAC address of peer in its ARP cache, and returns the line of arp(8).
func (e *end) resolved(peer *end) (string, error) {
	mac, err := peer.mac()
	if err != nil {
		return "", err
	}
	known, err := e.host.Neighbours(e.link)
	if err != nil {
		return "", err
	}
	for _, n := range known {
		if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == peer.inner {
			line := fmt.Sprintf("%-24s ether   %s   C   %s", peer.inner, n.HardwareAddr, e.link)
			if n.HardwareAddr.String() != mac.String() {
				return line, fmt.Errorf("%s has %s for %s, whose address is %s", e.name, n.HardwareAddr, peer.name, mac)
			}
			return line, nil
		}
	}
	return "", fmt.Errorf("%s has no entry for %s", e.name, peer.inner)
}
