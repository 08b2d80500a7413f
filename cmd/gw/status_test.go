package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"vxgw/control"
)

// TestStatusOfManyRemotes has thousands of VTEPs, which anybody can forge.
func TestStatusOfManyRemotes(t *testing.T) {
	s := control.Status{Remotes: []control.Remote{}}
	for i := range 5000 {
		s.Remotes = append(s.Remotes, control.Remote{Address: fmt.Sprintf("10.1.%d.%d", i>>8, i&255)})
	}
	s.Remotes = append(s.Remotes, control.Remote{Address: "10.65.132.188", Configured: true})
	var out bytes.Buffer
	must(t, printStatus(&out, s))
	if n := strings.Count(out.String(), "\n"); n > 150 {
		t.Errorf("%d lines", n)
	}
	for _, w := range []string{"10.1.0.1 ", "10.65.132.188 ", "and 4900 more"} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in\n%s", w, &out)
		}
	}
}

// TestStatusTable keeps its columns although an interface has a remark.
func TestStatusTable(t *testing.T) {
	var s control.Status
	s.Underlay.Interface = control.Interface{Name: "ens18", XDP: "native", Fallback: "zero-copy: operation not supported"}
	s.Ports = []control.Port{{Interface: control.Interface{Name: "veth1", XDP: "generic", Fallback: "no native XDP"}, VNI: 42}}
	var out bytes.Buffer
	must(t, printStatus(&out, s))
	lines := strings.Split(out.String(), "\n")
	head, first, second := lines[2], lines[3], lines[4]
	if at := strings.Index(head, "XDP"); strings.Index(first, "native") != at || strings.Index(second, "generic") != at {
		t.Errorf("the columns are out of line:\n%s", &out)
	}
	for _, w := range []string{"ens18: zero-copy: operation not supported\n", "veth1: no native XDP\n"} {
		if !strings.Contains(out.String(), w) {
			t.Errorf("no %q in\n%s", w, &out)
		}
	}
}
