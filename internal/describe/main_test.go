package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What gw says of its settings is what their comments say.
func TestDescriptionsAreNew(t *testing.T) {
	have, err := os.ReadFile("../../config/descriptions.go")
	if err != nil {
		t.Fatal(err)
	}
	want, err := describe("../../config")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("config/descriptions.go is not what the comments say (make generate writes it):\n%s", diff)
	}
}

func TestNothingToDescribe(t *testing.T) {
	if _, err := describe(t.TempDir()); err == nil {
		t.Error("a folder without a package has descriptions")
	}
}
