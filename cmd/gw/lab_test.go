package main

import (
	"strings"
	"testing"
)

// What no lab can be is refused before anything is made or removed.
func TestLabUsage(t *testing.T) {
	for _, line := range []string{
		"lab up",
		"lab up --scenario ring",
		"lab up --scenario ptp --vtep linux",
		"lab up --scenario ptp --name 1st",
		"lab up --scenario ptp --name a_b",
		"lab up ptp",
		"lab status now",
		"lab status --name A",
		"lab down --name ../x",
		"lab exec",
		"lab exec host1",
		"lab exec host1 true",
		"lab exec host1 --",
		"lab exec -- true",
		"lab exec host1 host2 -- true",
		"lab exec --name A host1 -- true",
		"lab frob",
	} {
		if status := execute(strings.Fields(line)); status != 2 {
			t.Errorf("%s: exit status %d", line, status)
		}
	}
}
