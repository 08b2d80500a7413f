package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"vxgw/config"
	"vxgw/control"
)

// The verbs of gw vni, gw remote and gw port. Each is a small change of the
// configuration in force, carried out as a reload is: when it returns without error,
// workers act on it. A later reload makes the configuration that of the file.

// VNIs lists the VNIs in force, each as it would stand in a file.
func (g *Gateway) VNIs() []json.RawMessage {
	all := []json.RawMessage{}
	for _, v := range g.running().VNIs {
		if text, err := json.Marshal(v); err == nil { // it has nothing that cannot be written
			all = append(all, text)
		}
	}
	return all
}

// AddVNI makes bridge domains of what would be an element of vnis in a file.
func (g *Gateway) AddVNI(text json.RawMessage) error {
	return about("vni add", g.rebuild(func() error {
		added, err := g.base.ParseVNIs(text)
		if err != nil {
			return err
		}
		next := g.running()
		there := map[uint32]bool{}
		for _, v := range next.VNIs {
			there[v.VNI] = true
		}
		c := config.Changes{}
		for i := range added {
			if n := added[i].VNI; there[n] {
				return control.Clash(fmt.Sprintf("vni %d is there already (gw vni del %d first, or change its ports and remotes)", n, n))
			}
			c.Add = append(c.Add, &added[i])
		}
		next.VNIs = append(next.VNIs, added...)
		if err := next.Validate(); err != nil {
			return err
		}
		if err := checkRemotes(&config.Config{VNIs: added}, g.own()); err != nil {
			return err
		}
		return g.apply(c, false)
	}))
}

// SetVNI gives a bridge domain the settings that an element of vnis in a file names; the others stay.
func (g *Gateway) SetVNI(text json.RawMessage) error {
	var of struct {
		VNI uint32 `json:"vni"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return about("vni set", &config.Error{Problem: "which VNI? (give an object with a number, {\"vni\": 42, ...})"})
	}
	return about("vni set", g.edit(of.VNI, func(v *config.VNI) error {
		next, err := v.With(text)
		if err == nil {
			*v = *next
		}
		return err
	}))
}

// DeleteVNI takes a bridge domain away, with its device.
func (g *Gateway) DeleteVNI(vni uint32) error { return g.DeleteVNIs(control.VNIRange{VNI: vni}) }

// DeleteVNIs takes all bridge domains of a range away, or none if one of them is not there.
func (g *Gateway) DeleteVNIs(r control.VNIRange) error {
	last := max(r.Last, r.VNI)
	if r.VNI == 0 || last > config.MaxVNI || r.Last != 0 && r.Last < r.VNI {
		return control.Invalid{Err: fmt.Errorf("vni del: %d-%d is no range of VNIs (give the first and the last, 1-%d)", r.VNI, r.Last, config.MaxVNI)}
	}
	return about("vni del", g.rebuild(func() error {
		next, there := g.running(), map[uint32]*config.VNI{}
		for i := range next.VNIs {
			there[next.VNIs[i].VNI] = &next.VNIs[i]
		}
		var c config.Changes
		for vni := r.VNI; vni <= last; vni++ {
			if there[vni] == nil {
				return noVNI(vni)
			}
			c.Remove = append(c.Remove, there[vni])
		}
		return g.apply(c, false)
	}))
}

// AddRemote has frames of a VNI flooded to one more VTEP.
func (g *Gateway) AddRemote(c control.RemoteChange) error {
	return about("remote add", g.order(func() (bool, error) {
		d, err := g.ofVNI(c.VNI)
		if err != nil {
			return false, err
		}
		change := floodChange(d, c)
		if err := change.Check("append"); err != nil {
			return false, control.Invalid{Err: err}
		}
		if to := g.dst(d, change); slices.Contains(d.flood.remotes[d.grouped():], to) {
			return false, control.Clash(fmt.Sprintf("%s is a remote of vni %d already", to, c.VNI))
		}
		return g.changeFlood("append", d, change)
	}))
}

// DeleteRemote has them flooded to one VTEP less.
func (g *Gateway) DeleteRemote(c control.RemoteChange) error {
	return about("remote del", g.order(func() (bool, error) {
		d, err := g.ofVNI(c.VNI)
		if err != nil {
			return false, err
		}
		change := floodChange(d, c)
		if to := g.dst(d, change); !slices.Contains(d.flood.remotes, to) {
			return false, control.Missing(fmt.Sprintf("%s is no remote of vni %d (gw remote show --vni %d lists those there are)", to, c.VNI, c.VNI))
		}
		return g.changeFlood("del", d, change)
	}))
}

// bare is an address as remotes have it, for looking one up.
func bare(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// floodChange says the same in the words of gw fdb.
func floodChange(d *domain, c control.RemoteChange) *control.FDBChange {
	change := &control.FDBChange{MAC: control.ZeroMAC, Dev: d.cfg.DomainName(), Dst: c.Address}
	if c.Port != 0 {
		change.Port = &c.Port
	}
	if c.RemoteVNI != 0 {
		change.VNI = &c.RemoteVNI
	}
	return change
}

// ofVNI finds a bridge domain. The steward calls it.
func (g *Gateway) ofVNI(vni uint32) (*domain, error) {
	for _, d := range g.domains {
		if d != nil && d.cfg.VNI == vni {
			return d, nil
		}
	}
	return nil, noVNI(vni)
}

func noVNI(vni uint32) error {
	return control.Missing(fmt.Sprintf("there is no vni %d (gw vni show lists those there are)", vni))
}

// about says what an error is about, and whether it is about a value that no gateway takes.
func about(verb string, err error) error {
	if err == nil {
		return nil
	}
	named := fmt.Errorf("%s: %w", verb, err)
	if errors.As(err, new(*config.Error)) {
		return control.Invalid{Err: named}
	}
	return named
}

// told is about for a change whose values are right: what is wrong then is that they do not go with what there is.
func told(verb string, err error) error {
	if bad := (*config.Error)(nil); errors.As(err, &bad) {
		err = errors.New(bad.Problem)
	}
	return about(verb, err)
}
