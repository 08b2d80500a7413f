package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is written down is what the code says.
func TestReference(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reference(newRoot()), string(have)); diff != "" {
		t.Errorf("docs/reference.md is not what the code says (make generate writes it):\n%s", diff)
	}
}
