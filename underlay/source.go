package underlay

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A source is an address of this host that packets leave from: the one that was asked
// for while the host has it, on whatever interface, or the underlay's first global
// one, which stays for as long as it is there. Over IPv6 there may be a second one, for
// what is of the link.

// Sources are the outer source addresses at one time, each the zero Addr while there is
// none. == compares.
type Sources struct {
	Four netip.Addr // over IPv4
	Six  netip.Addr // over IPv6, of global scope
	Link netip.Addr // over IPv6, link-local

	// Tentative says that one more may come soon: its duplicate address detection is under way.
	Tentative bool

	no4, no6 string // why there is none and what to do
	noLink   string
}

// For returns the source of packets to dst, the zero Addr while there is none. Both are of one scope (RFC 6724 section 5, rule 2): the
// kernel's vxlan device refuses others too (drivers/net/vxlan, vxlan_config_validate). Only to a group may a link-local one send
// further, where it is all there is, and a global one of the user's choice to a group of the link.
func (s Sources) For(dst netip.Addr) netip.Addr {
	switch {
	case dst.Is4():
		return s.Four
	case dst.IsLinkLocalUnicast():
		return s.Link
	case dst.IsLinkLocalMulticast(), dst.IsInterfaceLocalMulticast():
		return first(s.Link, s.Six)
	case dst.IsMulticast():
		return first(s.Six, s.Link)
	}
	return s.Six
}

func first(a, b netip.Addr) netip.Addr {
	if a.IsValid() {
		return a
	}
	return b
}

// ofLink tells an IPv6 address that means something on one link only.
func ofLink(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// Pick is For, and says why there is none.
func (s Sources) Pick(dst netip.Addr) (source netip.Addr, why string) {
	source = s.For(dst)
	switch {
	case source.IsValid():
		return source, ""
	case dst.Is4():
		why = s.no4
	case dst.IsLinkLocalUnicast():
		why = s.noLink
	default:
		why = s.no6
	}
	if why == "" {
		why = "no source address was looked for yet"
	}
	return source, why
}

// FindSources looks for the outer sources that a Mirror of the same configuration would have now, in the calling thread's network
// namespace. Why a family in use has none is the second result, for people.
func FindSources(cfg Config) (Sources, string, error) {
	want := wish{cfg.Four, cfg.Six, cfg.Local, cfg.Local6}
	c, err := dial()
	if err != nil {
		return Sources{}, "", err
	}
	defer c.close()
	link, err := c.readLink(cfg.Ifindex, want, Link{Name: cfg.Name})
	if err == nil && link.Gone {
		err = unix.ENODEV
	}
	if err != nil {
		return Sources{}, "", fmt.Errorf("find outer source of %s: %w", cfg.Name, err)
	}
	return link.Sources, link.NoSource, nil
}

// All lists those there are, IPv4 first.
func (s Sources) All() []netip.Addr {
	return slices.DeleteFunc([]netip.Addr{s.Four, s.Six, s.Link}, func(a netip.Addr) bool { return !a.IsValid() })
}

// String lists those there are, with blanks between them.
func (s Sources) String() string {
	var text []string
	for _, a := range s.All() {
		text = append(text, a.String())
	}
	return strings.Join(text, " ")
}

// unsent is behind "nothing is sent" where that is true of one family only, since the other has a source:
// " over IPv6"; else "".
func (s Sources) unsent() string {
	switch four, six := s.Four.IsValid(), s.Six.IsValid() || s.Link.IsValid(); {
	case four && !six:
		return " over IPv6"
	case six && !four:
		return " over IPv4"
	}
	return ""
}

// trouble says why a family in use has no source at all, or "".
func (s Sources) trouble(want wish) string {
	var why []string
	if want.four && !s.Four.IsValid() {
		why = append(why, s.no4)
	}
	if want.six && !s.Six.IsValid() && !s.Link.IsValid() {
		why = append(why, s.no6)
	}
	return strings.Join(why, "; ")
}

// wish is which families are in use, and which addresses were asked for, each the zero
// Addr where none was.
type wish struct {
	four, six     bool
	local, local6 netip.Addr
}

// used says whether the family of an address is in use.
func (w *wish) used(a netip.Addr) *bool {
	if a.Is4() {
		return &w.four
	}
	return &w.six
}

// addressesOf reads the addresses of the interface, and which of them are of families in use.
func (c *conn) addressesOf(ifindex int, want wish) (own []netip.Addr, used []addressMessage, err error) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		list, err := c.addresses(family, ifindex)
		if err != nil {
			return nil, nil, err
		}
		for _, m := range list {
			own = append(own, m.prefix.Addr())
			if *want.used(m.prefix.Addr()) {
				used = append(used, m)
			}
		}
	}
	return own, used, nil
}

// isGlobal says whether an address is one that remotes can answer to.
func (m addressMessage) isGlobal() bool { return m.scope == unix.RT_SCOPE_UNIVERSE }

// is6 says whether it is IPv6; isLink, whether it is of the link.
func (m addressMessage) is6() bool    { return m.prefix.Addr().Is6() }
func (m addressMessage) isLink() bool { return m.is6() && m.scope == unix.RT_SCOPE_LINK }

// unproven says why an address cannot be used yet, or never: another host may have it (RFC 4862 section 5.4).
func (m addressMessage) unproven() string {
	switch {
	case m.flags&unix.IFA_F_DADFAILED != 0:
		return fmt.Sprintf("another host on the link has %s: duplicate address detection failed (give one of the two another address)", m.prefix.Addr())
	case m.flags&unix.IFA_F_TENTATIVE != 0 && m.flags&unix.IFA_F_OPTIMISTIC == 0:
		return fmt.Sprintf("%s is tentative, until duplicate address detection is through (it takes a second or two; ip address show tentative)", m.prefix.Addr())
	}
	return ""
}

// rank orders addresses by how well they serve: those that stay first.
func (m addressMessage) rank() int {
	switch {
	case m.flags&unix.IFA_F_DEPRECATED != 0 && m.is6():
		return 2
	case m.flags&unix.IFA_F_TEMPORARY != 0 && m.is6(): // of IPv4 the bit says secondary
		return 1
	}
	return 0
}

// choose returns the current source if it is among those of the list that fit, else the best of these; or it says why
// the best has to wait. Both are empty when none fits.
func choose(list []addressMessage, current netip.Addr, fit func(addressMessage) bool) (source netip.Addr, why string) {
	best := 3
	for _, m := range list {
		if !fit(m) {
			continue
		}
		if wait := m.unproven(); wait != "" {
			why = wait
			continue
		}
		if m.prefix.Addr() == current {
			return current, ""
		}
		if m.rank() < best {
			source, best = m.prefix.Addr(), m.rank()
		}
	}
	if source.IsValid() {
		why = ""
	}
	return source, why
}

// sources picks the outer sources of an interface with the addresses list. current are those in use.
func (c *conn) sources(list []addressMessage, name string, want wish, current Sources) (s Sources, err error) {
	none := func(kind string) string {
		return fmt.Sprintf("%s has no %s address (ip address add ADDRESS/LEN dev %s, or --local)", name, kind, name)
	}
	switch {
	case !want.four:
	case want.local.IsValid():
		s.Four, s.no4, err = c.wanted(list, name, want.local)
	default:
		s.Four, s.no4 = choose(list, current.Four, func(m addressMessage) bool { return !m.is6() && m.isGlobal() })
		if s.no4 == "" {
			s.no4 = none("global IPv4")
		}
	}
	switch {
	case err != nil:
	case !want.six:
	case want.local6.IsLinkLocalUnicast():
		s.Link, s.noLink, err = c.wanted(list, name, want.local6)
		s.no6 = fmt.Sprintf("local address %s is link-local, and reaches nobody beyond the link (give a global one)", want.local6)
		if !s.Link.IsValid() {
			s.no6 = s.noLink
		}
	case want.local6.IsValid():
		s.Six, s.no6, err = c.wanted(list, name, want.local6)
		s.noLink = fmt.Sprintf("local address %s is global, and a link-local remote wants a link-local one (give that, or none)", want.local6)
	default:
		s.Six, s.no6 = choose(list, current.Six, func(m addressMessage) bool { return m.is6() && m.isGlobal() })
		s.Link, s.noLink = choose(list, current.Link, addressMessage.isLink)
		if s.no6 == "" {
			s.no6 = none("global IPv6")
		}
		if s.noLink == "" {
			s.noLink = none("link-local IPv6")
		}
	}
	s.Tentative = slices.ContainsFunc(list, func(m addressMessage) bool {
		return m.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == unix.IFA_F_TENTATIVE && (!want.local6.IsValid() || m.prefix.Addr() == want.local6)
	})
	if s.Four.IsValid() {
		s.no4 = ""
	}
	if s.Six.IsValid() {
		s.no6 = ""
	}
	if s.Link.IsValid() {
		s.noLink = ""
	}
	return s, err
}

// wanted looks for the address that was asked for: a link-local one on the interface, another on whatever interface.
func (c *conn) wanted(list []addressMessage, name string, wanted netip.Addr) (source netip.Addr, why string, err error) {
	is := func(m addressMessage) bool { return m.prefix.Addr() == wanted }
	i := slices.IndexFunc(list, is)
	if i < 0 && !ofLink(wanted) {
		if list, err = c.addresses(family(wanted), 0); err != nil {
			return netip.Addr{}, "", err
		}
		i = slices.IndexFunc(list, is)
	}
	if i < 0 {
		where := "on no interface of this host"
		if ofLink(wanted) {
			where = "not on " + name
		}
		return netip.Addr{}, fmt.Sprintf("local address %s is %s (ip address add %s/LEN dev %s)", wanted, where, wanted, name), nil
	}
	if why := list[i].unproven(); why != "" {
		return netip.Addr{}, "local address " + why, nil
	}
	return wanted, "", nil
}
