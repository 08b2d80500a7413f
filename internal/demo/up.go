package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"vxgw/internal/lab"
)

// labPrefix starts the names of the labs that stay.
const labPrefix = "gw-lab"

// LabOptions say what Up builds.
type LabOptions struct {
	Program string // path of the gw that runs in it
	Name    string // of the lab, for the other calls

	description
}

// description is a lab's note: what Up was asked for, and what became of it.
type description struct {
	Scenario string `json:"scenario"` // ptp, multicast or bridge
	VTEP     string `json:"vtep"`     // gw, kernel or mixed: gw on host1, the kernel on the others
	Ready    bool   `json:"ready"`    // Up has come to its end
}

// NewLabOptions returns options for a lab; Up checks them.
func NewLabOptions(program, name, scenario, vtep string) LabOptions {
	return LabOptions{Program: program, Name: name, description: description{Scenario: scenario, VTEP: vtep}}
}

// UseError says that what was asked for cannot be, on any machine and at any time.
type UseError struct{ error }

// Unwrap returns what is wrong.
func (e UseError) Unwrap() error { return e.error }

// checkName refuses names that no lab can have.
func checkName(name string) error {
	if len(name) > 32 || !lab.ValidPrefix(name) {
		return UseError{fmt.Errorf("lab: bad name %q (want at most 32 lower-case letters and digits, in words joined by - that start with a letter)", name)}
	}
	return nil
}

// nodes returns the hosts of the lab that is described.
func (d description) nodes() ([]vtep, error) {
	var gw [3]bool
	switch d.VTEP {
	case "gw":
		gw = [3]bool{true, true, true}
	case "mixed":
		gw[0] = true
	case "kernel":
	default:
		return nil, UseError{fmt.Errorf("lab: --vtep %q is not gw, kernel or mixed", d.VTEP)}
	}
	var all []vtep
	switch d.Scenario {
	case "ptp":
		all = pair(gw[0], gw[1])
	case "multicast":
		all = trio(gw[0], gw[1], gw[2])
	case "bridge":
		all = housed(gw[0], gw[1], gw[2])
	case "":
		return nil, UseError{errors.New("lab: --scenario is missing (give ptp, multicast or bridge)")}
	default:
		return nil, UseError{fmt.Errorf("lab: --scenario %q is not ptp, multicast or bridge", d.Scenario)}
	}
	for i := range all {
		all[i].name = fmt.Sprintf("host%d", i+1)
	}
	return all, nil
}

// note is the text of a description.
func (d description) note() []byte {
	text, err := json.Marshal(d)
	if err != nil {
		panic(err) // strings and a bool
	}
	return text
}

// Up builds a lab that stays when it returns, with frames that can flow. When it fails, or ctx ends, it leaves nothing; what
// is left of one that was killed goes when a lab of that name is built again, or by Down.
func Up(ctx context.Context, o LabOptions) error {
	if err := checkName(o.Name); err != nil {
		return err
	}
	nodes, err := o.nodes()
	if err != nil {
		return err
	}
	if err := checkMachine(o.VTEP != "kernel"); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	l, err := claim(o)
	if err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	st := &stage{screen: &screen{w: io.Discard}, opts: Options{Program: o.Program}, lab: l}
	err = st.stand(ctx, nodes)
	if err == nil {
		o.Ready = true
		err = l.SetNote(o.note())
	}
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted, everything is removed")
		}
		return fmt.Errorf("lab: %w", errors.Join(advise(err), st.close()))
	}
	return nil
}

// claim makes the empty lab, in place of one that was never finished.
func claim(o LabOptions) (*lab.Lab, error) {
	prefix := labPrefix + "-" + o.Name
	l, err := lab.NewAlone(prefix, o.note())
	if !errors.Is(err, lab.ErrStands) {
		return l, err
	}
	c, d, err := find(o.Name)
	switch {
	case err != nil:
		return nil, err
	case d.Ready:
		return nil, fmt.Errorf("%s stands already (gw lab down --name %s removes it; --name gives another one)", o.Name, o.Name)
	case c.Living():
		return nil, fmt.Errorf("%s is being built by another gw lab up (wait for it, or give another --name)", o.Name)
	}
	if _, err := remove(prefix); err != nil {
		return nil, err
	}
	return lab.NewAlone(prefix, o.note())
}

// stand builds the network and waits until frames can flow everywhere.
func (st *stage) stand(ctx context.Context, nodes []vtep) error {
	if err := st.build(nodes); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := st.start(cancel); err != nil {
		return err
	}
	for _, v := range st.nodes {
		if !v.gw {
			continue
		}
		if _, err := v.ready(ctx); err != nil {
			return fmt.Errorf("wait for gw on %s: %w (it said: %s)", v.name, err, strings.Join(v.tail(1), ""))
		}
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	return nil
}

// downTime is how long Down waits for somebody who looks at the lab.
const downTime = 2 * time.Second

// Down removes a lab with all that runs in it, finished or not, and reports whether there was one.
func Down(name string) (bool, error) {
	if err := checkName(name); err != nil {
		return false, err
	}
	if err := checkMachine(false); err != nil {
		return false, fmt.Errorf("lab: %w", err)
	}
	there := false
	for end := time.Now().Add(downTime); ; time.Sleep(10 * time.Millisecond) {
		_, _, err := find(name)
		if errors.Is(err, errNoLab) {
			return there, nil
		}
		if err != nil {
			return there, fmt.Errorf("lab: %w", err)
		}
		if there && time.Now().After(end) {
			return there, fmt.Errorf("lab: %s is being built (stop its gw lab up, then call down again)", name)
		}
		there = true
		if _, err := remove(labPrefix + "-" + name); err != nil {
			return there, fmt.Errorf("lab: remove %s: %w", name, err)
		}
	}
}
