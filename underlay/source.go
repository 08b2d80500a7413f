package underlay

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

// A source is an address of this host that packets leave from: the one that was asked
// for while the host has it, on whatever interface, or the underlay's first global
// one, which stays for as long as it is there.

// isGlobal says whether an address is one that remotes can answer to.
func (m addressMessage) isGlobal() bool { return m.scope == unix.RT_SCOPE_UNIVERSE }

// source picks the outer source of an interface with the addresses list, or says why
// there is none. wanted is the one that was asked for or the zero Addr, current the
// one in use.
func (c *conn) source(list []addressMessage, name string, wanted, current netip.Addr) (source netip.Addr, why string, err error) {
	if !wanted.IsValid() {
		first := slices.IndexFunc(list, addressMessage.isGlobal)
		if first < 0 {
			return netip.Addr{}, fmt.Sprintf("%s has no global IPv4 address (ip address add ADDRESS/LEN dev %s, or --local)", name, name), nil
		}
		stays := func(m addressMessage) bool { return m.isGlobal() && m.prefix.Addr() == current }
		if slices.ContainsFunc(list, stays) {
			return current, "", nil
		}
		return list[first].prefix.Addr(), "", nil
	}
	is := func(m addressMessage) bool { return m.prefix.Addr() == wanted }
	if !slices.ContainsFunc(list, is) {
		all, err := c.addresses(0)
		if err != nil {
			return netip.Addr{}, "", err
		}
		if !slices.ContainsFunc(all, is) {
			return netip.Addr{}, fmt.Sprintf("local address %s is on no interface of this host (ip address add %s/LEN dev %s)", wanted, wanted, name), nil
		}
	}
	return wanted, "", nil
}
