package ethtool

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// request is a struct ifreq with a pointer in its union. That is a pointer to the garbage
// collector too: what it leads to stays where it is, or is followed.
type request struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

func open() (int, error) { return unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0) }

// do has the kernel carry out the command that b begins with, which it may write to.
func do(iface string, b []byte) error {
	fd, err := open()
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if len(iface) >= unix.IFNAMSIZ {
		return unix.ENODEV
	}
	r := request{data: unsafe.Pointer(unsafe.SliceData(b))}
	copy(r.name[:], iface)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&r))); errno != 0 {
		return errno
	}
	return nil
}
