package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

const (
	maxName   = 15          // IFNAMSIZ of linux/if.h, less the closing zero
	farEnd    = "-x"        // what the far end of a device is called, behind its name
	maxDevice = maxName - 2 // so that the far end has a name too
)

// check validates one bridge domain. seen holds the names of all interfaces
// that came before, over all domains.
// right is the last list of remotes that was found so.
func (v *VNI) check(path string, u *Underlay, seen names, right *[]Remote) *problem {
	if v.VNI == 0 || v.VNI > MaxVNI {
		return wrong(path+".vni", "vni %d is out of range (give 1-%d)", v.VNI, MaxVNI)
	}
	if p := v.checkGroup(path, u); p != nil {
		return p
	}
	if !sameMemory(v.Remotes, *right) {
		if p := checkRemotes(path, fmt.Sprintf("vni %d: ", v.VNI), v.Remotes, u); p != nil {
			return p
		}
		*right = v.Remotes
	}
	if p := v.checkDevice(path+".device", seen); p != nil {
		return p
	}
	if p := v.checkPorts(path, seen); p != nil {
		return p
	}
	if v.Ageing < 0 {
		return wrong(path+".ageing", "vni %d: ageing is negative (give one like 300s, or 0s for never)", v.VNI)
	}
	if p := v.Moves.check(path+".moves", v.VNI); p != nil {
		return p
	}
	if p := v.checkNeigh(path); p != nil {
		return p
	}
	if p := v.checkFDB(path, u); p != nil {
		return p
	}
	if p := v.checkAllow(path); p != nil {
		return p
	}
	return v.Tunnel.check(path+".tunnel", fmt.Sprintf("vni %d", v.VNI))
}

func (v *VNI) checkGroup(path string, u *Underlay) *problem {
	if !v.Group.IsValid() {
		return nil
	}
	if why := badGroup(v.Group, u); why != "" {
		return wrong(path+".group", "vni %d: group %s %s", v.VNI, v.Group, why)
	}
	return nil
}

// checkRemotes checks a list of remotes. whose begins what is said about it.
func checkRemotes(path, whose string, remotes []Remote, u *Underlay) *problem {
	first := make(map[Remote]bool, len(remotes))
	for i, r := range remotes {
		if why := badRemote(r.Dst, u); why != "" {
			return wrong(fmt.Sprintf("%s.remotes[%d]", path, i), "%sremote %s %s", whose, r.Dst, why)
		}
		if why := checkOverrides(r.VNI); why != "" {
			return wrong(fmt.Sprintf("%s.remotes[%d]", path, i), "%sremote %s: %s", whose, r.Dst, why)
		}
		r = r.Plain(0, u.DstPort)
		if r.Dst = r.Dst.WithZone(""); first[r] {
			return wrong(fmt.Sprintf("%s.remotes[%d]", path, i), "%sremote %s is given twice (leave one out)", whose, r)
		}
		first[r] = true
	}
	return nil
}

func (v *VNI) checkDevice(path string, seen names) *problem {
	if v.Device == nil {
		return nil
	}
	name := v.Device.Name
	if why := badName(name, maxDevice); why != "" {
		return wrong(path, "vni %d: device %s %s", v.VNI, show(name), why)
	}
	for _, n := range []string{name, name + farEnd} {
		if was, ok := seen.take(n, fmt.Sprintf("the device of vni %d", v.VNI)); !ok {
			return wrong(path, "vni %d: device %s needs the name %s, which is %s (choose another name)", v.VNI, name, n, was)
		}
	}
	if mtu := v.Device.MTU; mtu != 0 && (mtu < 68 || mtu > 65535) {
		return wrong(path+".mtu", "vni %d: device %s: mtu %d is out of range (give 68-65535, or 0 for what the underlay leaves)", v.VNI, name, mtu)
	}
	for i, a := range v.Device.Addresses {
		at := fmt.Sprintf("%s.addresses[%d]", path, i)
		if why := badAddress(a); why != "" {
			return wrong(at, "vni %d: address %s %s", v.VNI, a, why)
		}
		if slices.ContainsFunc(v.Device.Addresses[:i], func(b netip.Prefix) bool { return a.Addr() == b.Addr() }) {
			return wrong(at, "vni %d: address %s is given twice (leave one out)", v.VNI, a.Addr())
		}
		if mtu := v.Device.MTU; mtu != 0 && mtu < 1280 && a.Addr().Is6() {
			return wrong(path+".mtu", "vni %d: device %s: mtu %d is too small for %s (IPv6 needs 1280)", v.VNI, name, mtu, a.Addr())
		}
	}
	return nil
}

func (v *VNI) checkPorts(path string, seen names) *problem {
	for i, port := range v.Ports {
		at := fmt.Sprintf("%s.ports[%d]", path, i)
		if why := badName(port.Name, maxName); why != "" {
			return wrong(at, "vni %d: port %s %s", v.VNI, show(port.Name), why)
		}
		if p := port.checkVLAN(at, v.VNI); p != nil {
			return p
		}
		if port.Trunk() {
			if slices.ContainsFunc(v.Ports[:i], func(o Port) bool { return o.Name == port.Name }) {
				return wrong(at, "vni %d: port %s is given twice (a VNI has one VLAN of a trunk: frames would be flooded from one into the other)", v.VNI, port.Name)
			}
			if p := seen.takeVLAN(at, v.VNI, &port); p != nil {
				return p
			}
			continue
		}
		if was, ok := seen.take(port.Name, fmt.Sprintf("a port of vni %d", v.VNI)); !ok {
			return wrong(at, "vni %d: port %s is %s already (an interface has one use)", v.VNI, port.Name, was)
		}
	}
	return nil
}

func (v *VNI) checkFDB(path string, u *Underlay) *problem {
	first := make(map[MAC]bool)
	for i, s := range v.FDB {
		at := fmt.Sprintf("%s.fdb[%d]", path, i)
		if s.MAC == (MAC{}) || s.MAC[0]&1 != 0 {
			return wrong(at, "vni %d: fdb entry %s is not a unicast address (to flood to a VTEP, list it under remotes)", v.VNI, s.MAC)
		}
		if first[s.MAC] {
			return wrong(at, "vni %d: fdb entry %s is given twice (leave one out)", v.VNI, s.MAC)
		}
		first[s.MAC] = true
		if s.Dst.IsValid() == (s.Port != "") {
			return wrong(at, "vni %d: fdb entry %s needs either dst or port", v.VNI, s.MAC)
		}
		if s.VNI != 0 && !s.Dst.IsValid() {
			return wrong(at, "vni %d: fdb entry %s: vni goes with dst (leave it out)", v.VNI, s.MAC)
		}
		if why := checkOverrides(s.VNI); why != "" {
			return wrong(at, "vni %d: fdb entry %s: %s", v.VNI, s.MAC, why)
		}
		if s.Port != "" && !v.hasPort(s.Port) {
			return wrong(at, "vni %d: fdb entry %s: port %s is no port of this vni (add it to ports)", v.VNI, s.MAC, show(s.Port))
		}
		if s.Dst.IsValid() {
			if why := badRemote(s.Dst, u); why != "" {
				return wrong(at, "vni %d: fdb entry %s: dst %s %s", v.VNI, s.MAC, s.Dst, why)
			}
		}
	}
	return nil
}

func (v *VNI) hasPort(name string) bool {
	return v.Device != nil && v.Device.Name == name || v.Port(name) != nil
}

// names says what each interface name is used for.
type names struct {
	use    map[string]string
	trunks map[string]*trunk
}

func newNames() names { return names{map[string]string{}, map[string]*trunk{}} }

// take gives name its one use. If it has one already, take returns that and
// false.
func (n names) take(name, use string) (was string, ok bool) {
	if was, taken := n.use[name]; taken {
		return was, false
	}
	if n.trunks[name] != nil {
		return "a trunk", false
	}
	n.use[name] = use
	return "", true
}

// badName says why the kernel would refuse name for an interface
// (dev_valid_name of net/core/dev.c), or why it fits on no line of ours.
func badName(name string, most int) string {
	strange := func(r rune) bool {
		return r == '/' || r == ':' || r == '%' || unicode.IsSpace(r) || !unicode.IsPrint(r)
	}
	switch {
	case name == "":
		return "has no name"
	case len(name) > most && most == maxDevice:
		return fmt.Sprintf("is longer than %d bytes (the far end is called <name>%s; choose a shorter name)", most, farEnd)
	case len(name) > most:
		return fmt.Sprintf("is longer than %d bytes (no interface can be called that)", most)
	case name == "." || name == ".." || strings.ContainsFunc(name, strange) || strings.ToValidUTF8(name, "") != name:
		return "is no interface name (no /, :, %, blanks or unprintable bytes)"
	case name == "all" || name == "default":
		return "is a name that the kernel keeps for itself, below /proc/sys/net/ipv4/conf (choose another name)"
	}
	return ""
}

// badAddress says why no host can have the address of p.
func badAddress(p netip.Prefix) string {
	a := p.Addr()
	switch {
	case !p.IsValid():
		return "is no address"
	case a.Is4In6():
		return fmt.Sprintf("is IPv4 written as IPv6 (give %s)", a.Unmap())
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || p.Bits() == 0:
		return "is no address of a host (give one like 172.17.1.2/24)"
	}
	return ""
}
