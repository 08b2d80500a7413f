package netdev

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gw", "u.lock")
	l, err := Acquire(path)
	must(t, err)
	want := fmt.Sprintf("lock %s: held by process %d (one gw per underlay interface: stop that one, or add the VNI to it)", path, os.Getpid())
	if _, err := Acquire(path); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	must(t, l.For("ens18.100"))
	want = strings.Replace(want, " (one", ", whose underlay is ens18.100 (one", 1)
	if _, err := Acquire(path); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	must(t, l.Close())
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the file stays: %v", err)
	}
	l, err = Acquire(path)
	must(t, err)
	must(t, l.Close())
	if err := l.Close(); err == nil {
		t.Error("closed twice")
	}
}

// A killed holder leaves the file, but not the lock.
func TestLockAfterKill(t *testing.T) {
	if path := os.Getenv("GW_TEST_LOCK"); path != "" {
		_, err := Acquire(path)
		must(t, err)
		fmt.Println("locked")
		select {}
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "u.lock")
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockAfterKill$")
	cmd.Env = append(os.Environ(), "GW_TEST_LOCK="+path)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Errorf("the other process says %q %v", line, err)
	}
	want := fmt.Sprintf("lock %s: held by process %d (one gw per underlay interface: stop that one, or add the VNI to it)", path, cmd.Process.Pid)
	if _, err := Acquire(path); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	must(t, cmd.Process.Kill())
	cmd.Wait() // its error is the kill
	l, err := Acquire(path)
	must(t, err)
	must(t, l.Close())
}

// However locking and removing race, one holds it at a time.
func TestLockRace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "u.lock")
	var holders, got atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				l, err := Acquire(path)
				if err != nil {
					continue
				}
				got.Add(1)
				if n := holders.Add(1); n != 1 || !sameFile(l.file, path) {
					t.Errorf("%d holders, or of a file that is gone", n)
				}
				runtime.Gosched()
				holders.Add(-1)
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got.Load() == 0 {
		t.Error("nobody ever got it")
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	same := Paths{Socket: "/d/ens18.sock", State: "/d/ens18.state", Lock: "/d/ens18.lock", Handover: "/d/ens18.handover"}
	other := Paths{Socket: "/d/7-ens18.sock", State: "/d/7-ens18.state", Lock: "/d/7-ens18.lock", Handover: "/d/7-ens18.handover"}
	if got := pathsIn("/d", "ens18", false, 7); got != same {
		t.Errorf("in the namespace of pid 1: %+v", got)
	}
	if got := pathsIn("/d", "ens18", true, 7); got != other {
		t.Errorf("in another: %+v", got)
	}
	if n := inode("/none"); n != 0 {
		t.Errorf("inode of nothing: %d", n)
	}
}

func TestPathsForNamespace(t *testing.T) {
	t.Parallel()
	ns := enter(t)
	var want uint64
	if _, err := fmt.Sscanf(ns.UniqueId(), "NS(%d:%d)", new(uint64), &want); err != nil {
		t.Fatal(err, ns.UniqueId())
	}
	if got := PathsFor("u").Socket; got != fmt.Sprintf("/run/gw/%d-u.sock", want) {
		t.Errorf("%s, want the inode %d", got, want)
	}
}

// TestLockRefused says what helps where the folder is somebody else's.
func TestLockRefused(t *testing.T) {
	err := withFileCure(&fs.PathError{Op: "open", Path: "/run/gw/ens18.lock", Err: unix.EACCES})
	const want = "open /run/gw/ens18.lock: permission denied (run as root, or let this user write there: systemd RuntimeDirectory=gw)"
	if err.Error() != want {
		t.Errorf("error %q, want %q", err, want)
	}
	if err := withFileCure(unix.EROFS); !errors.Is(err, unix.EROFS) || !strings.Contains(err.Error(), "can write to") {
		t.Errorf("error %q without a cure", err)
	}
	if err := withFileCure(unix.EIO); err != unix.EIO {
		t.Errorf("error %q, want %q", err, unix.EIO)
	}
}

// A lock that cannot be written leaves no file.
func TestLockOnFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"))
	t.Cleanup(func() { must(t, unix.Unmount(dir, 0)) })
	must(t, os.WriteFile(filepath.Join(dir, "fill"), make([]byte, os.Getpagesize()), 0o600))
	path := filepath.Join(dir, "u.lock")
	if _, err := Acquire(path); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("acquired on a full disk: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file stays: %v", err)
	}
}
