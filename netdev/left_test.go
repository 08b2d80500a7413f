package netdev

import (
	"os"
	"path/filepath"
	"testing"
)

// What a journal would put back is read without a trace, and only where it is of here and now.
func TestLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ens18.state")
	if left, err := Left(path); err != nil || len(left) > 0 {
		t.Errorf("without a file: %v, %v", left, err)
	}
	from, err := here()
	if err != nil {
		t.Fatal(err)
	}
	text, err := encode(from, []Change{{Kind: KindOffload, Link: LinkID{Name: "ens18"}, Feature: "tx-vlan-hw-insert"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		left int
		bad  bool
	}{
		"of here":   {text, 1, false},
		"torn":      {append(text, "{"...), 1, true},
		"elsewhere": {[]byte(`{"boot":"b","netns":1}` + "\n" + `{"kind":"pair"}` + "\n"), 0, false},
	} {
		if err := os.WriteFile(path, c.text, 0o600); err != nil {
			t.Fatal(err)
		}
		left, err := Left(path)
		if len(left) != c.left || (err != nil) != c.bad {
			t.Errorf("%s: %v, %v", name, left, err)
		}
		if now, err := os.ReadFile(path); err != nil || string(now) != string(c.text) {
			t.Errorf("%s: the file is %q now, %v", name, now, err)
		}
	}
}

func TestHeld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ens18.lock")
	held := func(want bool) {
		t.Helper()
		if is, err := Held(path); is != want || err != nil {
			t.Errorf("held: %v, %v, want %v", is, err, want)
		}
	}
	held(false)
	lock, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	held(true)
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil { // as one that was killed leaves it
		t.Fatal(err)
	}
	held(false)
}
