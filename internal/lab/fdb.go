package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// FDBEntry is one line of `bridge fdb show`.
type FDBEntry struct {
	MAC       net.HardwareAddr
	Dev       string
	Dst       netip.Addr // zero: none
	Master    string     // bridge whose table it is in; empty: the device's own (self)
	VLAN      int        // 0: none
	Permanent bool       // else learned or static
	Static    bool       // NUD_NOARP: does not age
	Extern    bool       // extern_learn
}

// String is the line as bridge(8) prints it, without the underlay link and VNI that are said only where they differ.
func (e FDBEntry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s dev %s", e.MAC, e.Dev)
	if e.Dst.IsValid() {
		fmt.Fprintf(&b, " dst %s", e.Dst)
	}
	if e.VLAN != 0 {
		fmt.Fprintf(&b, " vlan %d", e.VLAN)
	}
	if e.Master != "" {
		fmt.Fprintf(&b, " master %s", e.Master)
	} else {
		b.WriteString(" self")
	}
	if e.Extern {
		b.WriteString(" extern_learn")
	}
	if e.Permanent {
		b.WriteString(" permanent")
	} else if e.Static {
		b.WriteString(" static")
	}
	return b.String()
}

// FDB returns the forwarding entries of a device, both its own and those of the bridge it is in, sorted by their lines.
func (h *Host) FDB(dev string) ([]FDBEntry, error) {
	var out []FDBEntry
	err := h.change(dev, "list fdb of", func(l netlink.Link) error {
		all, err := dump(func() ([]netlink.Neigh, error) { return h.nl.NeighList(l.Attrs().Index, unix.AF_BRIDGE) })
		if err != nil {
			return err
		}
		for _, n := range all {
			e := FDBEntry{
				MAC: n.HardwareAddr, Dev: dev, VLAN: n.Vlan,
				Permanent: n.State&netlink.NUD_PERMANENT != 0,
				Static:    n.State&netlink.NUD_NOARP != 0,
				Extern:    n.Flags&netlink.NTF_EXT_LEARNED != 0,
			}
			if dst, ok := netip.AddrFromSlice(n.IP); ok {
				e.Dst = dst.Unmap()
			}
			if n.MasterIndex != 0 && n.Flags&netlink.NTF_SELF == 0 {
				m, err := h.nl.LinkByIndex(n.MasterIndex)
				if err != nil {
					return err
				}
				e.Master = m.Attrs().Name
			}
			out = append(out, e)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b FDBEntry) int { return strings.Compare(a.String(), b.String()) })
	return out, err
}

// AppendFDB adds one more destination for a MAC to a VXLAN device, as `bridge fdb append MAC dev DEV dst DST` does. The
// all-zero MAC is the list for broadcast, unknown unicast and multicast.
func (h *Host) AppendFDB(dev string, mac net.HardwareAddr, dst netip.Addr) error {
	return h.changeFDB(dev, "append", mac, dst, h.nl.NeighAppend)
}

// DeleteFDB removes a destination of a MAC. It is no error if there is none.
func (h *Host) DeleteFDB(dev string, mac net.HardwareAddr, dst netip.Addr) error {
	return h.changeFDB(dev, "delete", mac, dst, func(n *netlink.Neigh) error {
		if err := h.nl.NeighDel(n); !errors.Is(err, unix.ENOENT) {
			return err
		}
		return nil
	})
}

func (h *Host) changeFDB(dev, verb string, mac net.HardwareAddr, dst netip.Addr, do func(*netlink.Neigh) error) error {
	return h.change(dev, fmt.Sprintf("%s fdb entry %s dst %s on", verb, mac, dst), func(l netlink.Link) error {
		return do(&netlink.Neigh{
			LinkIndex: l.Attrs().Index, Family: unix.AF_BRIDGE, Flags: netlink.NTF_SELF,
			State: netlink.NUD_PERMANENT, IP: dst.AsSlice(), HardwareAddr: mac,
		})
	})
}
