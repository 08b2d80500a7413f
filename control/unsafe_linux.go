package control

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mostGroups is how many one may be in (NGROUPS_MAX of linux/limits.h).
const mostGroups = 1 << 16

// peerGroups are the supplementary groups of who made a connection (SO_PEERGROUPS of net/core/sock.c).
func peerGroups(fd int) ([]uint32, error) {
	groups := make([]uint32, 64)
	for {
		size := uint32(len(groups)) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&groups[0])), uintptr(unsafe.Pointer(&size)), 0)
		switch {
		case errno == 0:
			return groups[:size/4], nil
		case errno == unix.ENODATA: // it had none to be noted
			return nil, nil
		case errno != unix.ERANGE || size/4 > mostGroups:
			return nil, fmt.Errorf("ask for the groups of a client: %w", errno)
		}
		groups = make([]uint32, size/4) // as many as the kernel says
	}
}
