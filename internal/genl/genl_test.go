package genl

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// The family that knows all others has a number that never changes.
func TestFamily(t *testing.T) {
	if id, err := Family("nlctrl"); err != nil || id != unix.GENL_ID_CTRL {
		t.Errorf("nlctrl is %d, %v", id, err)
	}
	if id, err := Family("nothing"); !errors.Is(err, unix.ENOENT) {
		t.Errorf("nothing is %d, %v", id, err)
	}
}
