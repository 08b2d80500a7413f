package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Lock keeps a second gateway off the same underlay. The kernel drops it with
// the process, however that ends.
type Lock struct {
	file *os.File
}

// Acquire takes the lock file at path, and makes it and its folder where they
// are missing. It does not wait: the error names the process that holds it.
func Acquire(path string) (*Lock, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lock: %w", withFileCure(err))
	}
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return nil, fmt.Errorf("lock: %w", withFileCure(err))
		}
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			err = held(path, f, err)
			f.Close()
			return nil, err
		}
		if !sameFile(f, path) { // its last holder removed it between open and flock
			f.Close()
			continue
		}
		if err := writePID(f); err != nil {
			(&Lock{f}).Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return &Lock{f}, nil
	}
}

// withFileCure adds to a refusal what would help: capabilities for networks are
// none for files.
func withFileCure(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (run as root, or let this user write there: systemd RuntimeDirectory=gw)", err)
	case errors.Is(err, unix.EROFS), errors.Is(err, unix.ENOTDIR):
		return fmt.Errorf("%w (gw needs a folder there that it can write to, such as a tmpfs)", err)
	}
	return err
}

// Close removes the file and lets the lock go, in this order: who opened the
// file before sees that it is gone. A second Close does nothing but fail.
func (l *Lock) Close() error {
	var gone error
	if sameFile(l.file, l.file.Name()) {
		gone = os.Remove(l.file.Name())
	}
	return errors.Join(gone, l.file.Close())
}

func held(path string, f *os.File, err error) error {
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	who := "another process"
	text := make([]byte, 64)
	n, _ := f.ReadAt(text, 0)
	if words := strings.Fields(string(text[:n])); len(words) > 0 {
		if pid, err := strconv.Atoi(words[0]); err == nil {
			who = fmt.Sprintf("process %d", pid)
		}
		if len(words) > 1 {
			who += ", whose underlay is " + words[1]
		}
	}
	return &HeldError{Path: path, who: who}
}

// HeldError says that another process holds a lock.
type HeldError struct {
	Path string
	who  string
}

// Error names the process.
func (e *HeldError) Error() string {
	return fmt.Sprintf("lock %s: held by %s (one gw per underlay interface: stop that one, or add the VNI to it)", e.Path, e.who)
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

func writePID(f *os.File) error { return writeHolder(f, "") }

// For notes that the lock is held for another interface, which has this one below it: whoever
// finds it held is told.
func (l *Lock) For(iface string) error {
	if err := writeHolder(l.file, " "+iface); err != nil {
		return fmt.Errorf("lock %s: %w", l.file.Name(), err)
	}
	return nil
}

func writeHolder(f *os.File, iface string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+iface+"\n"), 0)
	return err
}
