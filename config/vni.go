package config

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ParseVNIs reads one element of the list of VNIs, onto the defaults of c, which stands for
// one or for a range of them. They are not validated: Validate a Config that has them. All
// errors are of type *Error.
func (c *Config) ParseVNIs(data []byte) ([]VNI, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, withoutPlace(syntaxError("", err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, &Error{Problem: "no VNI is described"}
	}
	d := decoder{cfg: c, lines: make(map[string]int)}
	all, err := d.vnis(func(int) string { return "vnis[]" }, []ast.Node{file.Docs[0].Body})
	if err != nil {
		return nil, withoutPlace(err)
	}
	for i := range all {
		all[i].settle(c.Underlay.DstPort, false)
	}
	return all, nil
}

// With reads the settings of an element of the list of VNIs onto those that v has, and returns the result;
// v stays. It is not validated. All errors are of type *Error.
func (v *VNI) With(data []byte) (*VNI, error) {
	next := *v
	return &next, onto("vnis[]", data, &next)
}

// onto reads some of the settings of a struct onto it. path is what messages call it.
func onto(path string, data []byte, dst any) error {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return withoutPlace(syntaxError("", err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return &Error{Problem: path + " says nothing"}
	}
	d := decoder{cfg: new(Config), lines: make(map[string]int)}
	if err := d.mapping(path, file.Docs[0].Body, reflect.ValueOf(dst).Elem()); err != nil {
		return withoutPlace(err)
	}
	return nil
}

// withoutPlace takes the line away: nobody has seen the text.
func withoutPlace(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return &Error{Problem: e.Problem}
	}
	return &Error{Problem: fmt.Sprint(err)}
}
