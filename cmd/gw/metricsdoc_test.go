package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is written down of metrics is what the code says.
func TestMetricsReference(t *testing.T) {
	t.Parallel()
	have, err := os.ReadFile("../../docs/metrics.md")
	must(t, err)
	if diff := cmp.Diff(metricsReference(), string(have)); diff != "" {
		t.Errorf("docs/metrics.md is not what the code says (make generate writes it):\n%s", diff)
	}
}
