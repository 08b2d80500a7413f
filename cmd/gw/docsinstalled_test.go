package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestInstalledPages wants the pages that are installed to find one another and their pictures.
func TestInstalledPages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := exec.Command("deploy/install.sh", os.Args[0], dir, "/usr")
	c.Dir, c.Env = "../..", append(os.Environ(), actAsGW+"=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	link := regexp.MustCompile(`\]\(([^)#\s:]+)[^):\s]*\)`)
	found := 0
	must(t, filepath.WalkDir(filepath.Join(dir, "usr/share/doc/gw"), func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".md") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(path), err)
			}
		}
		return err
	}))
	if found < 50 {
		t.Errorf("only %d links", found)
	}
}
