package gateway

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"

	"vxgw/config"
)

// checkRemotes makes sure that no remote is this very gateway, which only shows
// once the outer source address is known.
func checkRemotes(cfg *config.Config, locals []netip.Addr) error {
	for i := range cfg.VNIs {
		v := &cfg.VNIs[i]
		for _, r := range v.Remotes {
			if slices.Contains(locals, r.Dst) {
				return &config.Error{Problem: fmt.Sprintf("vni %d: remote %s is this gateway's own address (name the other VTEP's)", v.VNI, r.Dst)}
			}
		}
		for _, e := range v.FDB {
			if slices.Contains(locals, e.Dst) {
				return &config.Error{Problem: fmt.Sprintf("vni %d: fdb entry %s: dst %s is this gateway's own address (name the other VTEP's)", v.VNI, e.MAC, e.Dst)}
			}
		}
	}
	return nil
}

// addressesOf lists the addresses of an interface, of either family.
func addressesOf(ifindex int) (all []netip.Addr, err error) {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && a.LinkIndex == ifindex {
			all = append(all, ip.Unmap())
		}
	}
	return all, nil
}

// checkLocal makes sure that an outer source address that is given is one of this
// host's, on whatever interface: answers to another one would never arrive.
func checkLocal(local netip.Addr, iface string) error {
	if !local.IsValid() {
		return nil
	}
	family := netlink.FAMILY_V4
	if local.Is6() {
		family = netlink.FAMILY_V6
	}
	addrs, err := netlink.AddrList(nil, family)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return fmt.Errorf("list this host's addresses: %w", err)
	}
	var have []string
	for _, a := range addrs {
		ip, _ := netip.AddrFromSlice(a.IP)
		if ip.Unmap() == local {
			return nil
		}
		have = append(have, ip.Unmap().String())
	}
	return &config.Error{Problem: fmt.Sprintf("local address %s is on no interface of this host, which has %s (ip address add %s/LEN dev %s, or another --local)",
		local, strings.Join(have, ", "), local, iface)}
}
