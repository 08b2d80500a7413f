package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What Grafana is given is what the rows here say.
func TestDashboardIsNew(t *testing.T) {
	have, err := os.ReadFile("../../deploy/grafana/gw.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := text()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("deploy/grafana/gw.json is not what the rows say (make generate writes it):\n%s", diff)
	}
}
