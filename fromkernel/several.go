package fromkernel

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
)

// ReadAll is Read for several devices, which are to be in one file. The name of a bridge stands for all vxlan devices in it.
func ReadAll(names []string, underlay string) (all []*Found, err error) {
	for _, name := range names {
		devices, err := devicesOf(name)
		if err != nil {
			return nil, err
		}
		for _, device := range devices {
			if slices.ContainsFunc(all, func(f *Found) bool { return f.Name == device }) {
				continue
			}
			f, err := Read(device, underlay)
			if err != nil {
				return nil, err
			}
			all = append(all, f)
		}
	}
	return all, nil
}

// devicesOf are the vxlan devices that a name stands for; what it is but for a bridge, Read says.
func devicesOf(name string) (all []string, err error) {
	link, err := netlink.LinkByName(name)
	if err != nil || link.Type() != "bridge" {
		return []string{name}, nil
	}
	ports, err := portsOf(link)
	if err != nil {
		return nil, err
	}
	for _, p := range ports {
		if p.Type() == "vxlan" {
			all = append(all, p.Attrs().Name)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no vxlan device is in the bridge %s (ip -d link show type vxlan lists those there are)", name)
	}
	return all, nil
}

// together says why devices cannot be in one file, which has one underlay.
func together(all []*Found) error {
	first := all[0]
	for _, f := range all[1:] {
		apart := ""
		switch {
		case f.Underlay != first.Underlay:
			apart = fmt.Sprintf("%s goes by %s, %s by %s", f.Name, f.Underlay, first.Name, first.Underlay)
		case f.Device.Port != first.Device.Port:
			apart = fmt.Sprintf("%s has dstport %d, %s %d", f.Name, f.Device.Port, first.Name, first.Device.Port)
		case f.VNI == first.VNI:
			apart = fmt.Sprintf("%s and %s both have VNI %d", f.Name, first.Name, f.VNI)
		default:
			for _, o := range all {
				if f.Local.IsValid() && o.Local.IsValid() && f.Local != o.Local && f.Local.Is4() == o.Local.Is4() {
					apart = fmt.Sprintf("%s has the address %s, %s has %s", f.Name, f.Local, o.Name, o.Local)
				}
			}
		}
		if apart != "" {
			return fmt.Errorf("%s, and one gw has one of these (print a file for each; two gateways want an underlay each)", apart)
		}
	}
	return nil
}

// locals are the outer source addresses of devices that are together: of both families, the one over IPv4 first.
func locals(all []*Found) (four, six netip.Addr) {
	for _, f := range all {
		switch {
		case f.Local.Is4():
			four = f.Local
		case f.Local.IsValid():
			six = f.Local
		}
	}
	return four, six
}
