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
	inodes, err := namespaces(prefix + "-")
	if err != nil {
		return nil, fmt.Errorf("remove demos: %w", err)
	}
	labs, err := lab.Sweep(prefix)
	errs := []error{err}
	var removed []string
	for _, l := range labs {
		for name, inode := range inodes {
			if strings.HasPrefix(name, l+"-") {
				removed = append(removed, name)
				errs = append(errs, removeFiles(inode))
			}
		}
	}
	slices.Sort(removed)
	return removed, errors.Join(errs...)
}

// namespaces returns the inodes of the namespaces whose names start with prefix.
func namespaces(prefix string) (map[string]uint64, error) {
	paths, err := filepath.Glob(filepath.Join(netnsDir, prefix+"*"))
	if err != nil {
		return nil, err
	}
	inodes := map[string]uint64{}
	for _, path := range paths {
		var st unix.Stat_t
		err := unix.Stat(path, &st)
		if errors.Is(err, unix.ENOENT) {
			continue // a demo that ends
		}
		if err != nil {
			return nil, fmt.Errorf("inspect %s: %w", path, err)
		}
		inodes[filepath.Base(path)] = st.Ino
	}
	return inodes, nil
}

// removeFiles removes what a killed gw left for its next start in a namespace that is gone. The file names begin with
// the namespace's inode, which the kernel gives to a later one.
func removeFiles(inode uint64) error {
	dir := filepath.Dir(netdev.PathsFor(wire).State)
	paths, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf("%d-*", inode)))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
