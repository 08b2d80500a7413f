package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What gw says of its settings and its API is what their comments say.
func TestDescriptionsAreNew(t *testing.T) {
	for _, name := range []string{"config", "control"} {
		have, err := os.ReadFile("../../" + name + "/descriptions.go")
		if err != nil {
			t.Fatal(err)
		}
		want, err := describe("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(have)); diff != "" {
			t.Errorf("%s/descriptions.go is not what the comments say (make generate writes it):\n%s", name, diff)
		}
	}
}

func TestNothingToDescribe(t *testing.T) {
	if _, err := describe(t.TempDir()); err == nil {
		t.Error("a folder without a package has descriptions")
	}
}
