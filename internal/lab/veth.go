package lab

import (
	"cmp"
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// VethOptions describe a pair of veth devices. The zero value is what `ip link add type veth` makes, but with one queue at
// each end where that makes one per CPU.
type VethOptions struct {
	MTU              int              // of both ends, in bytes; 0: 1500
	AQueues, BQueues int              // rx and tx queues of each end; 0: 1
	AMAC, BMAC       net.HardwareAddr // nil: random
}

// Veth connects two hosts (or one host with itself) by a pair of veth devices, aName on a and bName on b, and brings
// both up. Native XDP on one end needs as many queues there as the other end has.
func (l *Lab) Veth(a *Host, aName string, b *Host, bName string, opts VethOptions) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = aName
	attrs.MTU = cmp.Or(opts.MTU, 1500)
	attrs.NumTxQueues = cmp.Or(opts.AQueues, 1)
	attrs.NumRxQueues = attrs.NumTxQueues
	attrs.HardwareAddr = opts.AMAC
	attrs.Namespace = netlink.NsFd(a.ns)
	peerQueues := uint32(cmp.Or(opts.BQueues, 1))
	// Made in its final place at once: names need not be unique across namespaces, and nothing has to be moved.
	err := a.nl.LinkAdd(&netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         bName,
		PeerHardwareAddr: opts.BMAC,
		PeerNamespace:    netlink.NsFd(b.ns),
		PeerNumTxQueues:  peerQueues,
		PeerNumRxQueues:  peerQueues,
		PeerMTU:          uint32(attrs.MTU),
	})
	if err != nil {
		return fmt.Errorf("make veth %s of %s to %s of %s: %w", aName, a.name, bName, b.name, err)
	}
	if err := a.SetUp(aName); err != nil {
		return err
	}
	if err := b.SetUp(bName); err != nil {
		return err
	}
	return a.settle(aName) // its carrier came with the peer
}

// BridgePort makes what a container is to its host: a new host named container whose link veth0 has the address (CIDR),
// with the other end, named link, on h and up, ready to be put into a bridge or to be handed to gw as a port.
func (h *Host) BridgePort(link, container, address string, opts VethOptions) (*Host, error) {
	c, err := h.lab.Host(container)
	if err != nil {
		return nil, err
	}
	if err := h.lab.Veth(h, link, c, "veth0", opts); err != nil {
		return nil, err
	}
	return c, c.AddAddress("veth0", address)
}
