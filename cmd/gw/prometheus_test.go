package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"vxgw/internal/lab"
)

// prometheus is Prometheus itself on a host of a lab. It scrapes the gateway there and has
// the project's rules.
type prometheus struct {
	t    *testing.T
	host *lab.Host
}

// promURL is where it listens: in a network namespace of its own, so no two are in each other's way.
const promURL = "http://127.0.0.1:9090"

// newPrometheus starts it. Scrapes and rules are much more frequent than anybody's, so that rates
// are there at once.
func newPrometheus(t *testing.T, h *lab.Host) *prometheus {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no prometheus (apt-get install prometheus), and CI must not skip this")
		}
		t.Skip("no prometheus (apt-get install --no-install-recommends prometheus)")
	}
	rules, err := filepath.Abs("../../deploy/prometheus")
	must(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	must(t, os.WriteFile(file, fmt.Appendf(nil, `
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [%q, %q]
scrape_configs:
  - job_name: gw
    static_configs: [{targets: ["127.0.0.1:9478"]}]
`, rules+"/gw.rules.yml", rules+"/gw.alerts.yml"), 0o600))
	c := h.Command(t.Context(), program, "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:9090", "--log.level=warn")
	log := &logBuffer{}
	c.Stdout, c.Stderr = log, log
	must(t, c.Start())
	t.Cleanup(func() {
		c.Process.Kill() // before its folder goes
		c.Wait()
		if t.Failed() {
			t.Logf("log of prometheus:\n%s", log)
		}
	})
	p := &prometheus{t, h}
	eventually(t, func() string {
		if _, err := get(t, h, promURL+"/-/ready"); err != nil {
			return err.Error()
		}
		return ""
	})
	return p
}

// ask gets an answer of the API into the place given.
func (p *prometheus) ask(path string, values url.Values, into any) error {
	text, err := get(p.t, p.host, promURL+"/api/v1/"+path+"?"+values.Encode())
	if err != nil {
		return err
	}
	return json.Unmarshal(text, &struct{ Data any }{into})
}

// sample is one of the series that a query is answered with.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks for what is now.
func (p *prometheus) query(expr string) ([]sample, error) {
	var answer struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := p.ask("query", url.Values{"query": {expr}}, &answer); err != nil {
		return nil, err
	}
	if answer.ResultType != "vector" {
		return nil, fmt.Errorf("%s is a %s and no vector", expr, answer.ResultType)
	}
	var series []struct {
		Metric map[string]string
		Value  [2]any // when, and a number in words
	}
	if err := json.Unmarshal(answer.Result, &series); err != nil {
		return nil, err
	}
	var out []sample
	for _, s := range series {
		v, err := strconv.ParseFloat(fmt.Sprint(s.Value[1]), 64)
		if err != nil {
			return nil, err
		}
		out = append(out, sample{s.Metric, v})
	}
	return out, nil
}

// promRule is a rule as Prometheus says it fares.
type promRule struct {
	Name, Query, Type, Health, LastError, State string
}

func (p *prometheus) rules() (rules []promRule) {
	p.t.Helper()
	var answer struct{ Groups []struct{ Rules []promRule } }
	must(p.t, p.ask("rules", nil, &answer))
	for _, g := range answer.Groups {
		rules = append(rules, g.Rules...)
	}
	return rules
}
