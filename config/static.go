package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// Static is an entry of the FDB that is there from the start. Exactly one of
// Dst and Port is set.
//
// In a file the key port stands for Port, and beside dst, as in bridge(8), for UDPPort.
type Static struct {
	MAC MAC
	// Dst is the VTEP behind which the address lives.
	Dst netip.Addr
	// UDPPort and VNI are those of packets to Dst. Default (0): underlay.dstport, and the VNI
	// of the bridge domain.
	UDPPort uint16
	VNI     uint32
	// Port is the port or the device behind which it lives, one of this VNI.
	Port string
}

// staticSettings is a Static as it is written.
type staticSettings struct {
	// MAC is the unicast address. Required.
	MAC MAC `yaml:"mac" json:"mac"`
	// Dst is the VTEP behind which the address lives; it or port is required.
	Dst netip.Addr `yaml:"dst" json:"dst,omitzero"`
	// Port is the port or the device behind which the address lives, one of this VNI; beside dst
	// the UDP port of packets to it, by default underlay.dstport.
	Port portWord `yaml:"port,omitempty" json:"port,omitempty"`
	// VNI is in the VXLAN header of packets to dst. Default: that of the bridge domain.
	VNI uint32 `yaml:"vni,omitempty" json:"vni,omitempty"`
}

// portWord is the name of an interface, or the number of a UDP port.
type portWord string

// UnmarshalText takes it as it stands.
func (p *portWord) UnmarshalText(text []byte) error {
	*p = portWord(text)
	return nil
}

// MarshalJSON writes a number as one.
func (p portWord) MarshalJSON() ([]byte, error) {
	if n, err := strconv.ParseUint(string(p), 10, 16); err == nil && string(p) == strconv.FormatUint(n, 10) {
		return []byte(p), nil
	}
	return json.Marshal(string(p))
}

// UnmarshalJSON reads either.
func (p *portWord) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, (*string)(p))
	}
	var n json.Number
	err := json.Unmarshal(text, &n)
	*p = portWord(n)
	return err
}

// Remote is where packets to Dst go.
func (s *Static) Remote() Remote { return Remote{s.Dst, s.UDPPort, s.VNI} }

func (s Static) settings() staticSettings {
	out := staticSettings{s.MAC, s.Dst, portWord(s.Port), s.VNI}
	if s.UDPPort != 0 {
		out.Port = portWord(strconv.Itoa(int(s.UDPPort)))
	}
	return out
}

// set takes what was read, or says what is wrong with it.
func (s *Static) set(from staticSettings) string {
	*s = Static{MAC: from.MAC, Dst: from.Dst, VNI: from.VNI, Port: string(from.Port)}
	if !s.Dst.IsValid() || from.Port == "" {
		return ""
	}
	n, err := strconv.ParseUint(s.Port, 10, 16)
	if err != nil || n == 0 {
		return fmt.Sprintf("port %s is no UDP port (give 1-65535; a local port goes without dst)", show(s.Port))
	}
	s.UDPPort, s.Port = uint16(n), ""
	return ""
}

// MarshalYAML writes it with port for either.
func (s Static) MarshalYAML() (any, error) { return s.settings(), nil }

// MarshalJSON writes it with port for either.
func (s Static) MarshalJSON() ([]byte, error) { return json.Marshal(s.settings()) }

// UnmarshalJSON reads that.
func (s *Static) UnmarshalJSON(text []byte) error {
	var from staticSettings
	if err := json.Unmarshal(text, &from); err != nil {
		return err
	}
	if why := s.set(from); why != "" {
		return fmt.Errorf("fdb entry %s: %s", from.MAC, why)
	}
	return nil
}

// static decodes an entry.
func (d *decoder) static(path string, node ast.Node, s *Static) error {
	var from staticSettings
	if err := d.mapping(path, node, reflect.ValueOf(&from).Elem()); err != nil {
		return err
	}
	if why := s.set(from); why != "" {
		return d.errorf(node, "%s: %s", path, why)
	}
	return nil
}

// static takes an entry.
func (r *jsonReader) static(s *Static) bool {
	var from staticSettings
	_, ok := r.object(reflect.ValueOf(&from).Elem())
	return ok && s.set(from) == ""
}
