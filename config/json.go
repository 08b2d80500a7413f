package config

import (
	"bytes"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strconv"
)

// A file of JSON may be large: some thousand VNIs with a thousand remotes each, which
// the YAML parser takes ten seconds and gigabytes for. This reader takes a second. It
// accepts and does not explain: whatever it does not know, be it an error or merely
// unusual, the other one reads, which has words for every complaint.

// fast reads JSON into a copy of the defaults that stand in cfg, along its type. It
// reports false, and how far it came, when the text is for the other reader.
func fast(data []byte, cfg *Config) (at int, ok bool) {
	next := *cfg
	r := jsonReader{text: data, cfg: &next}
	if !r.value(reflect.ValueOf(&next).Elem()) {
		return r.at, false
	}
	if r.space(); r.at != len(r.text) {
		return r.at, false
	}
	*cfg = next
	return r.at, true
}

// largeJSON is from which size on, in bytes, the other reader is not asked: a slip in such
// a file must not cost a running gateway its memory.
const largeJSON = 8 << 20

// parseLarge reads JSON of that size, or says where that cannot be.
func parseLarge(data []byte, name string, over overrides) (*Config, error) {
	cfg := Default()
	at, ok := fast(data, &cfg)
	if !ok {
		return nil, &Error{Name: name, Line: 1 + bytes.Count(data[:at], []byte("\n")), Problem: fmt.Sprintf(
			"near byte %d is something wrong or unusual (plain keys and values, each key once, tunnel and remotes before vnis; in a smaller file gw says what)", at)}
	}
	if err := over.apply(&cfg); err != nil {
		return nil, err
	}
	if p := cfg.check(); p != nil {
		if err, ok := over.blame(p); ok {
			return nil, err
		}
		return nil, &Error{Name: name, Problem: p.text}
	}
	return &cfg, nil
}

func isJSON(data []byte) bool { return bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{\"")) }

type jsonReader struct {
	text []byte
	at   int
	cfg  *Config
	vnis bool // a VNI was read
	last struct {
		text    []byte
		remotes []Remote
	} // list of remotes, which the next one often equals
}

func (r *jsonReader) space() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\t' || r.text[r.at] == '\r') {
		r.at++
	}
}

// take skips c, and space in front of it.
func (r *jsonReader) take(c byte) bool {
	if r.space(); r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// word takes a literal, such as null.
func (r *jsonReader) word(w string) bool {
	if r.space(); len(r.text)-r.at >= len(w) && string(r.text[r.at:r.at+len(w)]) == w {
		r.at += len(w)
		return true
	}
	return false
}

// quoted takes a string of plain characters and returns what is between its quotes.
func (r *jsonReader) quoted() (s []byte, ok bool) {
	if !r.take('"') {
		return nil, false
	}
	for i := r.at; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			s, r.at = r.text[r.at:i], i+1
			return s, true
		case c == '\\' || c < ' ' || c > '~':
			return nil, false
		}
	}
	return nil, false
}

// number takes a whole number.
func (r *jsonReader) number(most uint64) (uint64, bool) {
	r.space()
	from := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	digits := string(r.text[from:r.at])
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n <= most && (digits == "0" || digits[0] != '0')
}

func (r *jsonReader) value(dst reflect.Value) bool {
	switch into := dst.Addr().Interface().(type) {
	case *VNI:
		return r.vni(into)
	case *Port:
		return r.port(into)
	case *Remote:
		return r.remote(into)
	case *Static:
		return r.static(into)
	case *Allow:
		return r.allow(into)
	case *[]Remote:
		return r.list(into)
	case encoding.TextUnmarshaler:
		s, ok := r.quoted()
		if from := r.at; !ok {
			_, ok = r.number(math.MaxUint64)
			s = bytes.TrimLeft(r.text[from:r.at], " \n\t\r")
		}
		return ok && into.UnmarshalText(s) == nil
	}
	switch dst.Kind() {
	case reflect.Struct:
		_, ok := r.object(dst)
		return ok
	case reflect.Slice:
		return r.slice(dst)
	case reflect.Array:
		return r.array(dst)
	case reflect.Pointer:
		if r.word("null") {
			dst.SetZero()
			return true
		}
		dst.Set(reflect.New(dst.Type().Elem()))
		return r.value(dst.Elem())
	case reflect.Bool:
		yes := r.word("true")
		dst.SetBool(yes)
		return yes || r.word("false")
	case reflect.Uint16, reflect.Uint32:
		n, ok := r.number(1<<dst.Type().Bits() - 1)
		dst.SetUint(n)
		return ok
	case reflect.String:
		s, ok := r.quoted()
		dst.SetString(string(s))
		return ok
	}
	return false
}

// object takes the keys of a struct, each once. given has a bit for each field.
func (r *jsonReader) object(dst reflect.Value) (given uint, ok bool) {
	if !r.take('{') {
		return 0, false
	}
	if r.take('}') {
		return 0, true
	}
	for {
		key, ok := r.quoted()
		if !ok || !r.take(':') {
			return 0, false
		}
		i := fieldOf(dst.Type(), string(key))
		if i < 0 || given&(1<<i) != 0 || !r.value(dst.Field(i)) {
			return 0, false
		}
		given |= 1 << i
		if r.vnis && dst.Type() == reflect.TypeFor[Config]() && (string(key) == "tunnel" || string(key) == "remotes") {
			return 0, false // a default of the VNIs that were read
		}
		if r.take('}') {
			return given, true
		}
		if !r.take(',') {
			return 0, false
		}
	}
}

func fieldOf(t reflect.Type, key string) int {
	for i := range t.NumField() {
		if keyOf(t.Field(i)) == key {
			return i
		}
	}
	return -1
}

func (r *jsonReader) vni(into *VNI) bool {
	r.vnis = true
	v := r.cfg.NewVNI(0)
	given, ok := r.object(reflect.ValueOf(&v).Elem())
	has := func(key string) bool { return given&(1<<fieldOf(reflect.TypeFor[VNI](), key)) != 0 }
	v.complete(has("device"), has("remotes"))
	*into = v
	return ok
}

// list takes remotes. Equal lists share their memory.
func (r *jsonReader) list(into *[]Remote) bool {
	r.space()
	from := r.at
	if last := r.last; len(last.text) > 0 && bytes.HasPrefix(r.text[from:], last.text) {
		r.at += len(last.text)
		*into = last.remotes
		return true
	}
	if !r.slice(reflect.ValueOf(into).Elem()) {
		return false
	}
	r.last.text, r.last.remotes = r.text[from:r.at], *into
	return true
}

func (r *jsonReader) slice(dst reflect.Value) bool {
	dst.SetZero()
	if r.word("null") {
		return true
	}
	if !r.take('[') {
		return false
	}
	if r.take(']') {
		return true
	}
	for {
		dst.Set(reflect.Append(dst, reflect.Zero(dst.Type().Elem())))
		if !r.value(dst.Index(dst.Len() - 1)) {
			return false
		}
		if r.take(']') {
			dst.Set(dst.Slice3(0, dst.Len(), dst.Len()))
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

func (r *jsonReader) array(dst reflect.Value) bool {
	for i := range dst.Len() {
		if !r.take("[,"[min(i, 1)]) || !r.value(dst.Index(i)) {
			return false
		}
	}
	return r.take(']')
}
