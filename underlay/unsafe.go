package underlay

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketMemory is what SO_MEMINFO tells (include/uapi/linux/sock_diag.h, SK_MEMINFO_*).
type socketMemory [9]uint32

// drops is of packets that the socket had no room for.
func (m *socketMemory) drops() uint32 { return m[8] }

// memoryOf asks for what package unix has no call for.
func memoryOf(fd int) (m socketMemory, err error) {
	size := uint32(unsafe.Sizeof(m))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&m)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return m, e
	}
	return m, nil
}
