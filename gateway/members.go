package gateway

import (
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
}

func (m member) String() string {
	if m.dev != nil {
		return "device " + m.name
	}
	return "port " + m.name
}

// same says whether o is the same interface in the same use.
func (m member) same(o member) bool { return m.name == o.name && (m.dev == nil) == (o.dev == nil) }

// names are the interface names that m takes.
func (m member) names() []string {
	if m.dev != nil {
		return []string{m.name, netdev.FarEnd(m.name)}
	}
	return []string{m.name}
}

// meets says whether m and o take one name.
func (m member) meets(o member) bool {
	return slices.ContainsFunc(m.names(), func(n string) bool { return slices.Contains(o.names(), n) })
}

// members lists what d has by the configuration v.
func members(d *domain, v *config.VNI) (all []member) {
	if v.Device != nil {
		all = append(all, member{d: d, name: v.Device.Name, dev: v.Device})
	}
	for _, p := range v.Ports {
		all = append(all, member{d: d, name: p.Name})
	}
	return all
}

func contains(all []member, m member) bool { return slices.ContainsFunc(all, m.same) }

// member is the use of an open port.
func (p *port) member() member {
	m := member{d: p.domain, name: p.label()}
	if p.pair != nil {
		m.dev, m.mac = p.domain.cfg.Device, hardwareAddr(p.mac.Load())
	}
	return m
}

// openMember opens m; workers have it after takeIn.
func (g *Gateway) openMember(m member) (p *port, err error) {
	if m.dev != nil {
		p, err = g.openDevice(m.d, m.dev, m.mac)
	} else if p, err = g.openPort(m.d, m.name, nil, g.innerMTU(m.d.cfg)); err != nil {
		err = fmt.Errorf("port %s: %w", m.name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("vni %d: %w", m.d.cfg.VNI, err)
	}
	return p, nil
}

// look says why m cannot be opened, without touching anything.
func (g *Gateway) look(m member) error {
	var err error
	if m.dev != nil {
		err = fitDevice(m.dev, g.deviceMTU(m.d.cfg), g.overhead(m.d.cfg))
	} else {
		var info netdev.Info
		if info, err = netdev.Lookup(m.name); err != nil {
			err = notThere(err)
		} else {
			err = fitPort(info)
		}
		if err != nil {
			err = fmt.Errorf("port %s: %w", m.name, err)
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
