package config

import (
	"encoding/json"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// Port is a local interface whose frames are bridged. Where nothing but the name is
// said it is written as the bare name.
type Port struct {
	// Name of the interface. Required.
	Name string `yaml:"name" json:"name"`
	// Isolated keeps frames of this port from other isolated ports of the VNI; it
	// reaches tunnels, the device and ports that are not isolated. Default off, as
	// `bridge link set dev X isolated` has it.
	Isolated bool `yaml:"isolated,omitempty" json:"isolated,omitempty"`
	// VLAN is what becomes of VLAN tags, or which VLAN of the interface is bridged: its
	// tag is taken off and put on again. Default keep, as in the kernel.
	VLAN VLAN `yaml:"vlan,omitempty" json:"vlan,omitempty"`
	// TPID is the kind of tag that VLAN is about. Default 802.1Q.
	TPID TPID `yaml:"tpid,omitempty" json:"tpid,omitempty"`
}

// portSettings is a Port as a mapping.
type portSettings Port

// UnmarshalText reads the bare name.
func (p *Port) UnmarshalText(text []byte) error {
	*p = Port{Name: string(text)}
	return nil
}

// MarshalYAML writes the bare name or the mapping.
func (p Port) MarshalYAML() (any, error) {
	if p == (Port{Name: p.Name}) {
		return p.Name, nil
	}
	return portSettings(p), nil
}

// MarshalJSON writes the bare name or the mapping.
func (p Port) MarshalJSON() ([]byte, error) {
	if p == (Port{Name: p.Name}) {
		return json.Marshal(p.Name)
	}
	return json.Marshal(portSettings(p))
}

// UnmarshalJSON reads either.
func (p *Port) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*p = Port{}
		return json.Unmarshal(text, &p.Name)
	}
	return json.Unmarshal(text, (*portSettings)(p))
}

// port decodes a port, which is a name or a mapping.
func (d *decoder) port(path string, node ast.Node, p *Port) error {
	switch node.(type) {
	case ast.MapNode:
		return d.mapping(path, node, reflect.ValueOf((*portSettings)(p)).Elem())
	case *ast.SequenceNode, *ast.BoolNode:
		return d.errorf(node, "%s is %s, not a port (give its name, or {name: veth1, vlan: 100})", path, kind(node))
	}
	return d.text(path, node, p)
}

// port takes either.
func (r *jsonReader) port(p *Port) bool {
	if r.space(); r.at < len(r.text) && r.text[r.at] == '{' {
		_, ok := r.object(reflect.ValueOf((*portSettings)(p)).Elem())
		return ok
	}
	s, ok := r.quoted()
	p.Name = string(s)
	return ok
}

// Port returns the port with that name, nil if v has none.
func (v *VNI) Port(name string) *Port {
	if i := slices.IndexFunc(v.Ports, func(p Port) bool { return p.Name == name }); i >= 0 {
		return &v.Ports[i]
	}
	return nil
}
