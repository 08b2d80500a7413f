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

// How an interface's interrupts wait while somebody polls it (Documentation/networking/napi.rst,
// irq mitigation): after a poll that found work, so many that find nothing are waited
// for, each for the timeout in nanoseconds, before an interrupt may come again.
var polled = []struct{ file, value string }{
	{"napi_defer_hard_irqs", "2"},
	{"gro_flush_timeout", "200000"},
}

// DeferInterrupts makes the interrupts of an interface wait for whoever polls it by himself,
// recorded in j before. What somebody has set to more already stays.
func DeferInterrupts(j *Journal, info Info) error {
	if j.noSys != nil {
		return fmt.Errorf("defer the interrupts of %s: %w", info.Name, j.noSys)
	}
	for _, set := range polled {
		old, err := j.sys.read(info.ID(), set.file)
		if err != nil {
			return fmt.Errorf("defer the interrupts of %s: %w", info.Name, err)
		}
		if n, err := strconv.ParseUint(old, 10, 64); err == nil && n > 0 {
			j.Adopt(KindSysfs, info.ID(), set.file)
			continue
		}
		c := Change{Kind: KindSysfs, Link: info.ID(), Feature: set.file, Old: old, New: set.value}
		if err := j.Record(c); err != nil {
			return err
		}
		if err := j.sys.write(info.ID(), set.file, set.value); err != nil {
			return errors.Join(append([]error{fmt.Errorf("defer the interrupts of %s: %w", info.Name, rootsFile(err, set.value))}, j.takeBack(c)...)...)
		}
	}
	return nil
}

// rootsFile adds to a refusal what would help: files below /sys ask who somebody is, and not for capabilities.
func rootsFile(err error, value string) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (the file is root's: run as root, or have root write %s to it)", err, value)
	}
	return err
}

// sysfs shows the interfaces of the calling thread's namespace, which the one at /sys need
// not do: that is of the namespace in which it was mounted.
type sysfs struct{ dir *os.File }

// openSysfs opens one that is mounted nowhere, or where that is not allowed (CAP_SYS_ADMIN) the one at /sys.
func openSysfs() (sysfs, error) {
	fd, err := mountSysfs()
	if err != nil {
		dir, err := os.Open("/sys")
		return sysfs{dir}, err
	}
	return sysfs{os.NewFile(uintptr(fd), "sysfs")}, nil
}

func mountSysfs() (int, error) {
	ctx, err := unix.Fsopen("sysfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC)
}

// Close gives it back.
func (s sysfs) Close() error { return s.dir.Close() }

// open opens a file of an interface, of the very one and not of another with its name.
func (s sysfs) open(link LinkID, file string, flags int) (*os.File, error) {
	dir := filepath.Join("class/net", link.Name)
	index, err := s.text(filepath.Join(dir, "ifindex"))
	if err != nil {
		return nil, err
	}
	if index != strconv.Itoa(link.Index) {
		return nil, fmt.Errorf("/sys shows another network namespace, or another %s (mount a sysfs in this one)", link.Name)
	}
	path := dir + "/" + file // ".." goes up from where a link leads
	fd, err := unix.Openat(int(s.dir.Fd()), path, flags|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: filepath.Join("/sys", path), Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

// text is what a file below the root has.
func (s sysfs) text(path string) (string, error) {
	fd, err := unix.Openat(int(s.dir.Fd()), path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: filepath.Join("/sys", path), Err: err}
	}
	return content(os.NewFile(uintptr(fd), path))
}

func (s sysfs) read(link LinkID, file string) (string, error) {
	f, err := s.open(link, file, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	return content(f)
}

func (s sysfs) write(link LinkID, file, value string) error {
	f, err := s.open(link, file, unix.O_WRONLY)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// content reads a file of sysfs, none of which is longer than a page, and closes it.
func content(f *os.File) (string, error) {
	defer f.Close()
	var page [4096]byte
	n, err := f.Read(page[:])
	return strings.TrimSpace(string(page[:n])), err
}
