package lab

import (
	"fmt"
	"net"

	"github.com/vishvananda/netlink"
)

// switchBridge is the name of the bridge in the namespace of a Switch.
const switchBridge = "br0"

// Switch is a host whose bridge joins other hosts into one Ethernet segment. Make it with Lab.Switch.
type Switch struct {
	*Host
}

// SwitchPort is one cable of a switch.
type SwitchPort struct {
	Host   *Host
	Link   string           // name of the device on Host
	MTU    int              // bytes; 0: 1500
	Queues int              // rx and tx queues of the device on Host and of the switch's end; 0: 1
	MAC    net.HardwareAddr // of the device on Host; nil: random
}

// Switch makes a segment with the given ports. The bridge does not snoop, so group traffic reaches every port, runs no
// spanning tree, and has no address of its own: it is silent. More ports may be added by Connect.
func (l *Lab) Switch(name string, ports ...SwitchPort) (*Switch, error) {
	h, err := l.Host(name)
	if err != nil {
		return nil, err
	}
	if err := h.Bridge(switchBridge); err != nil {
		return nil, err
	}
	s := &Switch{h}
	for _, p := range ports {
		if err := s.Connect(p); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Connect runs a veth pair from a host to the switch and brings it up. On the switch it is named as PortName says.
func (s *Switch) Connect(p SwitchPort) error {
	port := s.PortName(p.Host, p.Link)
	opts := VethOptions{MTU: p.MTU, AQueues: p.Queues, BQueues: p.Queues, AMAC: p.MAC}
	if err := s.lab.Veth(p.Host, p.Link, s.Host, port, opts); err != nil {
		return err
	}
	return s.SetMaster(port, switchBridge)
}

// PortName returns the name of the switch's end of a host's link: the first seven letters of both names, which
// must tell the ports of one switch apart.
func (s *Switch) PortName(h *Host, link string) string {
	return fmt.Sprintf("%.7s-%.7s", h.name, link)
}

// Bridge makes a kernel bridge without multicast snooping, as the article's third scenario has it but for the snooping,
// brings it up and puts the given links into it.
func (h *Host) Bridge(name string, links ...string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	snoop := false
	if err := h.nl.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snoop}); err != nil {
		return fmt.Errorf("make bridge %s on %s: %w", name, h.name, err)
	}
	for _, link := range links {
		if err := h.SetMaster(link, name); err != nil {
			return err
		}
	}
	return h.SetUp(name)
}
