package control

import (
	"encoding"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"
)

//go:generate go run ../internal/describe descriptions.go

// Page is docs/api.md.
func Page() string {
	var out strings.Builder
	out.WriteString(pageHead)
	for _, s := range statuses {
		fmt.Fprintf(&out, "| %d %s | %s |\n", s.code, http.StatusText(s.code), s.doc)
	}
	out.WriteString("\n## Requests\n")
	p := page{out: &out, seen: map[reflect.Type]bool{}}
	section := ""
	for _, r := range Routes() {
		if first, _, _ := strings.Cut(r.Path[1:], "/"); first != section {
			section = first
			fmt.Fprintf(&out, "\n### /%s/%s\n", API, section)
		}
		p.route(&r)
	}
	out.WriteString("\n## Types\n")
	for len(p.types) > 0 {
		t := p.types[0]
		p.types = p.types[1:]
		p.describe(t)
	}
	return out.String()
}

// page lists the types that stand in it, in order.
type page struct {
	out   io.Writer
	types []reflect.Type // to be described
	seen  map[reflect.Type]bool
}

func (p *page) route(r *Route) {
	fmt.Fprintf(p.out, "\n#### %s /%s%s\n\n%s\n\n    %s\n\n", r.Method, API, r.Path, r.Doc, r.Command())
	for _, q := range r.Query {
		fmt.Fprintf(p.out, "- query `%s`: %s\n", q.Name, q.Doc)
	}
	if r.Method == http.MethodPost {
		fmt.Fprintf(p.out, "- body: %s\n", p.name(reflect.TypeOf(r.Body)))
	}
	answer := "`" + r.Stream + "`, as it comes"
	if r.Stream == "" {
		answer = p.name(reflect.TypeOf(r.Answer))
	}
	if r.Lines {
		answer += ", one a line (`application/x-ndjson`), until the client goes"
	}
	fmt.Fprintf(p.out, "- answer: %s\n", answer)
}

// Command is the example, for a shell.
func (r *Route) Command() string {
	command := "curl -s --unix-socket /run/gw/ens18.sock"
	url := "http://gw/" + API + r.Path
	switch {
	case r.Lines:
		command += " -N " + url + r.Sample
	case r.Stream != "":
		command += " -N '" + url + r.Sample + "'"
	case r.Method == http.MethodPost:
		command += fmt.Sprintf(" -d '%s' %s", r.Sample, url)
	default:
		command += " '" + url + r.Sample + "'"
	}
	return strings.ReplaceAll(command, "'"+url+"'", url) // without need for quotes
}

// name is what a type is in JSON. One of ours gets a link, and its turn.
func (p *page) name(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return "[settings](reference.md#settings)"
	case t == reflect.TypeFor[time.Time]():
		return "time (RFC 3339)"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return p.name(t.Elem())
	case reflect.Slice:
		return "list of " + p.name(t.Elem())
	case reflect.Map:
		return "object of " + p.name(t.Elem()) + "s by name"
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct:
		if !p.seen[t] {
			p.seen[t] = true
			p.types = append(p.types, t)
		}
		return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
	}
	return "number"
}

// describe tells the keys of a type.
func (p *page) describe(t reflect.Type) {
	fmt.Fprintf(p.out, "\n### %s\n\n%s\n", t.Name(), descriptions[t.Name()])
	if t.NumField() > 0 {
		fmt.Fprintf(p.out, "\n| key | value | | meaning |\n|---|---|---|---|\n")
		p.keys(t)
	}
}

// keys are those of a type, and of types that stand in it without a name of their own.
func (p *page) keys(t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			p.keys(f.Type)
			continue
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		may := ""
		if strings.Contains(options, "omit") {
			may = "optional"
		}
		doc := strings.NewReplacer("|", `\|`, "<", "&lt;", ">", "&gt;").Replace(descriptions[t.Name()+"."+f.Name])
		fmt.Fprintf(p.out, "| `%s` | %s | %s | %s |\n", key, p.name(f.Type), may, doc)
	}
}
