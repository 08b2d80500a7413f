package dataplane

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Doze puts the calling thread to sleep. It is for times that are much shorter than a millisecond, since the Go runtime is not told: it
// would take the thread's P away after 10 ms of such calls, and have its monitor wake up every 20 us to look for more.
// A signal ends it early.
func Doze(d time.Duration) {
	t := unix.NsecToTimespec(int64(d))
	_, _, _ = unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
}
