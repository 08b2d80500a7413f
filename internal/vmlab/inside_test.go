//go:build vmlab

package vmlab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// TestMain removes what machines of killed runs left behind.
func TestMain(m *testing.M) {
	if _, err := lab.Sweep(labPrefix); err != nil && os.Geteuid() == 0 {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// plan is a machine, and the tests of one package that run in it.
type plan struct {
	suite    string // of the kernel
	segments []Segment
	modules  []string // beside those that every machine has
	pkg      string   // folder
	run      string   // -test.run
	memory   int      // MiB
	short    bool     // -test.short
	scripts  []string // files that are put into /bin, beside a shell
}

// inside boots a machine as planned, and makes a subtest of every case there. A case that is skipped has failed: the plan names the
// tests for which the machine has all that it takes.
func inside(t *testing.T, p plan) {
	t.Parallel() // much of it is waiting: for carriers, for neighbours
	ctx, cancel := context.WithDeadline(t.Context(), deadline(t))
	defer cancel()
	kernel := prepare(t, p.suite)
	binary := filepath.Join(t.TempDir(), "tests")
	build(t, "test", "-c", "-tags", "vmlab", "-trimpath", "-o", binary, "./"+p.pkg)
	m := &Machine{
		Kernel: kernel, Segments: p.segments, Memory: p.memory,
		Modules: append(p.modules, "veth", "vxlan", "tun", "bridge"),
		Files:   map[string]string{"init": initProgram(t), "bin/tests": binary},
		Command: []string{"/bin/tests", "-test.v=test2json", "-test.run", p.run, "-test.timeout", time.Until(deadline(t)).Round(time.Second).String()},
		Env:     []string{"CI=true", "HOME=/root", "PATH=/bin", "TMPDIR=/tmp"},
	}
	if len(p.scripts) > 0 {
		m.Files["bin/sh"] = shell(t)
	}
	for _, s := range p.scripts {
		m.Files["bin/"+filepath.Base(s)] = filepath.Join("../..", s)
	}
	if p.short {
		m.Command = append(m.Command, "-test.short")
	}
	report, in, wait, err := NewReport(func(c *Case) {
		if c.Action != "pass" || !strings.Contains(c.Name, "/") {
			t.Logf("%s %s (%.1fs)", c.Action, c.Name, c.Elapsed)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	r, err := m.Run(ctx, in)
	if err := errors.Join(err, in.Close(), wait()); err != nil {
		t.Errorf("%v\nthe kernel said last:\n%s", err, last(r.Console, 4000))
	}
	t.Logf("%s: %d cases, exit status %d, %.0fs, of which %.0fs to user space", filepath.Base(kernel), len(report.Sub), r.Status, time.Since(start).Seconds(), r.Up.Seconds())
	if r.Boots > 1 {
		t.Logf("%d boots hung and were tried again", r.Boots-1)
	}
	if trouble := complaint.FindString(r.Console); trouble != "" {
		t.Errorf("the kernel is in trouble: %s\n%s", trouble, last(r.Console, 8000))
	}
	for _, c := range report.Sub {
		repeat(t, c)
	}
	if len(report.Sub) == 0 || r.Status != 0 && !t.Failed() {
		t.Errorf("the tests ended with status %d after %d cases:\n%s", r.Status, len(report.Sub), report.Output)
	}
}

// complaint is what no kernel should print, whatever is done to it.
var complaint = regexp.MustCompile(`(?m)^.*(BUG:|Oops|Kernel panic|general protection|use-after-free|soft lockup).*$`)

// repeat makes a subtest of a case.
func repeat(t *testing.T, c *Case) {
	t.Run(c.Name[strings.LastIndexByte(c.Name, '/')+1:], func(t *testing.T) {
		for _, sub := range c.Sub {
			repeat(t, sub)
		}
		switch c.Action {
		case "pass":
		case "skip":
			t.Errorf("skipped in the machine:\n%s", c.Output)
		case "":
			t.Errorf("did not come to an end:\n%s", c.Output)
		default:
			t.Errorf("failed in the machine:\n%s", c.Output)
		}
	})
}

// deadline leaves time to report.
func deadline(t *testing.T) time.Time {
	if d, ok := t.Deadline(); ok {
		return d.Add(-15 * time.Second)
	}
	return time.Now().Add(10 * time.Minute)
}

// prepare returns the kernel of a suite. What it takes is fetched.
func prepare(t *testing.T, suite string) string {
	t.Helper()
	cache, err := Cache()
	if err != nil {
		t.Fatal(err)
	}
	if err := Packages(t.Context(), cache); err != nil {
		t.Fatalf("the lab needs QEMU 8.0 or newer: %v", err)
	}
	kernel, err := Kernel(t.Context(), cache, suite)
	if err != nil {
		t.Fatalf("the lab needs the kernel of Debian's %s: %v", suite, err)
	}
	return kernel
}

// shell returns what the guest runs scripts with. It is fetched.
func shell(t *testing.T) string {
	t.Helper()
	cache, err := Cache()
	if err != nil {
		t.Fatal(err)
	}
	file, err := Shell(t.Context(), cache)
	if err != nil {
		t.Fatalf("the lab needs Debian's busybox-static: %v", err)
	}
	return file
}

// initProgram builds package guest.
func initProgram(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "init")
	build(t, "build", "-trimpath", "-o", file, "./internal/vmlab/guest")
	return file
}

// build runs the go command at the top of the module, for a static binary.
func build(t *testing.T, args ...string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "go", args...)
	c.Dir, c.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// last returns the end of a text.
func last(text string, n int) string { return text[max(0, len(text)-n):] }
