package demo

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"vxgw/internal/lab"
	"vxgw/netdev"
)

// newHost makes a host in a lab of its own and holds its namespace. What is in /run for it is of an earlier one that
// was killed.
func newHost(t *testing.T) (*lab.Lab, *lab.Host, namespace) {
	t.Helper()
	l, err := lab.New(ownPrefix())
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	h, err := l.Host("a")
	must(t, err)
	spaces, err := hold(l.Name() + "-")
	t.Cleanup(func() { release(spaces) })
	if err != nil || len(spaces) != 1 || spaces[0].name != h.NSName() {
		t.Fatalf("held %v %v, want %s", spaces, err, h.NSName())
	}
	must(t, spaces[0].removeFiles())
	return l, h, spaces[0]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// While a namespace is held, its inode is given to no other one, although it has lost its name: what is removed is its
// own and nobody else's.
func TestHeldNamespace(t *testing.T) {
	build(t) // which needs root
	gone, _, held := newHost(t)
	must(t, gone.Close())
	for range 4 {
		_, h, ns := newHost(t)
		var path string
		must(t, h.Do(func() error { path = netdev.PathsFor(wire).Lock; return nil }))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, nil, 0o644))
		must(t, held.removeFiles())
		if files, err := ns.files(); err != nil || !slices.Equal(files, []string{path}) {
			t.Errorf("files %v %v, want %s", files, err, path)
		}
		must(t, ns.removeFiles())
		if files, err := ns.files(); err != nil || len(files) > 0 {
			t.Errorf("not removed: %v %v", files, err)
		}
	}
}
