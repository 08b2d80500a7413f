package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Enter runs fn in the namespace with that name, as Host.Do does, for a lab that another process has made.
func Enter(name string, fn func() error) error {
	ns, err := netns.GetFromPath(filepath.Join(netnsDir, name))
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", name, err)
	}
	defer ns.Close()
	return onThread(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("enter namespace %s: %w", name, err)
		}
		return fn()
	})
}

// Exec turns this process into a program that runs in the namespace with that name, with the devices of the namespace in
// /sys. It returns only if that fails.
func Exec(name string, argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("%w (the lab sees the files of this machine: install it here)", err)
	}
	ns, err := netns.GetFromPath(filepath.Join(netnsDir, name))
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", name, err)
	}
	runtime.LockOSThread() // execve keeps the namespaces of the thread that calls it
	if err := netns.Set(ns); err != nil {
		return fmt.Errorf("enter namespace %s: %w", name, err)
	}
	if err := mountSys(); err != nil {
		return fmt.Errorf("enter namespace %s: %w", name, err)
	}
	if err := unix.Exec(path, argv, os.Environ()); err != nil {
		return fmt.Errorf("run %s: %w", path, err)
	}
	return nil
}

// mountSys gives the thread mounts of its own, and in them a /sys that shows the thread's network namespace, as
// `ip netns exec` does (iproute2 lib/namespace.c).
func mountSys() error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare mounts: %w", err)
	}
	if err := unix.Mount("", "/", "none", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	return nil
}
