package metrics

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// promtool runs Prometheus's own judge. Without it the test is skipped, in CI it fails.
func promtool(t *testing.T, input []byte, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is not there, and CI must not skip this (apt-get install prometheus)")
		}
		t.Skip("promtool is not there (apt-get install prometheus)")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// scrapeOf is the text that a scrape gets.
func scrapeOf(s Source) []byte {
	answer := httptest.NewRecorder()
	scrapes(NewRegistry(s)).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	return answer.Body.Bytes()
}

// A scrape has every metric, and Prometheus finds nothing to object to.
func TestPromtoolMetrics(t *testing.T) {
	t.Parallel()
	text := scrapeOf(fixed(full()))
	for _, s := range Sections {
		for _, m := range s.Metrics {
			if !bytes.Contains(text, fmt.Appendf(nil, "\n# TYPE %s %s\n%s", m.Name, m.Kind, m.Name)) {
				t.Errorf("the scrape lacks the %s %s", m.Kind, m.Name)
			}
		}
	}
	for _, other := range []string{"go_goroutines", "go_gc_duration_seconds", "process_open_fds", "process_cpu_seconds_total", "promhttp_metric_handler_requests_total", "promhttp_metric_handler_errors_total"} {
		if !bytes.Contains(text, []byte("\n"+other)) {
			t.Errorf("the scrape lacks %s", other)
		}
	}
	promtool(t, text, "check", "metrics")
}

// Prometheus can read the queries of docs/metrics.md.
func TestPromtoolQueries(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("groups:\n- name: examples\n  rules:\n")
	for i, q := range Queries {
		fmt.Fprintf(&rules, "  - {record: 'example:%d', expr: '%s'}\n", i, strings.ReplaceAll(q.Expr, "'", "''"))
	}
	file := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "rules", file)
}
