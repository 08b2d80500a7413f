package config

import (
	"fmt"
	"net/netip"
)

// Named is an address of a VTEP or group, and where the configuration names it.
type Named struct {
	Addr netip.Addr
	vni  uint32
	as   string
	mac  MAC // of an FDB entry
}

// String says where, for people.
func (n Named) String() string {
	if n.mac != (MAC{}) {
		return fmt.Sprintf("vni %d: fdb entry %s: dst %s", n.vni, n.mac, n.Addr)
	}
	return fmt.Sprintf("vni %d: %s %s", n.vni, n.as, n.Addr)
}

// EachRemote calls f with every address of a VTEP or group that c names, lists that VNIs share once, until f returns false.
func (c *Config) EachRemote(f func(Named) bool) {
	var last []Remote
	for i := range c.VNIs {
		v := &c.VNIs[i]
		remotes := v.Remotes
		if len(remotes) > 0 && sameMemory(remotes, last) {
			remotes = nil
		}
		last = v.Remotes
		if !v.each(remotes, f) {
			return
		}
	}
}

// EachRemote is that of a Config for one VNI.
func (v *VNI) EachRemote(f func(Named) bool) { v.each(v.Remotes, f) }

func (v *VNI) each(remotes []Remote, f func(Named) bool) bool {
	if v.Group.IsValid() && !f(Named{Addr: v.Group, vni: v.VNI, as: "group"}) {
		return false
	}
	for _, r := range remotes {
		if !f(Named{Addr: r.Dst, vni: v.VNI, as: "remote"}) {
			return false
		}
	}
	for _, s := range v.FDB {
		if s.Dst.IsValid() && !f(Named{Addr: s.Dst, vni: v.VNI, mac: s.MAC}) {
			return false
		}
	}
	return true
}

// Waits tells a VNI that names no VTEP and no group: it waits for those that speak first.
func (v *VNI) Waits() bool {
	waits := true
	v.EachRemote(func(Named) bool { waits = false; return false })
	return waits
}
