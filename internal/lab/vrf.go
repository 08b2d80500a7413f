package lab

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// VRF makes a VRF on the host whose routes are those of a table, puts links into it, and brings it up. Needs the kernel's module vrf
// (CONFIG_NET_VRF); without it the error wraps unix.EOPNOTSUPP.
func (h *Host) VRF(name string, table uint32, links ...string) error {
	if err := h.nl.LinkAdd(&netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: name}, Table: table}); err != nil {
		return fmt.Errorf("make VRF %s on %s: %w", name, h.name, err)
	}
	if err := h.SetUp(name); err != nil {
		return err
	}
	for _, l := range links {
		if err := h.SetMaster(l, name); err != nil {
			return err
		}
	}
	return nil
}

// VLAN makes a VLAN device over a link and brings it up. Needs the kernel's module 8021q (CONFIG_VLAN_8021Q); without it the error wraps
// unix.EOPNOTSUPP.
func (h *Host) VLAN(parent, name string, id int) error {
	l, err := h.Link(parent)
	if err != nil {
		return err
	}
	if err := h.nl.LinkAdd(&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: name, ParentIndex: l.Attrs().Index}, VlanId: id}); err != nil {
		return fmt.Errorf("make VLAN device %s on %s: %w", name, h.name, err)
	}
	return h.SetUp(name)
}
