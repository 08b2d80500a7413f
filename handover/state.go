package handover

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
)

// Version is that of the form of a State. Another one cannot be read: a gateway then starts as if nothing had been handed
// over.
const Version = 1

// State is what a gateway knew at its end that does not follow from its configuration. Encoded it is one line of JSON,
// and then the records of the tables, which may be millions, each of a fixed length.
type State struct {
	Version int    `json:"version"`
	Program string `json:"program"` // version of the gw that wrote it
	Origin  string `json:"origin"`  // boot and network namespace
	Iface   string `json:"iface"`   // the underlay, as the gateway was started with it

	Devices []Device `json:"devices,omitempty"`
	VNIs    []uint32 `json:"vnis,omitempty"`    // that records mean by their place here
	Remotes []Remote `json:"remotes,omitempty"` // the same
	Ports   []Port   `json:"ports,omitempty"`   // the same

	Entries    []Entry     `json:"-"`
	Neighbours []Neighbour `json:"-"`
}

// Device is a veth pair that the gateway has made, and leaves.
type Device struct {
	Name      string         `json:"name"`
	MTU       int            `json:"mtu"` // that the gateway has given it last
	Addresses []netip.Prefix `json:"addresses,omitempty"`
}

// Remote is a VTEP, with a UDP port and VNI of its own where those are not 0.
type Remote struct {
	Addr     netip.Addr `json:"addr"`
	Port     uint16     `json:"port,omitempty"`
	VNI      uint32     `json:"vni,omitempty"`
	Followed bool       `json:"followed,omitempty"` // somebody sends to it
}

// Port is a port by its name, or a VLAN of a trunk.
type Port struct {
	Name  string `json:"name"`
	Trunk bool   `json:"trunk,omitempty"`
	VLAN  uint16 `json:"vlan,omitempty"`
}

// Entry is an entry of a MAC table.
type Entry struct {
	VNI    uint16 // its place in State.VNIs
	Kind   uint8  // of package fdb
	Stays  uint8  // how long, in the words of bridge(8), as package gateway numbers them
	MAC    uint64 // 48 bits
	Dest   uint32 // its place in State.Ports, or in State.Remotes
	Age    uint32 // seconds
	Remote bool   // which of the two
}

// Neighbour is an entry of a neighbour table.
type Neighbour struct {
	VNI    uint16 // its place in State.VNIs
	VLAN   uint16
	Kind   uint8 // of package neigh
	Router bool
	Sure   bool
	Hi, Lo uint64 // the IP address, as package neigh has it
	MAC    uint64
	Age    uint32 // seconds
}

// Oldest is the largest age of all entries, in seconds.
func (s *State) Oldest() (age uint32) {
	const most = 10 * 365 * 24 * 60 * 60 // no clock of entries runs for longer
	for i := range s.Entries {
		age = max(age, s.Entries[i].Age)
	}
	for i := range s.Neighbours {
		age = max(age, s.Neighbours[i].Age)
	}
	return min(age, most)
}

const (
	entryLen     = 21
	neighbourLen = 34
)

// header is a State's line of JSON.
type header struct {
	*State
	Entries    int `json:"entries"`
	Neighbours int `json:"neighbours"`
}

// Encode returns s as Decode reads it.
func (s *State) Encode() ([]byte, error) {
	s.Version = Version
	line, err := json.Marshal(header{s, len(s.Entries), len(s.Neighbours)})
	if err != nil {
		return nil, fmt.Errorf("encode what is handed over: %w", err)
	}
	out := make([]byte, 0, len(line)+1+len(s.Entries)*entryLen+len(s.Neighbours)*neighbourLen)
	out = append(append(out, line...), '\n')
	le := binary.LittleEndian
	for i := range s.Entries {
		e := &s.Entries[i]
		out = append(le.AppendUint16(out, e.VNI), e.Kind, e.Stays)
		out = le.AppendUint32(le.AppendUint32(le.AppendUint64(out, e.MAC), e.Dest), e.Age)
		out = append(out, bits(e.Remote))
	}
	for i := range s.Neighbours {
		n := &s.Neighbours[i]
		out = append(le.AppendUint16(le.AppendUint16(out, n.VNI), n.VLAN), n.Kind, bits(n.Router, n.Sure))
		out = le.AppendUint64(le.AppendUint64(le.AppendUint64(out, n.Hi), n.Lo), n.MAC)
		out = le.AppendUint32(out, n.Age)
	}
	return out, nil
}

// bits puts booleans into a byte, the first one lowest.
func bits(all ...bool) (b uint8) {
	for i, v := range all {
		if v {
			b |= 1 << i
		}
	}
	return b
}

// Decode reads what Encode has made. Records may still mean what is not there: whoever uses them looks.
func Decode(text []byte) (*State, error) {
	line, rest, found := bytes.Cut(text, []byte{'\n'})
	if !found {
		return nil, errors.New("what was handed over is no state of a gateway")
	}
	var v struct {
		Version int
		Program string
	}
	if err := json.Unmarshal(line, &v); err != nil {
		return nil, fmt.Errorf("what was handed over is no state of a gateway: %w", err)
	}
	if v.Version != Version {
		return nil, fmt.Errorf("what gw %s has handed over is of version %d, and this one reads version %d", v.Program, v.Version, Version)
	}
	h := header{State: &State{}}
	if err := json.Unmarshal(line, &h); err != nil {
		return nil, fmt.Errorf("read the state of a gateway: %w", err)
	}
	s := h.State
	if h.Entries < 0 || h.Neighbours < 0 || h.Entries > len(rest) || h.Neighbours > len(rest) ||
		len(rest) != h.Entries*entryLen+h.Neighbours*neighbourLen {
		return nil, fmt.Errorf("read the state of a gateway: %d bytes for %d entries and %d neighbours", len(rest), h.Entries, h.Neighbours)
	}
	le := binary.LittleEndian
	for ; len(s.Entries) < h.Entries; rest = rest[entryLen:] {
		s.Entries = append(s.Entries, Entry{
			VNI: le.Uint16(rest), Kind: rest[2], Stays: rest[3], MAC: le.Uint64(rest[4:]),
			Dest: le.Uint32(rest[12:]), Age: le.Uint32(rest[16:]), Remote: rest[20]&1 != 0,
		})
	}
	for ; len(s.Neighbours) < h.Neighbours; rest = rest[neighbourLen:] {
		s.Neighbours = append(s.Neighbours, Neighbour{
			VNI: le.Uint16(rest), VLAN: le.Uint16(rest[2:]), Kind: rest[4], Router: rest[5]&1 != 0, Sure: rest[5]&2 != 0,
			Hi: le.Uint64(rest[6:]), Lo: le.Uint64(rest[14:]), MAC: le.Uint64(rest[22:]), Age: le.Uint32(rest[30:]),
		})
	}
	return s, nil
}
