// Command rules checks what no general linter knows about this project: who may
// import whom, where unsafe may stand, and how long a file may be. It prints one
// line per violation.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "vxgw/"

// imports lists, for each package of the module, which others it may import. The
// tree points down; packages of one line never import one another.
var imports = map[string][]string{
	"ring":   {"internal/ethtool"},
	"fdb":    {},
	"neigh":  {},
	"vxlan":  {},
	"filter": {},
	"bpf":    {"internal/ethtool"},
	"config": {},
	"logs":   {},

	"handover":  {},
	"control":   {},
	"underlay":  {},
	"netdev":    {"config", "internal/ethtool", "internal/genl"},
	"dataplane": {"ring", "fdb", "neigh", "vxlan", "filter"},

	"capture": {"dataplane", "fdb"},
	"gateway": {"capture", "filter", "dataplane", "ring", "fdb", "neigh", "vxlan", "bpf", "config", "control", "underlay", "netdev", "handover", "logs"},
	"stats":   {"control", "dataplane"},
	"page":    {"control", "stats"},
	"metrics": {"control", "dataplane"},
	"doctor":  {"gateway", "bpf", "config", "control", "netdev", "ring", "internal/ethtool", "internal/genl"},

	"fromkernel": {},

	"internal/ethtool": {},
	"internal/genl":    {},

	"internal/lab": {"internal/ethtool", "internal/genl"},
	"deploy":       {},

	"internal/rules": {}, "internal/describe": {}, "internal/dashboard": {},
	"internal/vmlab": {"internal/lab"}, "internal/vmlab/guest": {"internal/vmlab"},
	"internal/demo": {"internal/lab", "control", "dataplane", "netdev"},
	"bench":         {"internal/lab", "filter", "control", "dataplane", "ring", "fdb", "vxlan", "bpf"},

	"cmd/gw": {"capture", "filter", "gateway", "metrics", "page", "stats", "doctor", "logs", "control", "config", "fromkernel", "netdev", "handover", "dataplane", "internal/demo", "bench"},
}

// maxLines is how long a file may be that people wrote.
const maxLines = 400

type goPackage struct {
	Dir, ImportPath string
	GoFiles         []string
	TestGoFiles     []string
	XTestGoFiles    []string
	Imports         []string
}

func main() {
	problems, err := check()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rules:", err)
		os.Exit(1)
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

func check() ([]string, error) {
	out, err := exec.Command("go", "list", "-tags=vmlab", "-json=Dir,ImportPath,GoFiles,TestGoFiles,XTestGoFiles,Imports", "./...").Output()
	if err != nil {
		return nil, fmt.Errorf("list the packages: %w", err)
	}
	var problems []string
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return problems, nil
		} else if err != nil {
			return nil, fmt.Errorf("read the list of packages: %w", err)
		}
		found, err := p.check()
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
}

func (p goPackage) check() ([]string, error) {
	name := strings.TrimPrefix(p.ImportPath, module)
	allowed, known := imports[name]
	if !known {
		return []string{fmt.Sprintf("%s: not in the import tree of internal/rules", name)}, nil
	}
	var problems []string
	for _, i := range p.Imports {
		if other, ours := strings.CutPrefix(i, module); ours && !slices.Contains(allowed, other) {
			problems = append(problems, fmt.Sprintf("%s: must not import %s", name, other))
		}
	}
	for _, f := range slices.Concat(p.GoFiles, p.TestGoFiles, p.XTestGoFiles) {
		text, err := os.ReadFile(filepath.Join(p.Dir, f))
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(text), "\n// Code generated ") || strings.HasPrefix(string(text), "// Code generated ") {
			continue
		}
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			problems = append(problems, fmt.Sprintf("%s/%s: %d lines, at most %d", name, f, n, maxLines))
		}
		test := strings.HasSuffix(f, "_test.go")
		if bytes.Contains(text, []byte("\"unsafe\"\n")) && !test && !strings.HasPrefix(f, "unsafe") {
			problems = append(problems, fmt.Sprintf("%s/%s: imports unsafe (only files named for it may)", name, f))
		}
	}
	return problems, nil
}
