package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// Remote is a VTEP that gets a copy of each flooded frame. Where nothing but the address is
// said it is written as the bare address.
type Remote struct {
	// Dst is its address. Required.
	Dst netip.Addr `yaml:"dst" json:"dst"`
	// Port is the UDP port that packets to it go to. Default (0): underlay.dstport.
	Port uint16 `yaml:"port,omitempty" json:"port,omitempty"`
	// VNI is in the VXLAN header of packets to it. Default (0): that of the bridge domain.
	VNI uint32 `yaml:"vni,omitempty" json:"vni,omitempty"`
}

// remoteSettings is a Remote as a mapping.
type remoteSettings Remote

// Plain returns r with nothing said that holds anyway in the VNI vni of a gateway whose UDP port
// is dstport: what is equal then is the same destination.
func (r Remote) Plain(vni uint32, dstport uint16) Remote {
	if r.Port == dstport {
		r.Port = 0
	}
	if r.VNI == vni {
		r.VNI = 0
	}
	return r
}

// String is the address, and the rest in the words of bridge(8).
func (r Remote) String() string {
	s := r.Dst.String()
	if r.Port != 0 {
		s += fmt.Sprintf(" port %d", r.Port)
	}
	if r.VNI != 0 {
		s += fmt.Sprintf(" vni %d", r.VNI)
	}
	return s
}

// bare says whether an address says it all.
func (r Remote) bare() bool { return r == (Remote{Dst: r.Dst}) }

// UnmarshalText reads the bare address.
func (r *Remote) UnmarshalText(text []byte) error {
	*r = Remote{}
	return unmarshal(&r.Dst, string(text))
}

// MarshalYAML writes the bare address or the mapping.
func (r Remote) MarshalYAML() (any, error) {
	if r.bare() {
		return r.Dst, nil
	}
	return remoteSettings(r), nil
}

// MarshalJSON writes the bare address or the mapping.
func (r Remote) MarshalJSON() ([]byte, error) {
	if r.bare() {
		return json.Marshal(r.Dst)
	}
	return json.Marshal(remoteSettings(r))
}

// UnmarshalJSON reads either.
func (r *Remote) UnmarshalJSON(text []byte) error {
	*r = Remote{}
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &r.Dst)
	}
	return json.Unmarshal(text, (*remoteSettings)(r))
}

// remote decodes a remote, which is an address or a mapping.
func (d *decoder) remote(path string, node ast.Node, r *Remote) error {
	switch node.(type) {
	case ast.MapNode:
		if _, ok := unquoted(node); ok {
			return d.text(path, node, r)
		}
		return d.mapping(path, node, reflect.ValueOf((*remoteSettings)(r)).Elem())
	case *ast.SequenceNode, *ast.BoolNode:
		return d.errorf(node, "%s is %s, not a remote (give its address, or {dst: 10.65.132.188, port: 8472, vni: 100})", path, kind(node))
	}
	return d.text(path, node, r)
}

// remote takes either.
func (r *jsonReader) remote(to *Remote) bool {
	if r.space(); r.at < len(r.text) && r.text[r.at] == '{' {
		_, ok := r.object(reflect.ValueOf((*remoteSettings)(to)).Elem())
		return ok
	}
	s, ok := r.quoted()
	return ok && to.UnmarshalText(s) == nil
}

// settle takes out of remotes and static entries what holds anyway, so that what is equal looks
// equal.
func (c *Config) settle() {
	c.Remotes = plain(c.Remotes, 0, c.Underlay.DstPort)
	var last []Remote // the last list that is plain as it stands
	for i := range c.VNIs {
		v := &c.VNIs[i]
		known := len(v.Remotes) > 0 && sameMemory(v.Remotes, last)
		v.settle(c.Underlay.DstPort, known)
		if !known && !slices.ContainsFunc(v.Remotes, func(r Remote) bool { return r.VNI != 0 }) {
			last = v.Remotes
		}
	}
}

// settle is that of one VNI, whose remotes may be known to need nothing.
func (v *VNI) settle(dstport uint16, known bool) {
	if !known {
		v.Remotes = plain(v.Remotes, v.VNI, dstport)
	}
	needs := func(s Static) bool { return s.Remote() != s.Remote().Plain(v.VNI, dstport) }
	if !slices.ContainsFunc(v.FDB, needs) {
		return
	}
	v.FDB = slices.Clone(v.FDB) // other VNIs may share it
	for i := range v.FDB {
		r := v.FDB[i].Remote().Plain(v.VNI, dstport)
		v.FDB[i].UDPPort, v.FDB[i].VNI = r.Port, r.VNI
	}
}

// plain returns remotes without what holds anyway; the same list where there is none of that.
func plain(remotes []Remote, vni uint32, dstport uint16) []Remote {
	needs := func(r Remote) bool { return r != r.Plain(vni, dstport) }
	if !slices.ContainsFunc(remotes, needs) {
		return remotes
	}
	out := make([]Remote, len(remotes))
	for i, r := range remotes {
		out[i] = r.Plain(vni, dstport)
	}
	return out
}

// checkOverrides says what is wrong with the port and VNI of packets to one destination.
func checkOverrides(vni uint32) string {
	if vni > MaxVNI {
		return fmt.Sprintf("vni %d is out of range (give 1-%d, or leave it out for that of the bridge domain)", vni, MaxVNI)
	}
	return ""
}
