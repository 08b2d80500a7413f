package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"vxgw/control"
	"vxgw/internal/lab"
	"vxgw/netdev"
)

// askTime bounds how long a gw may take to say how it is.
const askTime = 10 * time.Second

// LabStatus is what Status tells. The names of its JSON stay as they are.
type LabStatus struct {
	Name string `json:"name"`
	description
	Hosts []hostStatus `json:"hosts"`

	nodes []*vtep
}

// hostStatus is one host, or a container on one.
type hostStatus struct {
	Name      string   `json:"name"`
	On        string   `json:"on,omitempty"` // the host of a container
	Namespace string   `json:"namespace"`
	Underlay  string   `json:"underlay,omitempty"` // address on ens18
	Overlay   string   `json:"overlay,omitempty"`  // address on Link
	Link      string   `json:"link,omitempty"`
	VTEP      string   `json:"vtep,omitempty"` // gw or kernel
	PID       int      `json:"pid,omitempty"`  // of gw, where it answers
	Ready     bool     `json:"ready"`
	Problem   string   `json:"problem,omitempty"`
	Commands  []string `json:"commands,omitempty"` // that made the VTEP
}

// Status looks at a lab: who stands where, and which VTEPs work.
func Status(ctx context.Context, name string) (LabStatus, error) {
	c, d, nodes, err := standing(name)
	if err != nil {
		return LabStatus{}, err
	}
	s := LabStatus{Name: name, description: d}
	for i := range nodes {
		v := &nodes[i]
		s.nodes = append(s.nodes, v)
		s.Hosts = append(s.Hosts, v.ask(ctx, c.Name))
		for _, e := range v.containers {
			s.Hosts = append(s.Hosts, hostStatus{
				Name: e.name, On: v.name, Namespace: c.Name + "-" + e.name,
				Overlay: e.inner.String() + overlayBits, Link: e.link, Ready: true,
			})
		}
	}
	return s, nil
}

// Broken returns an error that names the VTEPs that do not work, or nil.
func (s LabStatus) Broken() error {
	var broken []string
	for _, h := range s.Hosts {
		if !h.Ready {
			broken = append(broken, h.Name+": "+h.Problem)
		}
	}
	if len(broken) == 0 {
		return nil
	}
	return fmt.Errorf("lab: %s does not work (gw lab down --name %s, then up): %s", s.Name, s.Name, strings.Join(broken, "; "))
}

// ask looks at one host of a lab.
func (v *vtep) ask(ctx context.Context, labName string) hostStatus {
	h := hostStatus{
		Name: v.name, Namespace: labName + "-" + v.name, VTEP: "kernel",
		Underlay: v.outer.String() + underlayBits, Commands: v.commands(),
	}
	if len(v.containers) == 0 {
		h.Overlay, h.Link = v.inner.String()+overlayBits, v.device()
	}
	err := lab.Enter(h.Namespace, func() error {
		if !v.gw {
			_, err := netdev.Lookup(v.device())
			return err
		}
		v.client = control.NewClient(netdev.PathsFor(wire).Socket)
		return nil
	})
	if err == nil && v.gw {
		h.VTEP = "gw"
		ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("gw does not answer within %s", askTime))
		defer cancel()
		var s control.Status
		if s, err = v.client.Status(ctx); err == nil {
			h.PID = s.PID
			if !s.Ready {
				err = errors.New("gw is not ready")
			}
			h.Problem = strings.Join(s.Problems, "; ")
		}
	}
	if h.Ready = err == nil; !h.Ready {
		h.Problem = err.Error()
	}
	return h
}

// state is what the text says of a VTEP.
func (h hostStatus) state() string {
	switch {
	case h.On != "":
		return "container on " + h.On
	case h.Problem != "":
		return h.VTEP + ", PROBLEM: " + h.Problem
	case h.PID != 0:
		return fmt.Sprintf("%s, ready, pid %d", h.VTEP, h.PID)
	}
	return h.VTEP
}

// Print writes it for people, with what to type next.
func (s LabStatus) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "lab %s: scenario %s, vtep %s\n\n", s.Name, s.Scenario, s.VTEP)
	for _, l := range picture(s.nodes) {
		fmt.Fprintln(w, l)
	}
	fmt.Fprintf(w, "\nNAME\tUNDERLAY\tOVERLAY\tLINK\tVTEP\tNAMESPACE\n")
	for _, h := range s.Hosts {
		fmt.Fprintln(w, strings.Join([]string{h.Name, orDash(h.Underlay), orDash(h.Overlay), orDash(h.Link), h.state(), h.Namespace}, "\t"))
	}
	fmt.Fprintln(w)
	for _, h := range s.Hosts {
		for _, c := range h.Commands {
			fmt.Fprintf(w, "%s# %s\n", h.Name, c)
		}
	}
	first, last := s.ends()
	name := ""
	if s.Name != DefaultLab {
		name = " --name " + s.Name
	}
	fmt.Fprintf(w, "\ngw lab exec %s%s -- ping -c 1 %s\ngw lab down%s\n", first.Name, name, strings.TrimSuffix(last.Overlay, overlayBits), name)
	return w.Flush()
}

// ends returns the first and the last who have an address on the overlay.
func (s LabStatus) ends() (first, last hostStatus) {
	all := slices.DeleteFunc(slices.Clone(s.Hosts), func(h hostStatus) bool { return h.Overlay == "" })
	return all[0], all[len(all)-1]
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
