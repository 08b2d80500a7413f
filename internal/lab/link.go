package lab

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Links returns the devices of the host in the order of their indices.
func (h *Host) Links() ([]netlink.Link, error) {
	links, err := dump(h.nl.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list links of %s: %w", h.name, err)
	}
	return links, nil
}

// Link returns one device by its name.
func (h *Host) Link(name string) (netlink.Link, error) {
	l, err := h.nl.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find link %s of %s: %w", name, h.name, err)
	}
	return l, nil
}

// change looks a link up and applies do to it; what names the operation in the error.
func (h *Host) change(link, what string, do func(netlink.Link) error) error {
	l, err := h.Link(link)
	if err != nil {
		return err
	}
	if err := do(l); err != nil {
		return fmt.Errorf("%s %s of %s: %w", what, link, h.name, err)
	}
	return nil
}

// SetUp brings a link up and waits until the kernel has done what follows from it; see settle.
func (h *Host) SetUp(link string) error {
	if err := h.change(link, "bring up", h.nl.LinkSetUp); err != nil {
		return err
	}
	return h.settle(link)
}

// SetDown takes a link down.
func (h *Host) SetDown(link string) error { return h.change(link, "take down", h.nl.LinkSetDown) }

// DeleteLink removes a link, and its peer if it is a veth.
func (h *Host) DeleteLink(link string) error { return h.change(link, "delete", h.nl.LinkDel) }

// SetMTU sets the MTU of a link, in bytes.
func (h *Host) SetMTU(link string, mtu int) error {
	return h.change(link, fmt.Sprintf("set mtu %d of", mtu), func(l netlink.Link) error { return h.nl.LinkSetMTU(l, mtu) })
}

// SetMaster puts a link into a bridge of the same host, or takes it out when master is empty.
func (h *Host) SetMaster(link, master string) error {
	if master == "" {
		return h.change(link, "take out of its bridge", h.nl.LinkSetNoMaster)
	}
	m, err := h.Link(master)
	if err != nil {
		return err
	}
	return h.change(link, "put into "+master, func(l netlink.Link) error { return h.nl.LinkSetMaster(l, m) })
}

// MAC returns the hardware address of a link.
func (h *Host) MAC(link string) (net.HardwareAddr, error) {
	l, err := h.Link(link)
	if err != nil {
		return nil, err
	}
	return l.Attrs().HardwareAddr, nil
}

// SetMAC sets the hardware address of a link.
func (h *Host) SetMAC(link string, mac net.HardwareAddr) error {
	return h.change(link, "set mac of", func(l netlink.Link) error { return h.nl.LinkSetHardwareAddr(l, mac) })
}

// AddAddress puts an address in CIDR form on a link, IPv6 without duplicate address detection. It can be bound to at
// once.
func (h *Host) AddAddress(link, cidr string) error {
	addr, err := parseAddr(cidr)
	if err != nil {
		return err
	}
	if err := h.change(link, "add address "+cidr+" to", func(l netlink.Link) error { return h.nl.AddrAdd(l, addr) }); err != nil {
		return err
	}
	return h.settle(link)
}

// DeleteAddress takes an address in CIDR form off a link.
func (h *Host) DeleteAddress(link, cidr string) error {
	addr, err := parseAddr(cidr)
	if err != nil {
		return err
	}
	return h.change(link, "delete address "+cidr+" of", func(l netlink.Link) error { return h.nl.AddrDel(l, addr) })
}

func parseAddr(cidr string) (*netlink.Addr, error) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("parse address: %w", err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
	if p.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
	}
	return addr, nil
}

// LinkLocal has the kernel generate link-local addresses of IPv6 for the links of the host, those that are there and those to
// come, as it does on a host that is not in a lab.
func (h *Host) LinkLocal() error {
	links, err := dump(h.nl.LinkList)
	if err != nil {
		return fmt.Errorf("list links of %s: %w", h.name, err)
	}
	names := []string{"default"}
	for _, l := range links {
		names = append(names, l.Attrs().Name)
	}
	for _, name := range names {
		if err := h.SetSysctl("net/ipv6/conf/"+name+"/addr_gen_mode", "0"); err != nil {
			return err
		}
	}
	return nil
}
