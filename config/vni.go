package config

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml/parser"
)

// ParseVNI reads one element of the list of VNIs, onto the defaults of c. It is not
// validated: Validate a Config that has it. All errors are of type *Error.
func (c *Config) ParseVNI(data []byte) (*VNI, error) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, withoutPlace(syntaxError("", err))
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, &Error{Problem: "no VNI is described"}
	}
	var v VNI
	d := decoder{cfg: c, lines: make(map[string]int)}
	if err := d.value("vnis[]", file.Docs[0].Body, reflect.ValueOf(&v).Elem()); err != nil {
		return nil, withoutPlace(err)
	}
	return &v, nil
}

// withoutPlace takes the line away: nobody has seen the text.
func withoutPlace(err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return &Error{Problem: e.Problem}
	}
	return &Error{Problem: fmt.Sprint(err)}
}
