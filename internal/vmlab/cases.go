package vmlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

// Case is a test, or a subtest, that ran in the guest.
type Case struct {
	Name    string  // in full, with those it belongs to
	Action  string  // pass, fail or skip; "" if it did not come to an end
	Elapsed float64 // seconds
	Output  string  // its own, without that of its subtests
	Sub     []*Case // in order
}

// Report reads what a test binary prints with -test.v=test2json, by way of cmd/test2json.
type Report struct {
	Case  // the binary as a whole, without a name
	index map[string]*Case
}

// event is a line of cmd/test2json.
type event struct {
	Action, Test, Output string
	Elapsed              float64
}

// NewReport returns a report, and where what the binary prints goes. Once that is closed, wait returns when all is read. Ended
// is called with each case that has come to its end.
func NewReport(ended func(*Case)) (_ *Report, in io.WriteCloser, wait func() error, err error) {
	c := exec.Command("go", "tool", "test2json", "-t")
	if in, err = c.StdinPipe(); err != nil {
		return nil, nil, nil, err
	}
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := c.Start(); err != nil {
		return nil, nil, nil, fmt.Errorf("start go tool test2json: %w", err)
	}
	r := &Report{index: map[string]*Case{}}
	done := make(chan error, 1)
	go func() { done <- r.read(out, ended) }()
	return r, in, func() error { return errors.Join(<-done, c.Wait()) }, nil
}

func (r *Report) read(events io.Reader, ended func(*Case)) error {
	for d := json.NewDecoder(events); ; {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("read go tool test2json: %w", err)
		}
		c := r.find(e.Test)
		switch e.Action {
		case "output":
			c.Output += e.Output
		case "pass", "fail", "skip":
			c.Action, c.Elapsed = e.Action, e.Elapsed
			if e.Test != "" {
				ended(c)
			}
		}
	}
}

// find returns the case of that name, making it where it belongs.
func (r *Report) find(name string) *Case {
	if name == "" {
		return &r.Case
	}
	if c := r.index[name]; c != nil {
		return c
	}
	c := &Case{Name: name}
	r.index[name] = c
	above := ""
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		above = name[:i]
	}
	p := r.find(above)
	p.Sub = append(p.Sub, c)
	return c
}
