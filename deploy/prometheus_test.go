package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"vxgw/metrics"
)

type ruleFile struct {
	Groups []struct {
		Name  string
		Rules []rule
	}
}

type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

// loadRules reads a file of rules.
func loadRules(t *testing.T, file string) (rules []rule) {
	t.Helper()
	var f ruleFile
	load(t, file, &f)
	for _, g := range f.Groups {
		rules = append(rules, g.Rules...)
	}
	if len(rules) == 0 {
		t.Fatalf("no rules in %s", file)
	}
	return rules
}

func load(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = yaml.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// Prometheus's own tool takes the rules and the example, and the alerts fire and are silent
// as their tests say.
func TestRules(t *testing.T) {
	need(t, "promtool")
	here, err := filepath.Abs("prometheus")
	if err != nil {
		t.Fatal(err)
	}
	run(t, here, nil, "promtool", "check", "rules", "gw.rules.yml", "gw.alerts.yml")
	example, err := os.ReadFile("prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	const installed = "/usr/share/gw/prometheus/"
	if n := strings.Count(string(example), installed); n != 2 {
		t.Errorf("the example names %d files in %s, want both", n, installed)
	}
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(example), installed, here+"/")), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, here, nil, "promtool", "check", "config", file)
	run(t, here, nil, append([]string{"promtool", "test", "rules"}, testFiles(t)...)...)
}

// testFiles are those with tests of alerts.
func testFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("prometheus/tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if files[i], err = filepath.Abs(files[i]); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// Each alert says how bad it is, where, and what to do, is tested both ways, and stands in the documentation.
func TestAlerts(t *testing.T) {
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, file := range testFiles(t) {
		var f struct {
			Tests []struct {
				AlertRuleTest []struct {
					Alertname string
					ExpAlerts []any `yaml:"exp_alerts"`
				} `yaml:"alert_rule_test"`
			}
		}
		load(t, file, &f)
		for _, test := range f.Tests {
			for _, a := range test.AlertRuleTest {
				fires[a.Alertname] = fires[a.Alertname] || len(a.ExpAlerts) > 0
				silent[a.Alertname] = silent[a.Alertname] || len(a.ExpAlerts) == 0
			}
		}
	}
	doc, err := os.ReadFile("../docs/monitoring.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range loadRules(t, "prometheus/gw.alerts.yml") {
		if severity := r.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("%s: severity %q", r.Alert, severity)
		} else if row := "| `" + r.Alert + "` | " + severity + " |"; !strings.Contains(string(doc), row) {
			t.Errorf("docs/monitoring.md lacks a row %q", row)
		}
		if !strings.Contains(r.Annotations["summary"], "{{ $labels.instance }}") || !strings.HasSuffix(r.Annotations["description"], ".") {
			t.Errorf("%s does not say what is wrong where, and what to do: %v", r.Alert, r.Annotations)
		}
		if !fires[r.Alert] || !silent[r.Alert] {
			t.Errorf("%s is not tested both ways", r.Alert)
		}
		known(t, r.Alert, r.Expr)
	}
	for _, r := range loadRules(t, "prometheus/gw.rules.yml") {
		known(t, r.Record, r.Expr)
	}
}

var (
	ofGW     = regexp.MustCompile(`(?:^|[^\w:])(gw_\w+)(?:{([^}]*)})?`)
	labelled = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`)
)

// known checks that gw has the metrics that an expression names, with the labels that it asks for.
func known(t *testing.T, what, expr string) {
	t.Helper()
	for _, found := range ofGW.FindAllStringSubmatch(expr, -1) {
		m := metricOf(found[1])
		if m == nil {
			t.Errorf("%s asks for %s, which gw has not", what, found[1])
			continue
		}
		for _, l := range labelled.FindAllStringSubmatch(found[2], -1) {
			if l[1] != "instance" && l[1] != "job" && !slices.Contains(m.Labels, l[1]) {
				t.Errorf("%s asks for label %s of %s, which has %q", what, l[1], m.Name, m.Labels)
			}
		}
	}
}

func metricOf(name string) *metrics.Metric {
	for _, s := range metrics.Sections {
		for _, m := range s.Metrics {
			if name == m.Name || m.Kind == metrics.Histogram && name == m.Name+"_bucket" {
				return m
			}
		}
	}
	return nil
}
