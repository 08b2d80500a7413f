package deploy

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vxgw/internal/lab"
)

// labPrefix names the labs of this folder's tests.
const labPrefix = "gwdeploy"

func TestMain(m *testing.M) {
	lab.Sweep(labPrefix) // what can't be removed is in nobody's way
	os.Exit(m.Run())
}

// need skips the test where the machine is not Debian, or has not what the test needs; CI has it.
func need(t *testing.T, programs ...string) {
	t.Helper()
	missing := ""
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing += " " + p
		}
	}
	if os.Geteuid() != 0 {
		missing += " (root)"
	}
	switch {
	case missing != "" && os.Getenv("CI") == "true":
		t.Fatalf("missing:%s; CI must not skip this", missing)
	case missing != "":
		t.Skipf("missing:%s", missing)
	}
}

// run runs a command in a folder to its end and returns what it printed to standard output.
func run(t *testing.T, dir string, env []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// TestUnit holds the unit against systemd's own list of what a service should not have.
func TestUnit(t *testing.T) {
	need(t, "systemd-analyze")
	unit, err := filepath.Abs("systemd/gw@.service")
	if err != nil {
		t.Fatal(err)
	}
	out := run(t, ".", nil, "systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=29", unit)
	if !strings.Contains(out, "Overall exposure level") {
		t.Errorf("systemd-analyze says nothing of the exposure:\n%s", out)
	}
}

// TestPackage builds the package in two folders, to the same bytes, and tries it against the kernel's vxlan device:
// installed, run as its user with the unit's capabilities, and removed; and run by systemd, which restarts it under load.
func TestPackage(t *testing.T) {
	need(t, "dpkg-deb", "make", "git", "unshare", "setpriv", "systemd-analyze", "ping")
	var packages []string
	source := ".."
	for range 2 {
		dir := filepath.Join(t.TempDir(), "source")
		copySource(t, source, dir)
		source = dir // the tree may change meanwhile, as this one does not
		run(t, dir, []string{"SOURCE_DATE_EPOCH=1700000000"}, "make", "--silent", "deb", "VERSION=v1.2.3-4-gabcdef0")
		packages = append(packages, filepath.Join(dir, "gw_1.2.3+4+gabcdef0_"+strings.TrimSpace(run(t, ".", nil, "go", "env", "GOARCH"))+".deb"))
	}
	first, err := os.ReadFile(packages[0])
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(packages[1])
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Error("two builds of the same source give different packages")
	}
	if info := run(t, ".", nil, "dpkg-deb", "--field", packages[0], "Package", "Version"); info != "Package: gw\nVersion: 1.2.3+4+gabcdef0\n" {
		t.Errorf("the package says of itself: %s", info)
	}
	t.Run("by hand", func(t *testing.T) { trial(t, packages[0], "debian/trial.sh") })
	t.Run("by systemd", func(t *testing.T) {
		need(t, "systemctl", "nsenter", "pgrep", "ip")
		trial(t, packages[0], "systemd/trial.sh")
	})
}

// copySource copies a source tree without its history, which a commit changes and the linker would write down. What goes
// while it is copied, such as a file that another test makes in its folder, is left out.
func copySource(t *testing.T, from, to string) {
	t.Helper()
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != from {
			return nil
		}
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		switch {
		case rest == ".git" && d.IsDir():
			return fs.SkipDir
		case rest == ".git": // of a worktree
			return nil
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rest), 0o755)
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err == nil {
			var text []byte
			if text, err = os.ReadFile(path); err == nil {
				return os.WriteFile(filepath.Join(to, rest), text, info.Mode())
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func trial(t *testing.T, file, how string) {
	l, err := lab.New(labPrefix)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	near, err := l.Host("near")
	must(err)
	far, err := l.Host("far")
	must(err)
	must(l.Veth(near, "ens18", far, "ens18", lab.VethOptions{}))
	must(near.AddAddress("ens18", "10.65.132.187/24"))
	must(far.AddAddress("ens18", "10.65.132.188/24"))
	must(far.KernelVXLAN(lab.VXLANConfig{Name: "vxlan0", VNI: 42, Dev: "ens18", Remote: netip.MustParseAddr("10.65.132.187"), Address: "172.17.1.3/24"}))
	script, err := filepath.Abs(how)
	must(err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := near.Command(ctx, "unshare", "-m", script, file, "172.17.1.3")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	told, ok := strings.CutSuffix(out.String(), "ok\n")
	t.Log(told)
	if err != nil || !ok {
		t.Errorf("the trial of the package: %v\n%s%s", err, out.String(), errs.String())
	}
}
