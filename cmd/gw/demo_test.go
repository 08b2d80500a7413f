package main

import "testing"

// What contradicts itself is refused before anything is made or removed.
func TestDemoUsage(t *testing.T) {
	for _, args := range [][]string{{"demo", "--keep", "--remove"}, {"demo", "bridge"}, {"demo", "--kep"}} {
		if status := execute(args); status != 2 {
			t.Errorf("%v: exit status %d", args, status)
		}
	}
}
