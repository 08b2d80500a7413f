package config

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Mode is how XDP is attached and sockets are bound.
type Mode string

// The modes, best first; auto takes the first that binds.
const (
	ModeAuto     Mode = "auto"
	ModeZeroCopy Mode = "zerocopy"
	ModeCopy     Mode = "copy"
	ModeGeneric  Mode = "generic" // XDP in SKB mode, copy
)

// DF is how the outer don't-fragment bit is set.
type DF string

// The settings of DF, named as in `ip link add type vxlan`.
const (
	DFUnset   DF = "unset"
	DFSet     DF = "set"
	DFInherit DF = "inherit" // the inner packet's, IPv4; set for IPv6
)

// PortRange is the lowest and the highest UDP port of a range, both inclusive.
type PortRange [2]uint16

// TTL is a time to live in hops, TTLAuto or TTLInherit.
type TTL int16

const (
	// TTLAuto is 64 for a unicast remote and 1 for a multicast group.
	TTLAuto TTL = 0
	// TTLInherit takes the TTL or hop limit from the inner packet.
	TTLInherit TTL = -1
)

// MarshalText writes auto, inherit or the number.
func (t TTL) MarshalText() ([]byte, error) {
	switch t {
	case TTLAuto:
		return []byte("auto"), nil
	case TTLInherit:
		return []byte("inherit"), nil
	}
	return strconv.AppendInt(nil, int64(t), 10), nil
}

// UnmarshalText reads auto, inherit or 1-255.
func (t *TTL) UnmarshalText(text []byte) error {
	switch s := string(text); s {
	case "auto":
		*t = TTLAuto
	case "inherit":
		*t = TTLInherit
	default:
		n, err := parseUint(s, 255)
		if err != nil || n == 0 {
			return fmt.Errorf("%s is not a TTL (give 1-255, auto or inherit)", show(s))
		}
		*t = TTL(n)
	}
	return nil
}

// TOS is a type of service byte, or TOSInherit.
type TOS int16

// TOSInherit takes the byte from the inner packet.
const TOSInherit TOS = -1

// MarshalText writes inherit or the number.
func (t TOS) MarshalText() ([]byte, error) {
	if t == TOSInherit {
		return []byte("inherit"), nil
	}
	return strconv.AppendInt(nil, int64(t), 10), nil
}

// UnmarshalText reads inherit or 0-255, in hexadecimal too (0xb8).
func (t *TOS) UnmarshalText(text []byte) error {
	s := string(text)
	if s == "inherit" {
		*t = TOSInherit
		return nil
	}
	n, err := parseUint(s, 255)
	if err != nil {
		return fmt.Errorf("%s is not a TOS (give 0-255 or inherit)", show(s))
	}
	*t = TOS(n)
	return nil
}

// Duration is a time.Duration that is written with its unit.
type Duration time.Duration

// MarshalText writes what time.Duration prints.
func (d Duration) MarshalText() ([]byte, error) {
	return []byte(time.Duration(d).String()), nil
}

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := time.ParseDuration(s)
	if err == nil {
		*d = Duration(v)
		return nil
	}
	if _, err := parseUint(s, 1<<32); err == nil {
		return fmt.Errorf("%s has no unit (give %ss for seconds)", s, s)
	}
	return fmt.Errorf("%s is not a duration (give one like 300s or 5m)", show(s))
}

// MAC is an Ethernet address.
type MAC [6]byte

// MarshalText writes six hexadecimal bytes with colons between them.
func (m MAC) MarshalText() ([]byte, error) {
	return []byte(m.String()), nil
}

// String returns six hexadecimal bytes with colons between them.
func (m MAC) String() string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5])
}

// UnmarshalText reads six hexadecimal bytes with colons between them.
func (m *MAC) UnmarshalText(text []byte) error {
	s := string(text)
	parts := strings.Split(s, ":")
	var v MAC
	for i, p := range parts {
		if len(parts) != len(v) || len(p) != 2 {
			return fmt.Errorf("%s is not a MAC address (give one like 02:57:a7:1c:00:01)", show(s))
		}
		if _, err := hex.Decode(v[i:i+1], []byte(p)); err != nil {
			return fmt.Errorf("%s is not a MAC address (give one like 02:57:a7:1c:00:01)", show(s))
		}
	}
	*m = v
	return nil
}

// parseUint reads a whole number in decimal, or in hexadecimal after 0x.
func parseUint(s string, most uint64) (uint64, error) {
	base, digits := 10, s
	if rest, ok := strings.CutPrefix(s, "0x"); ok {
		base, digits = 16, rest
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err == nil && n > most {
		err = strconv.ErrRange
	}
	return n, err
}

// show quotes what a user wrote, cut short, for an error of one line.
func show(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strconv.Quote(s)
}
