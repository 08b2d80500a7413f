package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// NoGroup leaves a socket to the group of the process.
const NoGroup = -1

// GroupID finds a group by its name or number; NoGroup for no name.
func GroupID(name string) (int, error) {
	if name == "" {
		return NoGroup, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("control group %q is no group of this host (groupadd it, or name another)", name)
	}
	return strconv.Atoi(g.Gid)
}

// Listen takes the socket at path, mode 0660, and gives it to a group. A socket that a killed
// gateway left there is replaced; one that answers is an error. With an existing folder
// it makes nothing but the socket.
func Listen(path string, group int) (*Server, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the control socket: %w", err)
	}
	if err := RemoveStale(path); err != nil {
		return nil, err
	}
	old := unix.Umask(0o177) // nobody else, before the group is right
	l, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on the control socket %s: %w (choose another with --control)", path, err)
	}
	if group != NoGroup {
		if err := os.Chown(path, -1, group); err != nil {
			return nil, errors.Join(fmt.Errorf("give the control socket to group %d: %w (only root can give it to a group that gw is not in; systemd: SupplementaryGroups=)", group, err), l.Close())
		}
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("open the control socket to its group: %w", err), l.Close())
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look at the control socket: %w", err), l.Close())
	}
	return newServer(l, groupOf(info)), nil
}

// RemoveStale removes the socket that a killed gateway left at path. That there is
// none is no error; that one answers is, and anything else than a socket.
func RemoveStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the control socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return fmt.Errorf("control socket %s: there is something else than a socket (choose another path with --control)", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("control socket %s: another gw answers there (choose another path with --control)", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("control socket %s: does another gw have it? %w (choose another path with --control)", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove the control socket of a killed gw: %w", err)
	}
	return nil
}
