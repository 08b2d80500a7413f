package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// netnsDir is where ip(8) looks for names.
const netnsDir = "/run/netns"

// createNamespace makes a network namespace, gives it a name and returns a handle to it, which the caller closes. The
// calling goroutine's thread is back in its own namespace afterwards.
func createNamespace(name string) (netns.NsHandle, error) {
	if err := prepareNetnsDir(); err != nil {
		return netns.None(), err
	}
	path := filepath.Join(netnsDir, name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return netns.None(), fmt.Errorf("name namespace: %w", err)
	}
	f.Close()

	var ns netns.NsHandle
	err = onThread(func() error {
		if ns, err = netns.New(); err != nil {
			return fmt.Errorf("make namespace: %w", err)
		}
		self := fmt.Sprintf("/proc/thread-self/fd/%d", int(ns))
		if err := unix.Mount(self, path, "", unix.MS_BIND, ""); err != nil {
			ns.Close()
			return fmt.Errorf("bind namespace to %s: %w", path, err)
		}
		return nil
	})
	if err != nil {
		os.Remove(path)
		return netns.None(), err
	}
	return ns, nil
}

// prepareNetnsDir makes the directory a shared mount, as ip(8) does before it adds a name (iproute2 ip/ipnetns.c). Else
// the first `ip netns add` would cover our names with a copy and keep the namespaces alive. The lock is the one that ip
// takes.
func prepareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return fmt.Errorf("make %s: %w", netnsDir, err)
	}
	dir, err := os.Open(netnsDir)
	if err != nil {
		return fmt.Errorf("open %s: %w", netnsDir, err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", netnsDir, err)
	}
	err = unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if !errors.Is(err, unix.EINVAL) { // EINVAL: not a mount point yet
		return wrapMount(err)
	}
	if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return wrapMount(err)
	}
	return wrapMount(unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, ""))
}

func wrapMount(err error) error {
	if err != nil {
		return fmt.Errorf("share %s: %w", netnsDir, err)
	}
	return nil
}

// onThread runs fn on a thread of its own kind: locked to the goroutine, and put back into its network namespace when
// fn is done, by return, panic or runtime.Goexit. Where that fails, the thread stays locked and ends with the
// goroutine.
func onThread(fn func() error) (err error) {
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("open this thread's network namespace: %w", err)
	}
	defer func() {
		if back := netns.Set(home); back != nil {
			err = errors.Join(err, fmt.Errorf("return to the network namespace: %w", back))
		} else {
			runtime.UnlockOSThread()
		}
		home.Close()
	}()
	return fn()
}

// removeNamespaces removes every namespace of the lab with that name, with the processes in them.
func removeNamespaces(lab string) error {
	entries, err := os.ReadDir(netnsDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("list namespaces: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), lab+"-") {
			continue
		}
		path := filepath.Join(netnsDir, e.Name())
		errs = append(errs, killInside(path))
		// EINVAL: the name was made but never bound.
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			errs = append(errs, fmt.Errorf("unmount %s: %w", path, err))
		}
		errs = append(errs, os.Remove(path))
	}
	return errors.Join(errs...)
}

// killTime bounds the wait for the end of what was killed. Some milliseconds are enough where it gets a CPU to end on.
const killTime = 20 * time.Second

// killInside kills the processes whose main thread sits in the namespace at path, ourselves excepted, and waits until
// none is left.
func killInside(path string) error {
	var ns unix.Stat_t
	if err := unix.Stat(path, &ns); err != nil {
		return fmt.Errorf("inspect namespace %s: %w", path, err)
	}
	for end := time.Now().Add(killTime); ; time.Sleep(10 * time.Millisecond) {
		left := 0
		procs, err := os.ReadDir("/proc")
		if err != nil {
			return fmt.Errorf("list processes: %w", err)
		}
		for _, p := range procs {
			pid, err := strconv.Atoi(p.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			var st unix.Stat_t
			if unix.Stat(filepath.Join("/proc", p.Name(), "ns/net"), &st) != nil || st.Dev != ns.Dev || st.Ino != ns.Ino {
				continue
			}
			left++
			_ = unix.Kill(pid, unix.SIGKILL) // ESRCH: gone by itself
		}
		if left == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes in %s survive SIGKILL for %s", path, killTime)
		}
	}
}
