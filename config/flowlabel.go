package config

import (
	"fmt"
	"strconv"
)

// FlowLabel is the flow label of an outer IPv6 header, or where it comes from.
type FlowLabel int32

const (
	// FlowLabelInherit takes the inner packet's, 0 where that is not IPv6, as `flowlabel inherit` of ip-link(8).
	FlowLabelInherit FlowLabel = -1
	// FlowLabelAuto makes it of the inner flow, as the source port is made, for routers that tell flows apart by it (RFC 6438).
	FlowLabelAuto FlowLabel = -2

	maxFlowLabel = 1<<20 - 1
)

// MarshalText writes inherit, auto or the number in hexadecimal, as ip-link(8) does.
func (l FlowLabel) MarshalText() ([]byte, error) {
	switch l {
	case FlowLabelInherit:
		return []byte("inherit"), nil
	case FlowLabelAuto:
		return []byte("auto"), nil
	case 0:
		return []byte("0"), nil
	}
	return strconv.AppendUint([]byte("0x"), uint64(l), 16), nil
}

// UnmarshalText reads inherit, auto or a number up to 0xfffff.
func (l *FlowLabel) UnmarshalText(text []byte) error {
	s := string(text)
	switch s {
	case "inherit":
		*l = FlowLabelInherit
	case "auto":
		*l = FlowLabelAuto
	default:
		n, err := parseUint(s, maxFlowLabel)
		if err != nil {
			return fmt.Errorf("%s is not a flow label (give 0-0xfffff, inherit or auto)", show(s))
		}
		*l = FlowLabel(n)
	}
	return nil
}
