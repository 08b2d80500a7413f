package netdev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// origin tells the network namespace that a journal is of from every other one.
// Its file name does not: the kernel gives the inode of a namespace that has
// ended to the next one (proc_alloc_inum in fs/proc/generic.c), in which
// interfaces may have the same names, indices and addresses; and where /run is
// on a disk, as in a container, the file outlives the boot.
type origin struct {
	// Boot is the id of the kernel's boot, empty where /proc hides it
	// (ProcSubset=pid of systemd).
	Boot string `json:"boot"`
	// Cookie is never given again during a boot, and never 0
	// (SO_NETNS_COOKIE, kernel 5.14).
	Cookie uint64 `json:"netns"`
}

// here returns the origin of journals that are begun on this thread.
func here() (origin, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return origin{}, fmt.Errorf("read the boot id: %w", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return origin{}, fmt.Errorf("open a socket: %w", err)
	}
	defer unix.Close(fd)
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
	if err != nil {
		return origin{}, fmt.Errorf("get the cookie of this network namespace: %w", err)
	}
	return origin{strings.TrimSpace(string(boot)), cookie}, nil
}

// ForeignError says that a journal is of another network namespace or of an
// earlier boot. Nothing in it concerns this namespace. The Journal that comes
// with it is empty, and the file is removed.
type ForeignError struct {
	Path string
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("journal %s is of another network namespace or of an earlier boot (nothing is put back, the file is removed)", e.Path)
}
