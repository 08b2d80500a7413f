package gateway

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"vxgw/config"
	"vxgw/netdev"
)

// member is a port of a bridge domain as it is configured, open or not: an interface
// that is there, or a device that gw makes.
type member struct {
	d    *domain
	name string
	dev  *config.Device   // nil for an interface
	mac  net.HardwareAddr // that the device had before, by which others know it; nil for a new one
	vlan config.VLAN      // of an interface
	tpid config.TPID
}

func (m member) String() string {
	if m.dev != nil {
		return "device " + m.name
	}
	if m.vlan.Mapped() {
		return fmt.Sprintf("port %s vlan %s", m.name, m.vlan)
	}
	return "port " + m.name
}

// same says whether o is the same interface in the same use. Rules for its tags may differ.
func (m member) same(o member) bool {
	if m.name != o.name || (m.dev == nil) != (o.dev == nil) || m.vlan.Mapped() != o.vlan.Mapped() {
		return false
	}
	return !m.vlan.Mapped() || m.vlan == o.vlan && m.tpid == o.tpid
}

// names are the interface names that m takes.
func (m member) names() []string {
	if m.dev != nil {
		return []string{m.name, netdev.FarEnd(m.name)}
	}
	return []string{m.name}
}

// meets says whether m and o take one name, and are not just two VLANs of a trunk.
func (m member) meets(o member) bool {
	if m.dev == nil && o.dev == nil {
		return m.port().Meets(o.port())
	}
	return slices.ContainsFunc(m.names(), func(n string) bool { return slices.Contains(o.names(), n) })
}

// members lists what d has by the configuration v.
func members(d *domain, v *config.VNI) (all []member) {
	if v.Device != nil {
		all = append(all, member{d: d, name: v.Device.Name, dev: v.Device})
	}
	for _, p := range v.Ports {
		all = append(all, member{d: d, name: p.Name, vlan: p.VLAN, tpid: p.TPID})
	}
	return all
}

func contains(all []member, m member) bool { return slices.ContainsFunc(all, m.same) }

// member is the use of an open port.
func (p *port) member() member {
	m := member{d: p.domain, name: p.label(), vlan: p.vlan, tpid: p.tpid}
	if p.pair != nil {
		m.dev, m.mac = p.domain.cfg.Device, hardwareAddr(p.mac.Load())
	}
	return m
}

// openMember opens m; workers have it after takeIn.
func (g *Gateway) openMember(m member) (p *port, err error) {
	if m.dev != nil {
		p, err = g.openDevice(m.d, m.dev, m.mac)
	} else if m.vlan.Mapped() {
		p, err = g.openVLAN(m)
	} else {
		p, err = g.openPort(m, nil)
	}
	if err != nil && m.dev == nil {
		err = fmt.Errorf("%s: %w", m, err)
	}
	if err != nil {
		return nil, fmt.Errorf("vni %d: %w", m.d.cfg.VNI, err)
	}
	return p, nil
}

// port is how m would stand in a file.
func (m member) port() *config.Port { return &config.Port{Name: m.name, VLAN: m.vlan, TPID: m.tpid} }

// look says why m cannot be opened, without touching anything. What is found of interfaces
// is kept in seen.
func (g *Gateway) look(m member, seen infos) error {
	var err error
	if m.dev != nil {
		err = g.fitDevice(m.dev, m.d.cfg)
	} else {
		var info netdev.Info
		if info, err = seen.lookup(m.name); err != nil {
			err = notThere(err)
		} else if was := g.configuredAs(m.name); was != m.name {
			err = fmt.Errorf("it is a port already, by the name %s that it had (keep that name until gw is started again, or gw port del %s first)", was, was)
		} else {
			err = errors.Join(fitPort(info), g.carries(info))
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", m, err)
		}
	}
	if err != nil {
		return fmt.Errorf("vni %d: %w", m.d.cfg.VNI, err)
	}
	return nil
}

// absence is a member that was open and is not there now.
type absence struct {
	member
	why string // it cannot be opened although it is there; "" when it is not
}

// absence finds that of a member of d, nil for one that is not absent.
func (d *domain) absence(m member) *absence {
	for _, a := range d.absent {
		if a.same(m) {
			return a
		}
	}
	return nil
}

// forget strikes members from the absent ones. The steward calls it.
func (g *Gateway) forget(gone []member) {
	g.alter(func() {
		for _, m := range gone {
			m.d.absent = slices.DeleteFunc(slices.Clone(m.d.absent), func(a *absence) bool { return a.same(m) })
		}
	})
}
