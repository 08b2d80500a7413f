package control

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// peer is who made a connection, as the kernel noted it then (unix(7)): nothing that the client says.
type peer struct {
	uid    uint32
	groups []uint32 // its own and the supplementary ones
	err    error    // why that is not known
}

type peerKey struct{}

// peerOf asks the kernel.
func peerOf(c net.Conn) (p peer) {
	if b, ok := c.(*placed); ok {
		c = b.Conn
	}
	s, ok := c.(*net.UnixConn)
	if !ok {
		return peer{err: fmt.Errorf("%T is no unix socket", c)}
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return peer{err: err}
	}
	if err := raw.Control(func(fd uintptr) { p = peerOfFD(int(fd)) }); err != nil {
		return peer{err: err}
	}
	return p
}

func peerOfFD(fd int) peer {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{err: err}
	}
	groups, err := peerGroups(fd)
	if err != nil {
		return peer{err: err}
	}
	return peer{uid: cred.Uid, groups: append(groups, cred.Gid)}
}

// refusal says why p may not ask, "" if it may: root, the gateway's own user, and members of the socket's group.
// The socket's mode says the same; this holds where that does not, as for a connection that was handed over.
func (p peer) refusal(group uint32) string {
	switch {
	case p.err != nil:
		return fmt.Sprintf("who asks cannot be told: %v", p.err)
	case p.uid == 0, p.uid == uint32(os.Geteuid()), slices.Contains(p.groups, group):
		return ""
	}
	return fmt.Sprintf("user %d may not: neither root nor in group %d, which the socket is of (control.group)", p.uid, group)
}

// groupOf is the group of a file.
func groupOf(info fs.FileInfo) uint32 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Gid
	}
	return uint32(os.Getegid())
}
