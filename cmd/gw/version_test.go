package main

import (
	"testing"

	"vxgw/gateway"
)

// The version is asked for in both ways, and needs neither flags nor root.
func TestVersion(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	want := "gw " + gateway.Version + "\n"
	for _, how := range [][]string{{"version"}, {"--version"}} {
		if got := output(t, h, how...); got != want {
			t.Errorf("gw %v prints %q, want %q", how, got, want)
		}
	}
	refuses(t, h, 2, "man", "man: which file or folder?")
}
