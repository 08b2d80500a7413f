package config

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
)

//go:generate go run ../internal/describe descriptions.go

// Setting is one key of a file, for those who describe them.
type Setting struct {
	Key     string // as errors call it; [] stands for each element of a list: vnis[].device.name
	Value   string // what may stand there, in words; "section" for a mapping of more settings
	Default string // as a file would say it, empty where there is none
	Doc     string // meaning, unit, default and reason
	Kernel  string // what does the same in ip(8) and bridge(8), empty where nothing does
}

// Settings are all there are, in the order of the schema. Tunnel settings of a VNI are
// those of the whole file, and listed once.
func Settings() []Setting {
	cfg := Default()
	return settings("", reflect.ValueOf(cfg), nil)
}

// settings adds those of a struct to all.
func settings(path string, section reflect.Value, all []Setting) []Setting {
	for i := range section.NumField() {
		f := section.Type().Field(i)
		id := section.Type().Name() + "." + f.Name
		one := Setting{Key: join(path, keyOf(f)), Doc: described(section.Type(), i), Kernel: kernelWords[id]}
		typ := f.Type
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice && !isText(typ) {
			if typ.Kind() == reflect.Slice {
				one.Key += "[]"
			}
			typ = typ.Elem()
		}
		if id == "VNI.Tunnel" {
			one.Value = "section, keys as in tunnel"
			all = append(all, one)
			continue
		}
		one.Value = valueWords(typ)
		if inner := written(typ); inner.Kind() == reflect.Struct && (one.Value == sectionWords || shapes[typ].schema == nil) {
			all = append(all, one)
			all = settings(one.Key, defaultOf(inner, section.Field(i)), all)
			continue
		}
		if typ == f.Type && !strings.Contains(one.Doc, "Required.") {
			one.Default = defaultText(section.Field(i))
		}
		all = append(all, one)
	}
	return all
}

// written is the type whose fields a file has for one of typ.
func written(typ reflect.Type) reflect.Type {
	if typ == reflect.TypeFor[Static]() {
		return reflect.TypeFor[staticSettings]()
	}
	return typ
}

// described is what the code says of a field: its own comment, its section's, or that
// of the field above, which it then shares. What it is called in Go is left out.
func described(section reflect.Type, field int) string {
	typ := section.Field(field).Type
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		typ = typ.Elem()
	}
	for i := field; i >= 0; i-- {
		f := section.Field(i)
		if doc := descriptions[section.Name()+"."+f.Name]; doc != "" {
			return unnamed(doc, f.Name)
		}
		if doc := descriptions[typ.Name()]; doc != "" {
			return unnamed(doc, typ.Name())
		}
	}
	return ""
}

// unnamed takes the name off the beginning of a comment on it: "X is a Y" is "A Y" then,
// and "X does" is "Does".
func unnamed(doc, name string) string {
	rest, ok := strings.CutPrefix(doc, name+" ")
	verb, _, more := strings.Cut(rest, " ")
	switch {
	case !ok || !more || verb != "are" && !strings.HasSuffix(verb, "s"):
		return doc
	case verb == "is", verb == "are":
		rest = rest[len(verb)+1:]
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}

// defaultOf is a section with its defaults: what stands in the field, or what an element
// of the list has.
func defaultOf(typ reflect.Type, field reflect.Value) reflect.Value {
	if typ == reflect.TypeFor[VNI]() {
		cfg := Default()
		return reflect.ValueOf(cfg.NewVNI(0))
	}
	if field.Type() == typ {
		return field
	}
	return reflect.Zero(typ)
}

func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// defaultText is a value as a file would say it, empty for the zero value of what
// has no word for it.
func defaultText(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil || v.IsZero() && (len(text) == 0 || isAddress(v.Type())) {
			return ""
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Array:
		parts := make([]string, v.Len())
		for i := range parts {
			parts[i] = fmt.Sprint(v.Index(i))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case reflect.String:
		return v.String()
	}
	return fmt.Sprint(v)
}
