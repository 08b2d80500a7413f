package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
	"vxgw/netdev"
)

// netnsDir is where labs name their namespaces.
const netnsDir = "/run/netns"

// Remove takes away what demos left that were killed or told to keep: processes, namespaces, and the files in /run of
// the gateways that end with them. Demos that run are not touched. It returns the names of the namespaces removed.
func Remove() ([]string, error) { return remove(prefix) }

func remove(prefix string) ([]string, error) {
	spaces, err := hold(prefix + "-")
	defer release(spaces)
	if err != nil {
		return nil, fmt.Errorf("remove namespaces: %w", err)
	}
	labs, err := lab.Sweep(prefix)
	errs := []error{err}
	var removed []string
	for _, l := range labs {
		for _, ns := range spaces {
			if strings.HasPrefix(ns.name, l+"-") {
				removed = append(removed, ns.name)
				errs = append(errs, ns.removeFiles())
			}
		}
	}
	slices.Sort(removed)
	return removed, errors.Join(errs...)
}

// namespace is one with a name, held open: it may lose its name and its processes, but its inode is given to no other
// one. Files in /run that are named after the inode are its own for so long, and only for so long.
type namespace struct {
	name  string
	inode uint64
	file  *os.File
}

// hold opens the namespaces whose names start with prefix. The caller releases what it gets, with an error too.
func hold(prefix string) (spaces []namespace, err error) {
	paths, err := filepath.Glob(filepath.Join(netnsDir, prefix+"*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // a demo that ends
		}
		if err != nil {
			return spaces, fmt.Errorf("hold namespace: %w", err)
		}
		var fs unix.Statfs_t
		var st unix.Stat_t
		if err := errors.Join(unix.Fstatfs(int(f.Fd()), &fs), unix.Fstat(int(f.Fd()), &st)); err != nil {
			f.Close()
			return spaces, fmt.Errorf("hold namespace %s: %w", path, err)
		}
		if fs.Type != unix.NSFS_MAGIC { // a name to which nothing is bound yet
			f.Close()
			continue
		}
		spaces = append(spaces, namespace{filepath.Base(path), st.Ino, f})
	}
	return spaces, nil
}

// release lets the namespaces end.
func release(spaces []namespace) {
	for _, ns := range spaces {
		ns.file.Close()
	}
}

// files lists what gateways in the namespace have in /run.
func (ns namespace) files() ([]string, error) {
	dir := filepath.Dir(netdev.PathsFor(wire).State)
	return filepath.Glob(filepath.Join(dir, fmt.Sprintf("%d-*", ns.inode)))
}

// removeFiles removes what a killed gw left for its next start, which there is none of: nobody runs in the namespace.
func (ns namespace) removeFiles() error {
	paths, err := ns.files()
	errs := []error{err}
	for _, path := range paths {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
