package config

import (
	"fmt"
	"net/netip"
	"time"
)

// Neighbour is an entry of the neighbour table that is there from the start, and that what is seen in traffic never moves.
type Neighbour struct {
	// IP is the address, of either family. Required.
	IP netip.Addr `yaml:"ip" json:"ip"`
	// MAC is the host's unicast address. Required.
	MAC MAC `yaml:"mac" json:"mac"`
	// VLAN is that of the tag that the host's frames have in the overlay, 1-4094. Default 0: none.
	VLAN uint16 `yaml:"vlan,omitempty" json:"vlan,omitempty"`
	// Router has advertisements on its behalf say that it is a router (IPv6). Default off.
	Router bool `yaml:"router,omitempty" json:"router,omitempty"`
}

func (v *VNI) checkNeigh(path string) *problem {
	if a := time.Duration(v.NeighAgeing); a < 0 || a%time.Second != 0 || a > mostSeconds*time.Second {
		return wrong(path+".neigh_ageing", "vni %d: neigh_ageing %s is out of range (give whole seconds like 300s, or 0s for never)", v.VNI, a)
	}
	type place struct {
		ip   netip.Addr
		vlan uint16
	}
	first := make(map[place]bool)
	for i, n := range v.Neigh {
		at := fmt.Sprintf("%s.neigh[%d]", path, i)
		if why := BadNeighbour(n.IP); why != "" {
			return wrong(at, "vni %d: neigh entry %s", v.VNI, why)
		}
		if n.MAC == (MAC{}) || n.MAC[0]&1 != 0 {
			return wrong(at, "vni %d: neigh entry %s: %s is not a unicast address (give mac)", v.VNI, n.IP, n.MAC)
		}
		if n.VLAN > MaxVLAN {
			return wrong(at, "vni %d: neigh entry %s: vlan %d is out of range (give 1-%d, or leave it out)", v.VNI, n.IP, n.VLAN, MaxVLAN)
		}
		if first[place{n.IP, n.VLAN}] {
			return wrong(at, "vni %d: neigh entry %s is given twice (leave one out)", v.VNI, n.IP)
		}
		first[place{n.IP, n.VLAN}] = true
	}
	if len(v.Neigh) > 0 && !v.NeighSuppress {
		return wrong(path+".neigh", "vni %d: nothing uses neigh entries without neigh_suppress (say neigh_suppress: true, or leave them out)", v.VNI)
	}
	return nil
}

// BadNeighbour says why no host has an address, in words that begin with it; empty if one can.
func BadNeighbour(a netip.Addr) string {
	first := byte(0)
	if a.Is4() {
		first = a.As4()[0]
	}
	switch {
	case !a.IsValid():
		return "lacks an address (give ip)"
	case a.Zone() != "":
		return fmt.Sprintf("%s has a zone (leave %%%s out)", a, a.Zone())
	case a.Is4In6():
		return fmt.Sprintf("%s is an IPv4 address in IPv6 form (give %s)", a, a.Unmap())
	case a.IsMulticast(), a.IsUnspecified(), a.IsLoopback(), a.Is4() && (first == 0 || first == 127 || first >= 240):
		return fmt.Sprintf("%s is no address of a host (give a unicast one)", a)
	}
	return ""
}
