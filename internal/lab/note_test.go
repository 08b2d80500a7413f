package lab

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A name is given once, with its note, until the lab has gone.
func TestNewAlone(t *testing.T) {
	needRoot(t)
	prefix := fmt.Sprintf("gwalone-p%d", os.Getpid())
	l, err := NewAlone(prefix, []byte("a longer note"))
	must(t, err)
	defer l.Close()
	further, err := NewAlone(prefix+"-more", []byte("more"))
	must(t, err)
	defer further.Close()
	if _, err := NewAlone(prefix, nil); !errors.Is(err, ErrStands) {
		t.Errorf("a second one: %v", err)
	}
	must(t, l.SetNote([]byte("note")))
	found, err := Claims(prefix)
	must(t, err)
	want := []Claim{
		{Name: l.Name(), Prefix: prefix, Note: []byte("note")},
		{Name: further.Name(), Prefix: prefix + "-more", Note: []byte("more")},
	}
	if d := cmp.Diff(want, found); d != "" {
		t.Error(d)
	}
	if !found[0].Living() {
		t.Error("a living lab is taken for dead")
	}
	must(t, l.Close())
	if found[0].Living() {
		t.Error("a closed lab is taken for living")
	}
	again, err := NewAlone(prefix, nil)
	must(t, err)
	must(t, again.Close())
}

func TestEnter(t *testing.T) {
	l := newLab(t)
	h := newTestHost(t, l, "a")
	var want, got string
	read := func(to *string) func() error {
		return func() (err error) {
			*to, err = os.Readlink("/proc/thread-self/ns/net")
			return err
		}
	}
	must(t, h.Do(read(&want)))
	must(t, Enter(h.NSName(), read(&got)))
	if got != want {
		t.Errorf("entered %s, want %s", got, want)
	}
	if err := Enter(h.NSName()+"x", read(&got)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("entered what is not there: %v", err)
	}
}
