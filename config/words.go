package config

import (
	"fmt"
	"net/netip"
	"reflect"
)

// sectionWords stand for a mapping of more settings.
const sectionWords = "section"

// shape is what may stand for a type: in words, and as JSON Schema has it
// (draft 2020-12); without that one word stands for a section.
type shape struct {
	words  string
	schema map[string]any
}

// A number stands in files with or without quotes where a word may stand as well.
var shapes = map[reflect.Type]shape{
	reflect.TypeFor[bool]():         {"true or false", map[string]any{"type": "boolean"}},
	reflect.TypeFor[uint16]():       {"number, 0-65535", map[string]any{"type": "integer", "minimum": 0, "maximum": 65535}},
	reflect.TypeFor[uint32]():       {"number", map[string]any{"type": "integer", "minimum": 0, "maximum": 1<<32 - 1}},
	reflect.TypeFor[string]():       {"text", map[string]any{"type": "string"}},
	reflect.TypeFor[netip.Addr]():   {"address", map[string]any{"type": "string"}},
	reflect.TypeFor[netip.Prefix](): {"address/length", map[string]any{"type": "string", "pattern": "/[0-9]+$"}},
	reflect.TypeFor[Duration]():     {"duration, such as 300s", map[string]any{"type": "string", "pattern": "^[0-9].*[a-zµ]$"}},
	reflect.TypeFor[MAC]():          {"MAC address", map[string]any{"type": "string", "pattern": "^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$"}},
	reflect.TypeFor[Mode]():         choice(ModeAuto, ModeZeroCopy, ModeCopy, ModeGeneric),
	reflect.TypeFor[DF]():           choice(DFUnset, DFSet, DFInherit),
	reflect.TypeFor[Poll]():         choice(PollAdaptive, PollBusy, PollInterrupt),
	reflect.TypeFor[CPUs]():         {"list, such as 2,4-7", map[string]any{"anyOf": []any{map[string]any{"type": "integer", "minimum": 0, "maximum": maxCPU}, map[string]any{"type": "string", "pattern": "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"}}}},
	reflect.TypeFor[CsumRx]():       choice(CsumVerify, CsumIgnore),
	reflect.TypeFor[ReservedBits](): {"ignore, strict or a mask", numberOr(0, 1<<53, "ignore|strict")},
	reflect.TypeFor[FlowLabel]():    {"inherit, auto or 0-0xfffff", numberOr(0, maxFlowLabel, "inherit|auto")},
	reflect.TypeFor[VLAN]():         {"keep, strip, drop, untagged or 1-4094", numberOr(1, MaxVLAN, "keep|strip|drop|untagged|[0-9]+-[0-9]+")},
	reflect.TypeFor[TPID]():         {"802.1Q or 802.1ad", map[string]any{"enum": []string{"802.1Q", "802.1q", "802.1ad"}}},
	reflect.TypeFor[TTL]():          {"auto, inherit or 1-255", numberOr(1, 255, "auto|inherit")},
	reflect.TypeFor[TOS]():          {"inherit or 0-255", numberOr(0, 255, "inherit")},
	reflect.TypeFor[PortRange]():    {"[lowest, highest]", map[string]any{"type": "array", "items": map[string]any{"type": "integer", "minimum": 1, "maximum": 65535}, "minItems": 2, "maxItems": 2}},
	reflect.TypeFor[Port]():         {"name, or a section", nil},
	reflect.TypeFor[Remote]():       {"address, or a section", nil},
	reflect.TypeFor[Allowed]():      {"address, network or remotes", map[string]any{"type": "string"}},
	reflect.TypeFor[portWord]():     {"name, or number beside dst", map[string]any{"type": []string{"string", "integer"}}},
}

// choice is a shape of few words.
func choice[T ~string](words ...T) shape {
	text := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			text += " or "
		default:
			text += ", "
		}
		text += string(w)
	}
	return shape{text, map[string]any{"enum": words}}
}

// numberOr is the schema of a number or one of the words of a pattern, the number in hexadecimal too.
func numberOr(least, most int, words string) map[string]any {
	return map[string]any{"anyOf": []any{
		map[string]any{"type": "integer", "minimum": least, "maximum": most},
		map[string]any{"type": "string", "pattern": fmt.Sprintf("^(%s|[0-9]+|0x[0-9a-fA-F]+)$", words)},
	}}
}

// valueWords says what may stand for a type. Structs are sections, unless they have a
// shape of their own.
func valueWords(t reflect.Type) string {
	if s, ok := shapes[t]; ok {
		return s.words
	}
	if t.Kind() == reflect.Struct {
		return sectionWords
	}
	panic(fmt.Sprintf("config: what may stand for %s is not described", t))
}

func isAddress(t reflect.Type) bool {
	return t == reflect.TypeFor[netip.Addr]() || t == reflect.TypeFor[netip.Prefix]() || t == reflect.TypeFor[MAC]()
}
