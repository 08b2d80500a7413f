package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// The flow of a lab that is to outlive its process: NewAlone takes the name, SetNote says what the lab is, Claims finds it
// again, Enter and Exec go into its namespaces, Sweep removes it.

// ErrStands says that there is a lab with that prefix, of a living process or left behind.
var ErrStands = errors.New("there is a lab with that prefix")

// Claim is one lab of this machine.
type Claim struct {
	Name   string // <prefix>-<pid>-<n>
	Prefix string
	Note   []byte // empty: none yet
}

// claimForm takes a lab's name apart.
var claimForm = regexp.MustCompile(`^(.+)-\d+-\d+$`)

// NewAlone is New for a prefix that no other lab of this machine has, which is so for as long as all with that prefix are
// made by NewAlone. The error is ErrStands where there is one.
func NewAlone(prefix string, note []byte) (*Lab, error) {
	if err := os.MkdirAll(claimDir, 0o755); err != nil {
		return nil, fmt.Errorf("make lab %q: %w", prefix, err)
	}
	dir, err := os.Open(claimDir)
	if err != nil {
		return nil, fmt.Errorf("make lab %q: %w", prefix, err)
	}
	defer dir.Close() // and with it goes the lock
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return nil, fmt.Errorf("make lab %q: lock %s: %w", prefix, claimDir, err)
	}
	found, err := Claims(prefix)
	if err != nil {
		return nil, err
	}
	for _, c := range found {
		if c.Prefix == prefix {
			return nil, fmt.Errorf("make lab %q: %w", prefix, ErrStands)
		}
	}
	l, err := New(prefix)
	if err != nil {
		return nil, err
	}
	if err := l.SetNote(note); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// SetNote replaces the lab's note, which is one line and stays for as long as the lab does. Who reads it
// meanwhile may see neither the old one nor the new one.
func (l *Lab) SetNote(note []byte) error {
	// The file itself is what is locked: another one cannot take its place.
	n, err := l.claim.WriteAt(append(note[:len(note):len(note)], '\n'), 0)
	if err == nil {
		err = l.claim.Truncate(int64(n))
	}
	if err != nil {
		return fmt.Errorf("note lab %s: %w", l.name, err)
	}
	return nil
}

// Claims lists the labs whose prefix is the given one or goes on behind it with "-", sorted by their names.
func Claims(prefix string) ([]Claim, error) {
	entries, err := os.ReadDir(claimDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list labs: %w", err)
	}
	var all []Claim
	for _, e := range entries {
		m := claimForm.FindStringSubmatch(e.Name())
		if m == nil || m[1] != prefix && !strings.HasPrefix(m[1], prefix+"-") {
			continue
		}
		note, err := os.ReadFile(filepath.Join(claimDir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("list labs: %w", err)
		}
		line, _, _ := strings.Cut(string(note), "\n")
		all = append(all, Claim{Name: e.Name(), Prefix: m[1], Note: []byte(line)})
	}
	return all, nil
}

// Living reports whether the process that made the lab is there. Do not ask of a lab without a note: it is about to be
// locked, and asking would be in the way.
func (c Claim) Living() bool {
	f, err := os.Open(filepath.Join(claimDir, c.Name))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}
