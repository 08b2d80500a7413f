package config

import (
	"encoding"
	"fmt"
	"net/netip"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// scalar decodes a bool, a number or a string, each only from its own kind.
func (d *decoder) scalar(path string, node ast.Node, dst reflect.Value) error {
	if _, null := node.(*ast.NullNode); null {
		return d.errorf(node, "%s has no value (leave the key out for the default)", path)
	}
	switch dst.Kind() {
	case reflect.Bool:
		b, ok := node.(*ast.BoolNode)
		if !ok {
			return d.errorf(node, "%s is %s, not true or false", path, kind(node))
		}
		dst.SetBool(b.Value)
	case reflect.Uint16, reflect.Uint32:
		most := uint64(1)<<dst.Type().Bits() - 1
		if _, ok := node.(*ast.IntegerNode); !ok {
			return d.errorf(node, "%s is %s, not a whole number", path, kind(node))
		}
		n, err := parseUint(node.GetToken().Value, most)
		if err != nil {
			return d.errorf(node, "%s: %s is out of range (0-%d)", path, show(node.GetToken().Value), most)
		}
		dst.SetUint(n)
	case reflect.String:
		s, ok := node.(*ast.StringNode)
		if !ok {
			return d.errorf(node, "%s is %s, not a word (put it in quotes)", path, kind(node))
		}
		dst.SetString(s.Value)
	default:
		return d.errorf(node, "%s: no way to read %s", path, dst.Type())
	}
	return nil
}

// text decodes what reads itself from text: a word, or a number as it stands.
func (d *decoder) text(path string, node ast.Node, dst encoding.TextUnmarshaler) error {
	var s string
	switch n := node.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.IntegerNode, *ast.FloatNode:
		s = node.GetToken().Value
	case *ast.NullNode:
		return d.errorf(node, "%s has no value (leave the key out for the default)", path)
	default:
		if a, ok := unquoted(node); ok {
			return d.errorf(node, "%s: %s wants quotes between braces (write \"%s\")", path, a, a)
		}
		return d.errorf(node, "%s is %s, not a word", path, kind(node))
	}
	if err := unmarshal(dst, s); err != nil {
		return d.errorf(node, "%s: %s", path, err)
	}
	return nil
}

// unquoted is an IPv6 address or network of which YAML has made a mapping: within braces the first colon
// ends a key.
func unquoted(node ast.Node) (s string, ok bool) {
	m, ok := node.(ast.MapNode)
	if !ok {
		return "", false
	}
	it := m.MapRange()
	if !it.Next() {
		return "", false
	}
	s = it.Key().String() + ":" + it.Value().String()
	if it.Next() {
		return "", false
	}
	_, noAddr := netip.ParseAddr(s)
	_, noPrefix := netip.ParsePrefix(s)
	return s, noAddr == nil || noPrefix == nil
}

// unmarshal reads s into dst. For the two types that are not ours it says what
// they want in words of ours.
func unmarshal(dst encoding.TextUnmarshaler, s string) error {
	err := dst.UnmarshalText([]byte(s))
	if err == nil {
		return nil
	}
	switch dst.(type) {
	case *netip.Addr:
		return fmt.Errorf("%s is not an IP address (give one like 10.65.132.188)", show(s))
	case *netip.Prefix:
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return fmt.Errorf("%s has no prefix length (give one like %s/%d)", show(s), a, a.BitLen()*3/4)
		}
		return fmt.Errorf("%s is not an address with its prefix length (give one like 172.17.1.2/24)", show(s))
	}
	return err
}

// kind names what stands in a file, for an error.
func kind(node ast.Node) string {
	switch node.(type) {
	case *ast.NullNode:
		return "empty"
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.SequenceNode:
		return "a list"
	case ast.MapNode:
		return "a mapping"
	}
	return strings.ToLower(node.Type().String())
}
