package gateway

import (
	"fmt"
	"slices"
	"strings"

	"vxgw/config"
	"vxgw/control"
)

// The verbs of gw port.

// portOf is the port that c describes.
func portOf(c control.PortChange) (p config.Port, err error) {
	p = config.Port{Name: c.Name, Isolated: c.Isolated}
	if c.VLAN != "" {
		err = p.VLAN.UnmarshalText([]byte(c.VLAN))
	}
	if c.TPID != "" && err == nil {
		err = p.TPID.UnmarshalText([]byte(c.TPID))
	}
	if err != nil {
		err = control.Invalid{Err: err}
	}
	return p, err
}

// AddPort takes an interface, or a VLAN of one, as a port of a VNI.
func (g *Gateway) AddPort(c control.PortChange) error {
	c.Name = g.configuredAs(c.Name)
	port, err := portOf(c)
	if err != nil {
		return about("port add", err)
	}
	for _, v := range g.running().VNIs {
		if old := v.Port(c.Name); old != nil && (v.VNI == c.VNI || old.VLAN == port.VLAN || !old.Trunk() || !port.Trunk()) {
			return about("port add", control.Clash(fmt.Sprintf("%s is a port of vni %d already (gw port del %s first)", named(old), v.VNI, c.Name)))
		}
	}
	return about("port add", g.edit(c.VNI, func(v *config.VNI) error {
		v.Ports = append(slices.Clone(v.Ports), port)
		return nil
	}))
}

// named is a port with its VLAN, if it is one of a trunk.
func named(p *config.Port) string {
	if p.Trunk() {
		return fmt.Sprintf("%s vlan %s", p.Name, p.VLAN)
	}
	return p.Name
}

// DeletePort gives an interface back, or a VLAN of it, and takes away the static entries
// behind it.
func (g *Gateway) DeletePort(c control.PortChange) error {
	c.Name = g.configuredAs(c.Name)
	v, err := g.portToDelete(c)
	if err != nil {
		return about("port del", err)
	}
	return about("port del", g.edit(v, func(v *config.VNI) error {
		v.Ports = slices.DeleteFunc(slices.Clone(v.Ports), func(o config.Port) bool { return o.Name == c.Name })
		v.FDB = slices.DeleteFunc(slices.Clone(v.FDB), func(s config.Static) bool { return s.Port == c.Name })
		return nil
	}))
}

// portToDelete is the VNI that has the port c.
func (g *Gateway) portToDelete(c control.PortChange) (vni uint32, err error) {
	want, err := portOf(c)
	if err != nil {
		return 0, err
	}
	var is, found []string
	for _, v := range g.running().VNIs {
		if v.Device != nil && v.Device.Name == c.Name {
			return 0, fmt.Errorf("%s is the device of vni %d (it goes with gw vni del, or device: null in the file and a reload)", c.Name, v.VNI)
		}
		p := v.Port(c.Name)
		if p == nil {
			continue
		}
		is = append(is, fmt.Sprintf("%d", v.VNI))
		if (c.VNI == 0 || c.VNI == v.VNI) && (c.VLAN == "" || want.VLAN == p.VLAN) {
			found, vni = append(found, is[len(is)-1]), v.VNI
		}
	}
	switch {
	case len(is) == 0:
		return 0, control.Missing(fmt.Sprintf("%s is no port of this gateway (gw port show lists those there are)", c.Name))
	case len(found) == 0 && c.VLAN != "":
		return 0, control.Missing(fmt.Sprintf("%s has no such VLAN (gw port show lists those there are)", c.Name))
	case len(found) == 0:
		return 0, control.Missing(fmt.Sprintf("%s is a port of vni %s, not %d", c.Name, few(is), c.VNI))
	case len(found) > 1:
		return 0, fmt.Errorf("%s is a trunk, a port of vni %s: say which is meant (--vni VNI, or --vlan VLAN)", c.Name, few(found))
	}
	return vni, nil
}

// few is a list, cut short.
func few(all []string) string {
	if more := len(all) - 8; more > 0 {
		all = append(all[:8:8], fmt.Sprintf("and %d more", more))
	}
	return strings.Join(all, ", ")
}
