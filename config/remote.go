package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// BadRemote says why a cannot be the address of a remote of the gateway that has the underlay u and the local addresses locals,
// for people; it is empty for one that can. The zone of a link-local address may be left out, and is the underlay.
func BadRemote(a netip.Addr, u *Underlay, locals ...netip.Addr) string {
	if why := badRemote(a, u); why != "" {
		return why
	}
	if slices.Contains(locals, a.WithZone("")) {
		return "is the local address (give the address of another VTEP)"
	}
	return ""
}

// badRemote is BadRemote for what u says by itself.
func badRemote(a netip.Addr, u *Underlay) string {
	if why := badVTEP(a, u.Iface); why != "" {
		return why
	}
	a = a.WithZone("")
	four, six := u.Locals()
	switch {
	case a == four, a == six:
		return "is the local address (give the address of another VTEP)"
	case a.Is4() || !six.IsValid() || a.IsLinkLocalUnicast() == six.IsLinkLocalUnicast():
	case six.IsLinkLocalUnicast():
		return fmt.Sprintf("is not link-local, as the local address %s is (give a global local address, or none)", six)
	default:
		return fmt.Sprintf("is link-local, and the local address %s is not (leave the local address out, or give a link-local one)", six)
	}
	return ""
}

// badVTEP says why no VTEP has the address a, ours or another's, on the link of iface.
func badVTEP(a netip.Addr, iface string) string {
	switch {
	case !a.IsValid():
		return "is no address (give one like 10.65.132.188)"
	case a.Is4In6():
		return fmt.Sprintf("is IPv4 written as IPv6 (give %s)", a.Unmap())
	case a.Zone() != "" && a.Zone() != iface:
		return fmt.Sprintf("is on the link of %s, and the underlay is %s (give %s)", a.Zone(), iface, a.WithZone(""))
	case a.Zone() != "" && !a.IsLinkLocalUnicast():
		return fmt.Sprintf("has a zone, which only link-local addresses have (give %s)", a.WithZone(""))
	case a.IsUnspecified():
		return "is the unspecified address (give the address of a VTEP)"
	case a.IsLoopback():
		return "is a loopback address (give one the network can reach)"
	case a.IsMulticast():
		return "is multicast (give it as group)"
	case a.Is6():
		return ""
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "is the broadcast address (give the address of a VTEP)"
	case a.As4()[0] == 0 || a.As4()[0] >= 240:
		return "is in a reserved block, 0.0.0.0/8 or 240.0.0.0/4 (give the address of a VTEP)"
	}
	return ""
}

// badGroup says why a is no group to join. The kernel floods 224.0.0.0/24 to every host of a link, whoever joined (RFC 5771 section
// 4), and each host is in groups of IPv6 that are not for this (RFC 4291 section 2.7.1).
func badGroup(a netip.Addr, u *Underlay) string {
	b := a.As16()
	switch {
	case !a.IsMulticast():
		return "is not multicast (give one like 224.1.1.1, or give it as remote)"
	case a.Is4In6():
		return fmt.Sprintf("is IPv4 written as IPv6 (give %s)", a.Unmap())
	case a.Zone() != "" && a.Zone() != u.Iface:
		return fmt.Sprintf("is on the link of %s, and the underlay is %s (give %s)", a.Zone(), u.Iface, a.WithZone(""))
	case netip.PrefixFrom(netip.AddrFrom4([4]byte{224, 0, 0, 0}), 24).Contains(a):
		return "is in 224.0.0.0/24, which is for protocols of one link and never forwarded (give one like 224.1.1.1)"
	case a.Is6() && b[1]&0xf <= 1:
		return "is of one interface, which no packet leaves (give one like ff02::100 for a link, or ff05::100)"
	case b == [16]byte{0xff, 2, 15: 1}, b == [16]byte{0xff, 2, 15: 2}, b == [16]byte{0xff, 5, 15: 2}, [13]byte(b[:]) == [13]byte{0xff, 2, 11: 1, 12: 0xff}:
		return "is a group that every host or router is in (give one like ff05::100)"
	}
	return ""
}

// Locals are the outer source addresses that are given, each the zero Addr where none of its family is.
func (u *Underlay) Locals() (four, six netip.Addr) {
	if u.Local.Is4() {
		four = u.Local
	} else {
		six = u.Local
	}
	if u.Local6.IsValid() {
		six = u.Local6
	}
	return four, six.WithZone("")
}

// checkLocals judges both.
func (u *Underlay) checkLocals() *problem {
	for i, a := range []netip.Addr{u.Local, u.Local6} {
		if !a.IsValid() {
			continue
		}
		if why, name := badVTEP(a, u.Iface), []string{"local", "local6"}[i]; why != "" {
			return wrong("underlay."+name, "%s %s %s", name, a, why)
		}
	}
	switch {
	case u.Local6.IsValid() && !u.Local6.Is6():
		return wrong("underlay.local6", "local6 %s is IPv4 (give it as local)", u.Local6)
	case u.Local6.IsValid() && u.Local.Is6():
		return wrong("underlay.local6", "local %s and local6 %s are both IPv6 (give one of them)", u.Local, u.Local6)
	}
	return nil
}

// unzone takes the underlay's name away from link-local addresses, which need none here: each list once, however many VNIs share it.
func (c *Config) unzone() {
	one := func(a *netip.Addr) {
		if a.Zone() != "" && a.Zone() == c.Underlay.Iface && (a.IsLinkLocalUnicast() || a.IsMulticast()) {
			*a = a.WithZone("")
		}
	}
	var done []Remote
	list := func(l []Remote) {
		if sameMemory(l, done) {
			return
		}
		done = l
		for i := range l {
			one(&l[i].Dst)
		}
	}
	one(&c.Underlay.Local)
	one(&c.Underlay.Local6)
	list(c.Remotes)
	for i := range c.VNIs {
		v := &c.VNIs[i]
		list(v.Remotes)
		one(&v.Group)
		for j := range v.FDB {
			one(&v.FDB[j].Dst)
		}
	}
}
