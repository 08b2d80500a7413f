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
func Load(path string) (*Config, error) { return LoadWith(path) }

// LoadWith reads the file at path, over which the overrides win. All errors are of type *Error.
func LoadWith(path string, over ...Override) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return parse(data, path, over)
}

func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{Problem: fmt.Sprintf("read config %s: no such file", show(path))}
	}
	if err != nil {
		return nil, &Error{Problem: fmt.Sprintf("read config: %v", err)}
	}
	return bytes.TrimPrefix(data, []byte("\ufeff")), nil // a byte order mark is no part of the first key (YAML 1.2.2 section 5.2)
}

// Parse reads a Config from YAML, which JSON is too, and validates it. name is
// what errors call the source. All errors are of type *Error and, but for
// what is missing altogether, have a line.
func Parse(data []byte, name string) (*Config, error) {
	return parse(bytes.TrimPrefix(data, []byte("\ufeff")), name, nil)
}

func parse(data []byte, name string, over overrides) (*Config, error) {
	if len(data) >= largeJSON && isJSON(data) {
		return parseLarge(data, name, over)
	}
	cfg := Default()
	if _, ok := fast(data, &cfg); ok && over.apply(&cfg) == nil && cfg.check() == nil {
		return &cfg, nil
	}
	c, _, err := parseYAML(data, name, over)
	return c, err
}

// parseYAML also says on which line each setting stands.
func parseYAML(data []byte, name string, over overrides) (*Config, map[string]int, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, nil, syntaxError(name, err)
	}
	cfg := Default()
	d := decoder{name: name, cfg: &cfg, lines: make(map[string]int)}
	if len(file.Docs) > 1 {
		return nil, nil, &Error{Name: name, Problem: "more than one document (leave one, without a second ---)"}
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil, &Error{Name: name, Problem: "the file is empty"}
	}
	if err := d.value("", file.Docs[0].Body, reflect.ValueOf(&cfg).Elem()); err != nil {
		return nil, nil, err
	}
	if err := over.apply(&cfg); err != nil {
		return nil, nil, err
	}
	if p := cfg.check(); p != nil {
		if err, ok := over.blame(p); ok {
			return nil, nil, err
		}
		return nil, nil, &Error{Name: name, Line: d.lineOf(p.path), Problem: p.text}
	}
	return &cfg, d.lines, nil
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
