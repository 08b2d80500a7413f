package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// Load reads the file at path. All errors are of type *Error.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Problem: fmt.Sprintf("read config %s: no such file", show(path))}
	}
	if err != nil {
		return nil, &Error{Problem: fmt.Sprintf("read config: %v", err)}
	}
	return Parse(data, path)
}

// Parse reads a Config from YAML, which JSON is too, and validates it. name is
// what errors call the source. All errors are of type *Error and, but for
// what is missing altogether, have a line.
func Parse(data []byte, name string) (*Config, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte order mark is no part of the first key (YAML 1.2.2 section 5.2)
	if len(data) >= largeJSON && isJSON(data) {
		return parseLarge(data, name)
	}
	cfg := Default()
	if _, ok := fast(data, &cfg); ok && cfg.check() == nil {
		return &cfg, nil
	}
	return parseYAML(data, name)
}

func parseYAML(data []byte, name string) (*Config, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	cfg := Default()
	d := decoder{name: name, cfg: &cfg, lines: make(map[string]int)}
	if len(file.Docs) > 1 {
		return nil, &Error{Name: name, Problem: "more than one document (leave one, without a second ---)"}
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, &Error{Name: name, Problem: "the file is empty"}
	}
	if err := d.value("", file.Docs[0].Body, reflect.ValueOf(&cfg).Elem()); err != nil {
		return nil, err
	}
	if p := cfg.check(); p != nil {
		return nil, &Error{Name: name, Line: d.lineOf(p.path), Problem: p.text}
	}
	return &cfg, nil
}

// lineOf returns the line of a setting, or of the nearest one around it.
func (d *decoder) lineOf(path string) int {
	for path != "" {
		if n, ok := d.lines[path]; ok {
			return n
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

// syntaxError takes line and message from an error of the parser, without the
// excerpt of many lines that it prints.
func syntaxError(name string, err error) error {
	e := &Error{Name: name, Problem: "no YAML"}
	var at yaml.Error
	if errors.As(err, &at) {
		e.Problem = "bad YAML: " + strings.Join(strings.Fields(at.GetMessage()), " ")
		if t := at.GetToken(); t != nil && t.Position != nil {
			e.Line = t.Position.Line
		}
	}
	return e
}
