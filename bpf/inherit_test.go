package bpf

import (
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestInherit passes an attachment on from program to program, each of a process of its own as far as the kernel can
// tell: a descriptor that was copied.
func TestInherit(t *testing.T) {
	for _, mode := range []Mode{Native, Generic} {
		t.Run(mode.String(), func(t *testing.T) {
			newNamespace(t)
			a := pair(t, 1, 1)
			old, next := newPort(t), newUnderlay(t)
			if err := old.Attach(a.Attrs().Index, "a", mode); err != nil {
				t.Fatal(err)
			}
			first := attached(t, "a")
			given := old.Release()
			if given == nil || old.Release() != nil {
				t.Fatal("released not once")
			}
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			if id := attached(t, "a"); id != first {
				t.Errorf("program %d runs after the old one is closed, want %d", id, first)
			}
			fd, err := unix.FcntlInt(uintptr(given.FD()), unix.F_DUPFD_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			taken, err := OpenLink(fd, mode)
			if err != nil {
				t.Fatal(err)
			}
			if taken.Ifindex != a.Attrs().Index || taken.Mode != mode {
				t.Errorf("taken: %+v", taken)
			}
			id := linkID(t, taken)
			if err := next.Inherit(taken, "a"); err != nil {
				t.Fatal(err)
			}
			if now := attached(t, "a"); now != first {
				t.Errorf("program %d runs before it is engaged, want %d", now, first)
			}
			wantError(t, next.Attach(a.Attrs().Index, "a", mode), nil, "attached to a already")
			for range 2 {
				if err := next.Engage(); err != nil {
					t.Fatal(err)
				}
			}
			if now := attached(t, "a"); now == 0 || now == first {
				t.Errorf("program %d runs after it is engaged, before that %d", now, first)
			}
			if now := linkID(t, taken); now != id {
				t.Errorf("attachment %d, was %d", now, id)
			}
			if err := next.Detach(); err != nil { // although given is open
				t.Error(err)
			}
			if id := attached(t, "a"); id != 0 {
				t.Errorf("program %d is left", id)
			}
			if err := given.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func linkID(t *testing.T, l *Link) link.ID {
	t.Helper()
	info, err := l.link.Info()
	if err != nil {
		t.Fatal(err)
	}
	return info.ID
}

// TestInheritGone takes an attachment whose interface has gone, and what is none.
func TestInheritGone(t *testing.T) {
	newNamespace(t)
	a := pair(t, 1, 1)
	old, next := newPort(t), newPort(t)
	if err := old.Attach(a.Attrs().Index, "a", Native); err != nil {
		t.Fatal(err)
	}
	given := old.Release()
	if err := netlink.LinkDel(device(t, "a")); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.FcntlInt(uintptr(given.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	taken, err := OpenLink(fd, Native)
	if err != nil || taken.Ifindex != 0 {
		t.Fatalf("%+v %v", taken, err)
	}
	if err := next.Inherit(taken, "a"); err != nil {
		t.Fatal(err)
	}
	wantError(t, next.Engage(), unix.ENOLINK, "on a")
	if err := next.Detach(); err != nil {
		t.Error(err)
	}
	if err := given.Close(); err != nil {
		t.Error(err)
	}
	none, err := unix.MemfdCreate("none", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := OpenLink(none, Native); err == nil {
		t.Errorf("taken: %+v", l)
	}
	if _, err := unix.FcntlInt(uintptr(none), unix.F_GETFD, 0); err != unix.EBADF {
		t.Errorf("the descriptor of what is none stays open: %v", err)
	}
}
