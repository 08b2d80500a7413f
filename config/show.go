package config

import (
	"bytes"
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
)

// YAML writes every setting, with where it comes from behind it. It is a file that gives the same configuration.
func (e Explained) YAML() []byte {
	w := writer{origins: e.Origins, cfg: e.Config}
	w.section("", "", reflect.ValueOf(e.Config).Elem())
	return w.out.Bytes()
}

type writer struct {
	out     bytes.Buffer
	cfg     *Config
	origins Origins
}

// line writes a key and what stands behind it, with its origin.
func (w *writer) line(indent, path, text string) {
	_, key, _ := cutLast(path)
	fmt.Fprintf(&w.out, "%s%s: %s # %s\n", indent, key, text, w.origins.Of(path))
}

// unset tells a setting that is not given and has no word for that.
func (w *writer) unset(indent, path string) {
	_, key, _ := cutLast(path)
	fmt.Fprintf(&w.out, "%s# %s: none is given\n", indent, key)
}

// cutLast splits a path at its last key.
func cutLast(path string) (before, key string, ok bool) {
	if i := strings.LastIndexByte(path, '.'); i >= 0 {
		return path[:i], path[i+1:], true
	}
	return "", path, false
}

// section writes the keys of a struct.
func (w *writer) section(indent, path string, section reflect.Value) {
	for i := range section.NumField() {
		f := section.Field(i)
		at := join(path, keyOf(section.Type().Field(i)))
		switch value := f.Interface().(type) {
		case []VNI:
			fmt.Fprintf(&w.out, "%svnis:\n", indent)
			for j := range value {
				w.vni(fmt.Sprintf("%s[%d]", at, j), &value[j])
			}
			continue
		case []Remote:
			if v, ok := section.Addr().Interface().(*VNI); ok && !v.Group.IsValid() && sameList(v.Remotes, w.cfg.Remotes) && len(value) > 0 {
				fmt.Fprintf(&w.out, "%s# remotes: those of the whole file\n", indent)
				continue
			}
		}
		w.setting(indent, at, f)
	}
}

func (w *writer) vni(path string, v *VNI) {
	at := w.out.Len()
	w.section("    ", path, reflect.ValueOf(v).Elem())
	copy(w.out.Bytes()[at:], "  - ") // its first key begins the element
}

// setting writes one.
func (w *writer) setting(indent, path string, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		w.line(indent, path, "null")
	case v.Kind() == reflect.Pointer:
		w.setting(indent, path, v.Elem())
	case v.Kind() == reflect.Slice && !isText(v.Type()):
		w.list(indent, path, v)
	case v.Kind() == reflect.Struct && !isText(v.Type()):
		_, key, _ := cutLast(path)
		fmt.Fprintf(&w.out, "%s%s:\n", indent, key)
		w.section(indent+"  ", path, v)
	default:
		text := scalarText(v)
		if text == "" {
			w.unset(indent, path)
			return
		}
		w.line(indent, path, text)
	}
}

// list writes one element a line.
func (w *writer) list(indent, path string, v reflect.Value) {
	if v.Len() == 0 && v.Type() == reflect.TypeFor[Allow]() {
		w.unset(indent, path) // an empty list would be nobody
		return
	}
	if v.Len() == 0 {
		w.line(indent, path, "[]")
		return
	}
	w.line(indent, path, "")
	for i := range v.Len() {
		fmt.Fprintf(&w.out, "%s  - %s\n", indent, element(v.Index(i)))
	}
}

// element is one of a list, in one line: text, or a mapping of what is not left out.
func element(v reflect.Value) string {
	switch e := v.Interface().(type) {
	case Remote:
		if e.bare() {
			return quote(e.Dst.String())
		}
		v = reflect.ValueOf(remoteSettings(e))
	case Port:
		if e == (Port{Name: e.Name}) {
			return quote(e.Name)
		}
		v = reflect.ValueOf(portSettings(e))
	case Static:
		v = reflect.ValueOf(e.settings())
	}
	if v.Kind() != reflect.Struct || isText(v.Type()) {
		return scalarText(v)
	}
	var keys []string
	for i := range v.NumField() {
		if text := scalarText(v.Field(i)); text != "" && !v.Field(i).IsZero() {
			keys = append(keys, keyOf(v.Type().Field(i))+": "+text)
		}
	}
	return "{" + strings.Join(keys, ", ") + "}"
}

// scalarText is a value as a file has it, empty for an address or text that is not given.
func scalarText(v reflect.Value) string {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil || len(text) == 0 || isAddress(v.Type()) && v.IsZero() {
			return ""
		}
		return quote(string(text))
	}
	switch v.Kind() {
	case reflect.Array:
		return defaultText(v)
	case reflect.String:
		if v.Type() == reflect.TypeFor[string]() || v.Len() > 0 {
			return quote(v.String())
		}
		return ""
	}
	return fmt.Sprint(v)
}

var plainWord = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*$`)

// quote is text as it stands where YAML cannot take it for something else, and in quotes otherwise.
func quote(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
	default:
		if _, err := strconv.ParseUint(s, 10, 64); err == nil || plainWord.MatchString(s) {
			return s
		}
	}
	return strconv.Quote(s)
}

// walk calls f with the path of every setting of a VNI.
func walk(path string, v *VNI, f func(path string)) {
	var in func(path string, section reflect.Value)
	in = func(path string, section reflect.Value) {
		for i := range section.NumField() {
			at, field := join(path, keyOf(section.Type().Field(i))), section.Field(i)
			for field.Kind() == reflect.Pointer && !field.IsNil() {
				field = field.Elem()
			}
			f(at)
			if field.Kind() == reflect.Struct && !isText(field.Type()) {
				in(at, field)
			}
		}
	}
	in(path, reflect.ValueOf(v).Elem())
}
