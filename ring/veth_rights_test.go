package ring

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// renounce takes a capability from this thread, which must be the caller's own.
func renounce(capability uint) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[capability/32].Effective &^= 1 << (capability % 32)
	return unix.Capset(&header, &data[0])
}

func TestBindWithoutNetRaw(t *testing.T) {
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	m, depot, p := mapped(t, 64, 2048)
	if err := renounce(unix.CAP_NET_RAW); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, m, small(ours, "ours")).Bind(0, p)
	if !errors.Is(err, unix.EPERM) || !strings.Contains(err.Error(), "CAP_NET_RAW") {
		t.Errorf("bind without CAP_NET_RAW: %v", err)
	}
	wantAll(t, m, depot, p)
}

// TestBindRaisesMemlock registers more than RLIMIT_MEMLOCK allows, in a process that may raise it first, and then may not.
func TestBindRaisesMemlock(t *testing.T) {
	ownNamespace(t)
	ours, _ := veth(t, "ours", "theirs")
	out, err := again(poorVariable, ours).CombinedOutput()
	want := []string{"raised: true", "refused: true, bind queue 0 of ours: register 2097152 bytes of frames: no buffer space available (RLIMIT_MEMLOCK"}
	for _, w := range want {
		if !strings.Contains(string(out), w) {
			t.Errorf("%v, want %q:\n%s", err, w, out)
		}
	}
}

func poor(index int) error {
	runtime.LockOSThread()
	for _, c := range []uint{unix.CAP_IPC_LOCK, unix.CAP_SYS_RESOURCE} {
		if err := renounce(c); err != nil {
			return err
		}
	}
	m, err := NewMemory(512, 4096)
	if err != nil {
		return err
	}
	p := NewDepot(m).NewPool()
	d, err := m.Open(small(index, "ours"))
	if err != nil {
		return err
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return err
	}
	limit.Cur = 1 << 16
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return err
	}
	s, err := d.Bind(0, p)
	if err != nil {
		return err
	}
	err = s.Close(p)
	fmt.Printf("raised: %v\n", err == nil)

	limit.Max = limit.Cur
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return err
	}
	_, err = d.Bind(0, p)
	fmt.Printf("refused: %v, %v\n", errors.Is(err, unix.ENOBUFS), err)
	return nil
}
