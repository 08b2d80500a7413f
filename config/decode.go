package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder walks a YAML tree along the types of Config:
//
//	mapping  -> struct: known keys only, onto the defaults that are there
//	sequence -> slice or array
//	scalar   -> bool, number, string, or whatever reads text
//
// It is strict: a number in quotes is no number, and nothing is converted.
type decoder struct {
	name  string
	cfg   *Config
	lines map[string]int // path of a setting -> its line
	span  span           // of the VNI that is being decoded
}

// notYet names the keys of the schema that this release refuses, and what to
// do without them.
var notYet = map[string]string{}

// value decodes node into dst. path is how messages call the setting.
func (d *decoder) value(path string, node ast.Node, dst reflect.Value) error {
	d.lines[path] = line(node)
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return d.errorf(node, "%s: anchors, aliases and tags are not supported (write the value out)", path)
	}
	if done, err := d.ranged(path, node, dst); done {
		return err
	}
	if dst.Type() == reflect.TypeFor[VNI]() {
		return d.vni(path, node, dst)
	}
	switch into := dst.Addr().Interface().(type) {
	case *Port:
		return d.port(path, node, into)
	case *Remote:
		return d.remote(path, node, into)
	case *Static:
		return d.static(path, node, into)
	case *Allow:
		return d.allow(path, node, into)
	}
	if text, ok := dst.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return d.text(path, node, text)
	}
	switch dst.Kind() {
	case reflect.Struct:
		return d.mapping(path, node, dst)
	case reflect.Slice, reflect.Array:
		return d.sequence(path, node, dst)
	case reflect.Pointer:
		if _, null := node.(*ast.NullNode); null {
			dst.SetZero()
			return nil
		}
		dst.Set(reflect.New(dst.Type().Elem()))
		return d.value(path, node, dst.Elem())
	}
	return d.scalar(path, node, dst)
}

// vni decodes a bridge domain onto its defaults, and tells a device that is
// not spoken of from one that is refused.
func (d *decoder) vni(path string, node ast.Node, dst reflect.Value) error {
	v := d.cfg.NewVNI(0)
	if err := d.mapping(path, node, reflect.ValueOf(&v).Elem()); err != nil {
		return err
	}
	_, device := d.lines[path+".device"]
	_, remotes := d.lines[path+".remotes"]
	v.complete(device, remotes)
	dst.Set(reflect.ValueOf(v))
	return nil
}

// mapping decodes the keys of a struct in the order of its fields, so that
// defaults come before what is built on them. No content is no key.
func (d *decoder) mapping(path string, node ast.Node, dst reflect.Value) error {
	m, ok := node.(ast.MapNode)
	if _, null := node.(*ast.NullNode); null {
		return nil
	} else if !ok {
		return d.errorf(node, "%s is %s, not a mapping of settings", orFile(path), kind(node))
	}
	typ := dst.Type()
	var names []string
	for i := range typ.NumField() {
		names = append(names, keyOf(typ.Field(i)))
	}
	nodes := make(map[string]ast.Node)
	for it := m.MapRange(); it.Next(); {
		key, err := d.key(path, it.KeyValue(), names)
		if err != nil {
			return err
		}
		if _, twice := nodes[key]; twice {
			return d.errorf(it.Key(), "%s is given twice", join(path, key))
		}
		nodes[key] = it.Value()
	}
	for i, name := range names {
		if n, ok := nodes[name]; ok {
			if err := d.value(join(path, name), n, dst.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// key returns the key of one setting, which must be one of names.
func (d *decoder) key(path string, kv *ast.MappingValueNode, names []string) (string, error) {
	s, ok := kv.Key.(*ast.StringNode)
	if !ok {
		return "", d.errorf(kv.Key, "%s: a key is %s, not a plain word", orFile(path), kind(kv.Key))
	}
	for _, n := range names {
		if n == s.Value {
			return n, nil
		}
	}
	if why, ok := notYet[s.Value]; ok {
		return "", d.errorf(kv.Key, "%s is not supported yet (%s; leave it out)", join(path, s.Value), why)
	}
	advice := "known: " + strings.Join(names, ", ")
	if near := Nearest(s.Value, names); len(near) > 0 {
		advice = "did you mean " + near[0] + "?"
	}
	where := ""
	if path != "" {
		where = " in " + path
	}
	return "", d.errorf(kv.Key, "unknown key %s%s (%s)", show(s.Value), where, advice)
}

// sequence decodes a list; an array wants its exact length.
func (d *decoder) sequence(path string, node ast.Node, dst reflect.Value) error {
	s, ok := node.(*ast.SequenceNode)
	if _, null := node.(*ast.NullNode); null && dst.Kind() == reflect.Slice {
		dst.SetZero()
		return nil
	} else if !ok {
		return d.errorf(node, "%s is %s, not a list (write [a, b])", path, kind(node))
	}
	if dst.Kind() == reflect.Array && dst.Len() != len(s.Values) {
		return d.errorf(node, "%s has %d values, not %d", path, len(s.Values), dst.Len())
	}
	if dst.Type() == reflect.TypeFor[[]VNI]() {
		all, err := d.vnis(func(i int) string { return fmt.Sprintf("%s[%d]", path, i) }, s.Values)
		dst.Set(reflect.ValueOf(all))
		return err
	}
	if dst.Kind() == reflect.Slice {
		dst.SetZero()
		if len(s.Values) > 0 {
			dst.Set(reflect.MakeSlice(dst.Type(), len(s.Values), len(s.Values)))
		}
	}
	for i, n := range s.Values {
		if err := d.value(fmt.Sprintf("%s[%d]", path, i), n, dst.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func orFile(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func keyOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// line returns the line a node begins on, or 0.
func line(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

func (d *decoder) errorf(node ast.Node, format string, args ...any) error {
	return &Error{Name: d.name, Line: line(node), Problem: fmt.Sprintf(format, args...)}
}
