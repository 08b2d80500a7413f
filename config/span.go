package config

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// An element of the list of VNIs may stand for many: vni: 10100-10199. It is decoded as often,
// and a range of VLANs in it counts along.

// mostVNIs is how many VNIs one element may stand for: as many as a gateway can have.
const mostVNIs = 1<<16 - 1

// span is the element that is being decoded.
type span struct {
	first, last uint32
	at          uint32 // which of them it is now, from 0
}

// count is how many VNIs the element stands for.
func (s span) count() int { return int(s.last-s.first) + 1 }

// parseRange reads two numbers with a dash between them.
func parseRange(s string) (first, last uint32, ok bool) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		return 0, 0, false
	}
	lo, err := strconv.ParseUint(a, 10, 32)
	hi, err2 := strconv.ParseUint(b, 10, 32)
	return uint32(lo), uint32(hi), err == nil && err2 == nil
}

// spanOf finds the range of an element's VNIs; that of one VNI where it has none.
func (d *decoder) spanOf(path string, element ast.Node) (s span, err error) {
	m, ok := element.(ast.MapNode)
	if !ok {
		return span{}, nil
	}
	for it := m.MapRange(); it.Next(); {
		key, ok := it.Key().(*ast.StringNode)
		if !ok || key.Value != "vni" {
			continue
		}
		text, ok := it.Value().(*ast.StringNode)
		if !ok {
			return span{}, nil
		}
		if s.first, s.last, ok = parseRange(text.Value); !ok {
			return span{}, nil // value says what is wrong
		}
		if s.last < s.first || s.count() > mostVNIs || s.first == 0 || s.last > MaxVNI {
			return span{}, d.errorf(text, "%s.vni: %s is no range of VNIs (give the first and the last, 1-%d, at most %d of them)", path, show(text.Value), MaxVNI, mostVNIs)
		}
	}
	return s, nil
}

// vnis decodes a list of VNIs. path is how messages call each of them.
func (d *decoder) vnis(path func(i int) string, list []ast.Node) (all []VNI, err error) {
	for _, node := range list {
		s, err := d.spanOf(path(len(all)), node)
		if err != nil {
			return nil, err
		}
		for i := range s.count() {
			s.at = uint32(i)
			d.span = s
			all = append(all, VNI{})
			last := len(all) - 1
			if err := d.value(path(last), node, reflect.ValueOf(&all[last]).Elem()); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// ranged decodes what a range stands for in this one of the element's VNIs. It reports false
// when node is none.
func (d *decoder) ranged(path string, node ast.Node, dst reflect.Value) (done bool, err error) {
	text, ok := node.(*ast.StringNode)
	if !ok {
		return false, nil
	}
	first, last, ok := parseRange(text.Value)
	if !ok {
		return false, nil
	}
	switch into := dst.Addr().Interface().(type) {
	case *uint32:
		if d.span.first == 0 || !strings.HasSuffix(path, ".vni") {
			return false, nil
		}
		*into = d.span.first + d.span.at
		return true, nil
	case *VLAN:
		switch {
		case first == 0 || last > MaxVLAN || last < first:
			return true, d.errorf(node, "%s: %s is no range of VLANs (give the first and the last, 1-%d)", path, show(text.Value), MaxVLAN)
		case d.span.first == 0:
			return true, d.errorf(node, "%s: %s goes with as many VNIs (give one VLAN, or vni as a range)", path, show(text.Value))
		case int(last-first)+1 != d.span.count():
			return true, d.errorf(node, "%s: %s is %d VLANs for %d VNIs (give as many)", path, show(text.Value), last-first+1, d.span.count())
		}
		*into = VLAN(first + d.span.at)
		return true, nil
	}
	return false, nil
}
