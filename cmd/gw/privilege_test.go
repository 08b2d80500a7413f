package main

import (
	"cmp"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// lessPrivilege in the environment is what the test binary gives up before it
// becomes gw: capability numbers, divided by commas, and with memlock=BYTES that
// limit.
const lessPrivilege = "VXGW_TEST_LESS_PRIVILEGE"

// another in the environment is the program that giveUp starts in place of this one.
const another = "VXGW_TEST_ANOTHER"

// giveUp starts this program once more without what lessPrivilege lists. A program
// that root starts has all capabilities that its bounding set leaves it
// (capabilities(7)), which is a property of the thread that calls execve.
func giveUp() error {
	list := os.Getenv(lessPrivilege)
	if list == "" {
		return nil
	}
	runtime.LockOSThread()
	for _, s := range strings.Split(list, ",") {
		if bytes, ok := strings.CutPrefix(s, "memlock="); ok {
			n, err := strconv.ParseUint(bytes, 10, 64)
			if err != nil {
				return err
			}
			if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: n, Max: n}); err != nil {
				return fmt.Errorf("lower RLIMIT_MEMLOCK: %w", err)
			}
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return err
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", n, err)
		}
	}
	if err := os.Unsetenv(lessPrivilege); err != nil {
		return err
	}
	return unix.Exec(cmp.Or(os.Getenv(another), os.Args[0]), os.Args, os.Environ())
}

// likeNohup in the environment has the test binary ignore SIGHUP when it becomes gw.
const likeNohup = "VXGW_TEST_LIKE_NOHUP"

// ignoreHangup starts this program once more as nohup(1) does. A Go program cannot
// do that for a child alone: what it ignores itself, it ignores for good.
func ignoreHangup() error {
	if os.Getenv(likeNohup) == "" {
		return nil
	}
	if err := os.Unsetenv(likeNohup); err != nil {
		return err
	}
	signal.Ignore(unix.SIGHUP)
	return unix.Exec(os.Args[0], os.Args, os.Environ())
}

// join lists capabilities for lessPrivilege.
func join(capabilities ...int) string {
	var b strings.Builder
	for i, c := range capabilities {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(c))
	}
	return b.String()
}
