package gateway

import (
	"errors"
	"fmt"

	"vxgw/bpf"
	"vxgw/config"
	"vxgw/control"
	"vxgw/dataplane"
	"vxgw/netdev"
)

// The underlay may be a VLAN of an interface that other VLANs share. Addresses, routes and
// neighbours are the VLAN device's then (g.link); the XDP program and the sockets are on the
// interface below it (g.wire), and tell the VLAN by its tag.

// lower returns the interface below a VLAN device, and any other itself.
func lower(info netdev.Info) (netdev.Info, error) {
	v := info.VLAN
	if v == (netdev.VLAN{}) {
		return info, nil
	}
	if v.Elsewhere {
		return netdev.Info{}, &config.Error{Problem: fmt.Sprintf(
			"underlay %s is VLAN %d of an interface in another network namespace, where gw cannot take its packets (run gw there, or make the VLAN here)", info.Name, v.ID)}
	}
	below, err := netdev.LookupIndex(v.Below)
	switch {
	case err != nil:
		return netdev.Info{}, fmt.Errorf("find what is below underlay %s: %w", info.Name, err)
	case below.VLAN != netdev.VLAN{}:
		return netdev.Info{}, &config.Error{Problem: fmt.Sprintf(
			"underlay %s is VLAN %d of %s, which is a VLAN itself: packets with two tags are not for gw (give a VLAN of the interface that has no tag)", info.Name, v.ID, below.Name)}
	}
	return below, nil
}

// claimLower makes this the only gateway on the interface below a VLAN device too: there is one
// XDP program per interface, and what it changes there is in one journal.
func (g *Gateway) claimLower(info netdev.Info) (state string, err error) {
	below, err := lower(info)
	if err != nil || below.Index == info.Index {
		return g.paths.State, err
	}
	paths := netdev.PathsFor(below.Name)
	lock, err := g.acquire(paths.Lock)
	if err != nil {
		return "", fmt.Errorf("start on %s, VLAN %d of %s: %w", info.Name, info.VLAN.ID, below.Name, err)
	}
	g.onClose(lock.Close)
	return paths.State, lock.For(info.Name)
}

// openWire has the packets of the underlay, or of its VLAN, steered to sockets.
func (g *Gateway) openWire(below netdev.Info) error {
	u, v := &g.cfg.Underlay, g.link.VLAN
	c := bpf.UnderlayConfig{Port: u.DstPort, Queues: below.RxQueues, MaxVNIs: maxDomains, Frags: g.takesParts(below)}
	if v == (netdev.VLAN{}) {
		return g.steerPlain(c, below)
	}
	c.VLAN = bpf.VLAN{Type: v.Type, ID: v.ID}
	why, err := g.steerTags(c, below)
	if why == "" {
		return err
	}
	if err := g.steerPlain(c, below); err != nil {
		return err
	}
	tags := g.keepTags(below, false, why)
	g.wire.tags = tags
	if tags.how == control.TagsLost {
		g.log.Warn("XDP does not see the VLAN tags of what arrives: packets of the underlay take the long way through the kernel",
			"underlay", g.link.Name, "iface", below.Name, "reason", tags.why, "cure", tags.cure)
	}
	return nil
}

// steerPlain has packets steered by a program that sees what is in a frame.
func (g *Gateway) steerPlain(c bpf.UnderlayConfig, below netdev.Info) error {
	program, err := bpf.LoadUnderlay(c)
	if err != nil {
		return err
	}
	return g.steerWire(program, below)
}

// steerTags has them steered by one that reads the tags beside frames. Where that cannot be it says
// why.
func (g *Gateway) steerTags(c bpf.UnderlayConfig, below netdev.Info) (why string, err error) {
	if why = g.noTagging(below, g.cfg.Underlay.Mode); why != "" {
		return why, nil
	}
	c.TagsOf, c.Types = below.Index, &g.kernelTypes
	program, err := bpf.LoadUnderlay(c)
	if err != nil {
		return err.Error(), nil
	}
	err = g.steerWire(program, below)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return err.Error(), nil
	case err == nil:
		g.wire.tags = vlanTags{how: control.TagsMetadata}
	}
	return "", err
}

// steerWire attaches the program, and binds the sockets.
func (g *Gateway) steerWire(program *bpf.Underlay, below netdev.Info) (err error) {
	g.steer = program
	for _, a := range g.sources.All() {
		if err := g.steer.AddAddr(a); err != nil {
			return errors.Join(err, g.steer.Close())
		}
	}
	g.wire, err = g.openIface(below, g.steer, g.cfg.Underlay.Mode, dataplane.Underlay)
	return err
}

// tag is the VLAN tag of what is sent, as vxlan.TemplateConfig has it. Its priority is 0, as that of a
// VLAN device without an egress map.
func tag(v netdev.VLAN) uint32 { return uint32(v.Type)<<16 | uint32(v.ID) }

// carries refuses a port that the underlay's packets are steered on.
func (g *Gateway) carries(info netdev.Info) error {
	if info.Index != g.wire.info.Index {
		return nil
	}
	return &config.Error{Problem: fmt.Sprintf("it carries the underlay %s (give another one of its VLANs)", g.link.Name)}
}
