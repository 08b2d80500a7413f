package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"vxgw/internal/lab"
)

// DefaultLab is the name of a lab that is given none.
const DefaultLab = "default"

// errNoLab says that no lab has that name.
var errNoLab = errors.New("no such lab")

// find returns the lab with that name. The error is errNoLab, with the names of those that there are.
func find(name string) (lab.Claim, description, error) {
	all, err := lab.Claims(labPrefix)
	if err != nil {
		return lab.Claim{}, description{}, err
	}
	var others []string
	for _, c := range all {
		other := strings.TrimPrefix(c.Prefix, labPrefix+"-")
		if other == name {
			var d description
			// A note that is not there yet, or half of one, is that of a lab that is being built.
			if json.Unmarshal(c.Note, &d) != nil {
				d = description{}
			}
			return c, d, nil
		}
		others = append(others, other)
	}
	cure := "gw lab up makes one"
	if len(others) > 0 {
		cure = "there is " + strings.Join(others, ", ") + ": choose with --name"
	}
	return lab.Claim{}, description{}, fmt.Errorf("%w: %s (%s)", errNoLab, name, cure)
}

// standing finds a lab that is finished, and its hosts.
func standing(name string) (lab.Claim, description, []vtep, error) {
	if err := checkName(name); err != nil {
		return lab.Claim{}, description{}, nil, err
	}
	if err := checkMachine(false); err != nil {
		return lab.Claim{}, description{}, nil, fmt.Errorf("lab: %w", err)
	}
	c, d, err := find(name)
	if err == nil && !d.Ready {
		err = fmt.Errorf("%s is not finished (wait for its gw lab up; where that was killed, gw lab down --name %s removes it)", name, name)
	}
	if err != nil {
		return c, d, nil, fmt.Errorf("lab: %w", err)
	}
	nodes, err := d.nodes()
	return c, d, nodes, err
}

// Exec turns this process into a program in a host or container of a lab. It returns only if that fails.
func Exec(name, where string, argv []string) error {
	c, _, nodes, err := standing(name)
	if err != nil {
		return err
	}
	var names []string
	for i := range nodes {
		names = append(names, nodes[i].name)
		for _, c := range nodes[i].containers {
			names = append(names, c.name)
		}
	}
	if !slices.Contains(names, where) {
		return UseError{fmt.Errorf("lab: %s has no %q (it has %s)", name, where, strings.Join(names, ", "))}
	}
	if err := lab.Exec(c.Name+"-"+where, argv); err != nil {
		return fmt.Errorf("lab: %w", err)
	}
	return nil
}
