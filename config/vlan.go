package config

import (
	"fmt"
	"strconv"
	"strings"
)

// VLAN says what becomes of the VLAN tags of a port's frames: one of the words below, or
// the number of a VLAN, 1-4094.
type VLAN int16

// The words of VLAN.
const (
	// VLANKeep carries tags in the inner frame, as a bridge without VLAN filtering does.
	VLANKeep VLAN = 0
	// VLANUntagged maps what has no tag to the VNI: a trunk's native VLAN.
	VLANUntagged VLAN = -1
	// VLANStrip takes the tag off what comes in, and drops what would leave with one (RFC
	// 7348 section 6.1).
	VLANStrip VLAN = -2
	// VLANDrop drops what has a tag, in both directions.
	VLANDrop VLAN = -3
)

// MaxVLAN is the greatest VLAN there is (IEEE 802.1Q table 9-2).
const MaxVLAN = 4094

var vlanWords = map[VLAN]string{VLANKeep: "keep", VLANUntagged: "untagged", VLANStrip: "strip", VLANDrop: "drop"}

// Mapped reports whether v maps one VLAN of an interface to the VNI, which leaves its
// other VLANs to other VNIs.
func (v VLAN) Mapped() bool { return v > 0 || v == VLANUntagged }

// String returns the word or the number.
func (v VLAN) String() string {
	if word, ok := vlanWords[v]; ok {
		return word
	}
	return strconv.Itoa(int(v))
}

// MarshalText writes the word or the number.
func (v VLAN) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads a word or 1-4094.
func (v *VLAN) UnmarshalText(text []byte) error {
	s := string(text)
	for value, word := range vlanWords {
		if word == s {
			*v = value
			return nil
		}
	}
	n, err := parseUint(s, MaxVLAN)
	if err != nil || n == 0 {
		return fmt.Errorf("%s is no VLAN (give 1-%d, untagged, keep, strip or drop)", show(s), MaxVLAN)
	}
	*v = VLAN(n)
	return nil
}

// TPID is the EtherType of the tags of a trunk's VLANs.
type TPID uint16

// The values of TPID, named as in `ip link add type vlan protocol`.
const (
	TPID8021Q  TPID = 0 // 0x8100
	TPID8021ad TPID = 0x88a8
)

// EtherType is the number on the wire.
func (t TPID) EtherType() uint16 {
	if t == TPID8021Q {
		return 0x8100
	}
	return uint16(t)
}

// MarshalText writes the name.
func (t TPID) MarshalText() ([]byte, error) {
	if t == TPID8021ad {
		return []byte("802.1ad"), nil
	}
	return []byte("802.1Q"), nil
}

// UnmarshalText reads the name, in upper or lower case.
func (t *TPID) UnmarshalText(text []byte) error {
	switch strings.ToLower(string(text)) {
	case "802.1q":
		*t = TPID8021Q
	case "802.1ad":
		*t = TPID8021ad
	default:
		return fmt.Errorf("%s is no kind of tag (give 802.1Q or 802.1ad)", show(string(text)))
	}
	return nil
}

// ParsePort reads a port of the command line, NAME or NAME:VLAN. No interface has a colon
// in its name (dev_valid_name, net/core/dev.c).
func ParsePort(s string) (Port, error) {
	name, vlan, ruled := strings.Cut(s, ":")
	p := Port{Name: name}
	if ruled {
		if err := p.VLAN.UnmarshalText([]byte(vlan)); err != nil {
			return Port{}, fmt.Errorf("port %s: %w", show(name), err)
		}
	}
	return p, nil
}

// Trunk reports whether p is one VLAN of an interface.
func (p *Port) Trunk() bool { return p.VLAN.Mapped() }

// Meets reports whether p and o cannot both be there: they are one interface, and not
// two of its VLANs.
func (p *Port) Meets(o *Port) bool {
	return p.Name == o.Name && !(p.Trunk() && o.Trunk() && p.VLAN != o.VLAN && p.TPID == o.TPID)
}

// trunk is an interface of which VNIs have VLANs.
type trunk struct {
	tpid TPID
	vnis map[VLAN]uint32
}

// takeVLAN gives a VLAN of an interface its one use.
func (n names) takeVLAN(path string, vni uint32, p *Port) *problem {
	use, taken := n.use[p.Name]
	t := n.trunks[p.Name]
	switch {
	case taken:
		return wrong(path, "vni %d: port %s is %s already (an interface has one use, or is a trunk everywhere: a vlan of its own in each VNI)", vni, p.Name, use)
	case t == nil:
		t = &trunk{p.TPID, map[VLAN]uint32{}}
		n.trunks[p.Name] = t
	case t.tpid != p.TPID:
		a, _ := t.tpid.MarshalText()
		b, _ := p.TPID.MarshalText() // never fail
		return wrong(path, "vni %d: port %s has tpid %s here and %s elsewhere (a trunk has one kind of tag)", vni, p.Name, b, a)
	}
	if other, mapped := t.vnis[p.VLAN]; mapped {
		return wrong(path, "vni %d: port %s: vlan %s is that of vni %d already (a VLAN has one VNI)", vni, p.Name, p.VLAN, other)
	}
	t.vnis[p.VLAN] = vni
	return nil
}

// checkVLAN checks what a port says of tags.
func (p *Port) checkVLAN(path string, vni uint32) *problem {
	switch {
	case p.VLAN < VLANDrop || p.VLAN > MaxVLAN:
		return wrong(path, "vni %d: port %s: vlan %d is out of range (give 1-%d, untagged, keep, strip or drop)", vni, p.Name, p.VLAN, MaxVLAN)
	case p.TPID != TPID8021Q && p.TPID != TPID8021ad:
		return wrong(path, "vni %d: port %s: tpid %#x is unknown (give 802.1Q or 802.1ad)", vni, p.Name, uint16(p.TPID))
	case p.TPID != TPID8021Q && !p.Trunk():
		return wrong(path, "vni %d: port %s: tpid is for a VLAN of a trunk (give a number, or untagged, as vlan; or leave tpid out)", vni, p.Name)
	}
	return nil
}
