package netdev

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
)

// VLAN says what a VLAN device is: a tag on an interface below it.
type VLAN struct {
	Type uint16 // EtherType: 0x8100 (802.1Q) or 0x88a8 (802.1ad)
	ID   uint16
	// Below is the index of that interface. Elsewhere says that it is in another network
	// namespace, and the index one there.
	Below     int
	Elsewhere bool
}

func vlanOf(link netlink.Link) VLAN {
	v, ok := link.(*netlink.Vlan)
	if !ok {
		return VLAN{}
	}
	return VLAN{Type: uint16(v.VlanProtocol), ID: uint16(v.VlanId), Below: v.ParentIndex, Elsewhere: v.NetNsID >= 0}
}

// LookupIndex returns what is known of the interface with an index.
func LookupIndex(ifindex int) (Info, error) {
	link, err := netlink.LinkByIndex(ifindex)
	if err != nil {
		return Info{}, fmt.Errorf("look up interface %d: %w", ifindex, err)
	}
	return describe(link)
}

// vlanAdvice says how the VLAN device is made that a name such as ens18.100 asks for, where there is
// an interface for it among names; else nothing.
func vlanAdvice(name string, names []string) string {
	below, tag, ok := strings.Cut(name, ".")
	id, err := strconv.ParseUint(tag, 10, 16)
	if !ok || err != nil || id < 1 || id > 4094 || !slices.Contains(names, below) {
		return ""
	}
	advice := fmt.Sprintf("make the VLAN: ip link add link %s name %s type vlan id %d", below, name, id)
	if _, err := os.Stat("/proc/net/vlan"); err != nil {
		advice += "; this kernel has no VLAN devices now, which the module 8021q brings (CONFIG_VLAN_8021Q)"
	}
	return advice
}
