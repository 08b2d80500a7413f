package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Left reads what the journal at path would put back, and touches nothing: none where there is no
// journal, or where it is of another namespace or an earlier boot. Lines that cannot be read are an error
// beside the others.
func Left(path string) ([]Change, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	now, err := here()
	if err != nil {
		return nil, fmt.Errorf("read journal %s: %w", path, err)
	}
	from, changes, bad := decode(text)
	switch {
	case from.Cookie != 0 && from != now:
		return nil, nil
	case bad > 0:
		return changes, fmt.Errorf("read journal %s: %d unreadable lines", path, bad)
	}
	return changes, nil
}

// Held reports whether a process has the lock at path, without taking it for a moment as asking flock(2) would:
// a gateway that starts meanwhile must not find it taken. /proc/locks lists all (fs/locks.c, lock_get_status).
func Held(path string) (bool, error) {
	file := inode(path)
	if file == 0 {
		return false, nil
	}
	text, err := os.ReadFile("/proc/locks")
	if err != nil {
		return false, fmt.Errorf("ask who holds %s: %w", path, err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if slices.Contains(words, "FLOCK") && slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(w, fmt.Sprintf(":%d", file)) }) {
			return true, nil
		}
	}
	return false, nil
}
