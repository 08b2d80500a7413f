package lab

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SinceLinux reports whether this kernel's version is major.minor, or a later one.
func SinceLinux(major, minor int) (bool, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return false, fmt.Errorf("ask for the kernel's version: %w", err)
	}
	release := unix.ByteSliceToString(name.Release[:])
	var x, y int
	if _, err := fmt.Sscanf(release, "%d.%d", &x, &y); err != nil {
		return false, fmt.Errorf("read the kernel's version %q: %w", release, err)
	}
	return x > major || x == major && y >= minor, nil
}
