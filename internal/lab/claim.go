package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/sys/unix"
)

// A lab's name is claimed by a file that its process keeps locked. The kernel lets go of the lock however the process
// ends, so a claim that can be locked belongs to a dead lab. A pid alone could have been given to another process.

// claimDir holds one file per lab: the living ones, and those left behind. In it is the lab's note.
const claimDir = "/run/vxgw-lab"

// claimName takes the first free <prefix>-<pid>-<n>. The file returned holds the lock; dropClaim ends it.
func claimName(prefix string) (*os.File, string, error) {
	if err := os.MkdirAll(claimDir, 0o755); err != nil {
		return nil, "", fmt.Errorf("claim a name: %w", err)
	}
	for n := 1; ; n++ {
		name := fmt.Sprintf("%s-%d-%d", prefix, os.Getpid(), n)
		f, err := os.OpenFile(filepath.Join(claimDir, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o644)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", fmt.Errorf("claim a name: %w", err)
		}
		if lockClaim(f) {
			return f, name, nil
		}
		f.Close() // a Sweep came between create and lock
	}
}

// lockClaim reports whether f is now locked by us and still the file that its path names.
func lockClaim(f *os.File) bool {
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	held, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(f.Name())
	return err == nil && os.SameFile(held, named)
}

// dropClaim gives the name back: the file goes before the lock does.
func dropClaim(f *os.File) error {
	return errors.Join(os.Remove(f.Name()), f.Close())
}

// Sweep removes what labs with this prefix left behind when their process was killed: processes in their namespaces,
// the namespaces and the claim on the name. Labs of living processes, this one included, are not touched. It returns
// the names of the labs removed.
func Sweep(prefix string) ([]string, error) {
	if os.Geteuid() != 0 {
		return nil, fmt.Errorf("sweep labs %q: network namespaces need root (run it with sudo)", prefix)
	}
	entries, err := os.ReadDir(claimDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sweep labs %q: %w", prefix, err)
	}
	form, err := regexp.Compile("^" + regexp.QuoteMeta(prefix) + `-\d+-\d+$`)
	if err != nil {
		return nil, fmt.Errorf("sweep labs %q: %w", prefix, err)
	}
	var swept []string
	var errs []error
	for _, e := range entries {
		if !form.MatchString(e.Name()) {
			continue
		}
		dead, err := sweepOne(e.Name())
		if dead {
			swept = append(swept, e.Name())
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return swept, fmt.Errorf("sweep labs %q: %w", prefix, err)
	}
	return swept, nil
}

// sweepOne removes the lab of that name if nobody holds its claim.
func sweepOne(name string) (dead bool, err error) {
	f, err := os.OpenFile(filepath.Join(claimDir, name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // closed meanwhile
	}
	if err != nil {
		return false, err
	}
	if !lockClaim(f) {
		return false, f.Close()
	}
	return true, errors.Join(removeNamespaces(name), dropClaim(f))
}
