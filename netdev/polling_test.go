package netdev

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestDeferInterrupts(t *testing.T) {
	t.Parallel()
	enter(t)
	addVeth(t, "va", "vb")
	before, j := dump(t), journal(t)
	info, err := Lookup("va")
	must(t, err)
	root, err := openSysfs()
	must(t, err)
	defer root.Close()
	must(t, DeferInterrupts(j, info))
	for _, set := range polled {
		if got, err := root.read(info.ID(), set.file); err != nil || got != set.value {
			t.Errorf("%s is %q, %v; want %s", set.file, got, err, set.value)
		}
	}
	must(t, DeferInterrupts(j, info)) // again changes nothing
	if n := len(j.Pending()); n != len(polled) {
		t.Errorf("%d changes are recorded", n)
	}
	noErrors(t, j.Undo())
	same(t, before)

	// What somebody has set is left.
	must(t, root.write(info.ID(), polled[1].file, "50000"))
	before = dump(t)
	must(t, DeferInterrupts(j, info))
	if got, err := root.read(info.ID(), polled[1].file); err != nil || got != "50000" {
		t.Errorf("%s is %q, %v", polled[1].file, got, err)
	}
	noErrors(t, j.Undo())
	same(t, before)

	info.Index++
	if err := DeferInterrupts(j, info); err == nil || !strings.Contains(err.Error(), "another va") {
		t.Errorf("of an interface that is another: %v", err)
	}
}

// Whoever may not write a file of root's hears so, and what would do.
func TestRootsFile(t *testing.T) {
	err := rootsFile(&fs.PathError{Op: "open", Path: "/sys/class/net/va/napi_defer_hard_irqs", Err: unix.EACCES}, "2")
	want := "open /sys/class/net/va/napi_defer_hard_irqs: permission denied (the file is root's: run as root, or have root write 2 to it)"
	if err.Error() != want || !errors.Is(err, unix.EACCES) {
		t.Errorf("%v, want %s", err, want)
	}
	if err := rootsFile(unix.ENODEV, "2"); err != error(unix.ENODEV) {
		t.Error(err)
	}
}
