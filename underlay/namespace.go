package underlay

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// nsPath names the network namespace of the thread that opens it.
const nsPath = "/proc/thread-self/ns/net"

// OpenNamespace opens the network namespace of the calling thread, which the caller
// closes.
func OpenNamespace() (*os.File, error) {
	home, err := os.Open(nsPath)
	if err != nil {
		return nil, fmt.Errorf("open the network namespace: %w", err)
	}
	return home, nil
}

// SettleIn makes a network namespace that of the calling goroutine, for good: call it first on one of its own.
// Only a thread that is elsewhere has to move (CAP_SYS_ADMIN), and ends with its goroutine.
func SettleIn(home *os.File) error {
	runtime.LockOSThread()
	var there, here unix.Stat_t
	if err := unix.Fstat(int(home.Fd()), &there); err != nil {
		return fmt.Errorf("look at the network namespace: %w", err)
	}
	if err := unix.Stat(nsPath, &here); err != nil {
		return fmt.Errorf("look at the network namespace: %w", err)
	}
	if there.Ino == here.Ino && there.Dev == here.Dev {
		runtime.UnlockOSThread()
		return nil
	}
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the network namespace: %w", err)
	}
	return nil
}
