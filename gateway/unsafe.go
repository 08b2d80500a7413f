package gateway

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setCapabilities makes the permitted and effective capabilities of every thread those in keep, and the inheritable ones
// none.
func setCapabilities(keep capSet) error {
	head := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := &[2]unix.CapUserData{
		{Permitted: uint32(keep), Effective: uint32(keep)},
		{Permitted: uint32(keep >> 32), Effective: uint32(keep >> 32)},
	}
	defer runtime.KeepAlive(data)
	defer runtime.KeepAlive(head)
	return onAllThreads("give up capabilities", unix.SYS_CAPSET, uintptr(unsafe.Pointer(head)), uintptr(unsafe.Pointer(data)))
}
