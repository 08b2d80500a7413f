package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each flush takes away what its words choose, and nothing else.
func TestFDBFlush(t *testing.T) {
	t.Parallel()
	b := newFDBBed(t)
	fill := func() {
		for _, line := range []string{
			"02:00:00:00:00:01 dev gw42 dst 10.65.132.188",
			"02:00:00:00:00:02 dev gw42 dst 10.65.132.189 static",
			"02:00:00:00:00:03 dev gw42 dst 10.65.132.189 dynamic",
			"02:00:00:00:00:04 dev gw42 dst 10.65.132.188 extern_learn",
			"02:00:00:00:00:05 dev veth1 master static",
			"02:00:00:00:00:06 dev veth2 master dynamic",
			"02:00:00:00:00:07 dev gw43 dst 10.65.132.188 static",
		} {
			b.change(t, "replace", line)
		}
	}
	// left are the last digits of the addresses that fill entered.
	left := func() (digits string) {
		for _, e := range b.entries() {
			if digit, ok := strings.CutPrefix(e.MAC, "02:00:00:00:00:0"); ok {
				digits += digit
			}
		}
		return digits
	}
	always := b.fdb() // flood lists and devices
	for _, c := range []struct{ words, left string }{
		{"dev gw42 dst 10.65.132.189", "14567"},
		{"dev gw42 static", "13467"},
		{"dev gw42 nopermanent", "147"},
		{"dev gw42 dynamic", "12457"},
		{"dev gw42 extern_learn", "123567"},
		{"dev gw42 self noextern_learn", "4567"},
		{"dev gw42 master", "12347"},
		{"dev gw42 brport veth1", "123467"},
		{"dev veth2", "123457"},
		{"dev gw42 vni 43", "1234567"},
		{"dev gw43", "123456"},
		{"dev gw42", "7"},
	} {
		fill()
		if got := b.gw(t, "flush "+c.words); got != "" {
			t.Errorf("gw fdb flush %s prints %s", c.words, got)
		}
		if got := left(); got != c.left {
			t.Errorf("gw fdb flush %s leaves %s, want %s", c.words, got, c.left)
		}
	}
	if got, want := b.gw(t, "show br gw43 static"), "02:00:00:00:00:07 dev gw43 dst 10.65.132.188 self static\n"; got != want {
		t.Errorf("gw fdb show br gw43 static:\n%swant\n%s", got, want)
	}
	if got := b.gw(t, "flush dev gw43 -j"); !strings.Contains(got, `"removed": 1`) {
		t.Errorf("gw fdb flush -j: %s", got)
	}
	if d := cmp.Diff(always, b.fdb()); d != "" {
		t.Errorf("what must stay (-before +after):\n%s", d)
	}
	b.refused(t, "flush", 2, "dev is missing")
	b.refused(t, "flush dev gw44", 1, "gw44 is neither")
	b.stop()
}
