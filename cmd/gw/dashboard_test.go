package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/dataplane"
)

// What Grafana would ask, Prometheus can answer:
//
//	traffic of all kinds -> gw -> scrape -> rules, alerts
//	                                     -> each query of each panel

// panels is what the dashboard asks.
type panels struct {
	Templating struct {
		List []struct{ Name, Type, Query, AllValue string }
	}
	Annotations struct{ List []struct{ Expr string } }
	Panels      []struct {
		Title           string
		Targets         []struct{ Expr, LegendFormat string }
		Transformations []struct {
			Options struct{ Include struct{ Names []string } } // columns of a table
		}
	}
}

// maybeZero are metrics of what a test cannot have happen, or that is as it should be at zero. Of every other one
// something other than zero is seen.
var maybeZero = []string{
	"gw_foreign_descriptors_total", "gw_malformed_descriptors_total", // drivers would have to err
	"gw_kick_stalls_total", "gw_kick_errors_total", "gw_netlink_overruns_total", "gw_worker_cpu_wait_seconds_total", // a machine under pressure
	"gw_unnumbered_sources_total",      // 65,000 VTEPs
	"gw_injected_drops_total",          // more of the exceptional than a worker keeps up with
	"gw_neighbour_requests_total",      // a remote whose neighbour has gone
	"gw_config_last_reload_successful", // which is refused here
	"go_gc_duration_seconds",           // may be shorter than the clock sees
}

func TestDashboardAnswers(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	p := newPrometheus(t, w.node)
	text, err := os.ReadFile("../../deploy/grafana/gw.json")
	must(t, err)
	var d panels
	must(t, json.Unmarshal(text, &d))
	eventually(t, func() string { // once before anything happens that is counted
		if up, err := p.query(`gw_ready == 1`); err != nil || len(up) != 1 {
			return fmt.Sprintf("gw is not scraped: %v, %v", up, err)
		}
		return ""
	})
	w.burst(t)
	w.refuse(t)

	choices := map[string]string{"instance": "127.0.0.1:9478", "vni": "42", "remote": under2.String()}
	all := map[string]string{"__rate_interval": "1m"}
	one := map[string]string{"__rate_interval": "1m"}
	for _, v := range d.Templating.List {
		all[v.Name], one[v.Name] = v.AllValue, strings.ReplaceAll(regexp.QuoteMeta(choices[v.Name]), `\`, `\\`) // as Grafana does
	}
	eventually(t, func() string { // long before some hundred questions have been answered
		w.traffic(t)
		if w.g.status().FDB.Frozen == 0 {
			return "no address has moved so often that it is frozen"
		}
		return ""
	})
	blank := append(d.shown(all, true), d.shown(one, false)...)
	for len(blank) > 0 {
		before := len(blank)
		eventually(t, func() string { // some more of them
			w.traffic(t)
			var why []string
			blank = slices.DeleteFunc(blank, func(s shown) bool {
				missing := p.answers(s)
				if missing != "" {
					why = append(why, s.panel+": "+missing)
				}
				return missing == ""
			})
			if len(blank) < before {
				return ""
			}
			return strings.Join(why, "\n")
		})
	}
	for _, v := range d.Templating.List {
		if v.Type == "query" {
			p.offers(v.Query, choices[v.Name], all)
		}
	}
	for _, a := range d.Annotations.List {
		if _, err := p.query(choose(a.Expr, all)); err != nil {
			t.Errorf("annotation: %v", err)
		}
	}
	w.alerts(t, p)
	for _, panel := range d.Panels {
		for _, q := range panel.Targets {
			p.selects(panel.Title, q.Expr)
		}
	}
	w.g.end(unix.SIGTERM) // it has logged errors, as it should
}

// choose puts what was chosen in the place of variables.
func choose(expr string, chosen map[string]string) string {
	for name, value := range chosen {
		expr = strings.ReplaceAll(expr, "$"+name, value)
	}
	return expr
}

// shown is what a panel is to show.
type shown struct {
	panel, expr string
	labels      []string // that its legend or its columns name
	counts      bool     // something other than zero
}

// shown is what all panels are to show when that is chosen.
func (d *panels) shown(chosen map[string]string, counts bool) (all []shown) {
	for _, panel := range d.Panels {
		for _, q := range panel.Targets {
			s := shown{panel: panel.Title, expr: choose(q.Expr, chosen)}
			may := func(metric string) bool { return strings.Contains(s.expr, metric) }
			s.counts = counts && !slices.ContainsFunc(maybeZero, may)
			for _, l := range legend.FindAllStringSubmatch(q.LegendFormat, -1) {
				s.labels = append(s.labels, l[1])
			}
			for _, tr := range panel.Transformations {
				s.labels = append(s.labels, tr.Options.Include.Names...)
			}
			all = append(all, s)
		}
	}
	return all
}

var legend = regexp.MustCompile(`{{(\w+)}}`)

// answers says what is missing of what is to be shown.
func (p *prometheus) answers(s shown) string {
	p.t.Helper()
	series, err := p.query(s.expr)
	must(p.t, err)
	if !slices.ContainsFunc(series, func(one sample) bool { return !math.IsNaN(one.value) && (one.value != 0 || !s.counts) }) {
		return fmt.Sprintf("%v is what there is of %s", series, s.expr)
	}
	for _, l := range s.labels {
		if !slices.ContainsFunc(series, func(one sample) bool { return one.labels[l] != "" }) {
			return fmt.Sprintf("no %s in %v of %s", l, series, s.expr)
		}
	}
	return ""
}

var labelValues = regexp.MustCompile(`^label_values\((.*), (\w+)\)$`)

// offers checks that a variable can be chosen to be what the lab has.
func (p *prometheus) offers(query, want string, chosen map[string]string) {
	p.t.Helper()
	parts := labelValues.FindStringSubmatch(query)
	if parts == nil {
		p.t.Fatalf("not understood: %s", query)
	}
	var values []string
	must(p.t, p.ask("label/"+parts[2]+"/values", url.Values{"match[]": {choose(parts[1], chosen)}}, &values))
	if !slices.Contains(values, want) {
		p.t.Errorf("%s offers %q, want %s among them", query, values, want)
	}
}

var matcher = regexp.MustCompile(`(gw_\w+){([^}]*)}`)
var condition = regexp.MustCompile(`(\w+)(=~|=)"([^"$]+)"`)

// selects checks that each value of a label that an expression asks for is one that gw gives it.
func (p *prometheus) selects(what, expr string) {
	p.t.Helper()
	for _, m := range matcher.FindAllStringSubmatch(expr, -1) {
		for _, c := range condition.FindAllStringSubmatch(m[2], -1) {
			for value := range strings.SplitSeq(c[3], "|") {
				if value == "link-down" || c[1] == "job" { // no tunnel would work then, and it is the scrape's
					continue
				}
				eventually(p.t, func() string { // a scrape that takes too long takes all away, until the next one
					found, err := p.query(fmt.Sprintf(`count(%s{%s=%q})`, m[1], c[1], value))
					must(p.t, err)
					if len(found) == 0 {
						return fmt.Sprintf("%s asks for %s{%s=%q}, which never is", what, m[1], c[1], value)
					}
					return ""
				})
			}
		}
	}
}

// alerts checks that no rule fails, that recorded ones have something, and which alerts are under way: those for what
// this test does, and none for what it does not.
func (w *watched) alerts(t *testing.T, p *prometheus) {
	t.Helper()
	waiting := []string{"GwProblems", "GwReloadRefused", "GwPortDown", "GwRemoteFailed", "GwFrozen", "GwFDBNearLimit", "GwFDBRefused", "GwStorm", "GwDrops", "GwKernelDrops"}
	never := []string{"GwTargetDown", "GwNotReady", "GwRestarts", "GwUnderlayDown", "GwModeFallback", "GwNoSocket", "GwDriverErrs", "GwRemotesFull", "GwRemoteNotAllowed", "GwPathTooNarrow", "GwFDBFull"}
	eventually(t, func() string {
		w.traffic(t)
		for _, r := range p.rules() {
			switch {
			case r.Health != "ok" || r.LastError != "":
				return fmt.Sprintf("rule %s is %s: %s", r.Name, r.Health, r.LastError)
			case slices.Contains(waiting, r.Name) && r.State == "inactive", slices.Contains(never, r.Name) && r.State != "inactive":
				return fmt.Sprintf("alert %s is %s", r.Name, r.State)
			case r.Type == "recording":
				if series, err := p.query(r.Name); err != nil || len(series) == 0 {
					return fmt.Sprintf("%s has no series: %v", r.Name, err)
				}
			}
		}
		return ""
	})
	for _, r := range p.rules() {
		p.selects(r.Name, r.Query)
		for _, v := range regexp.MustCompile(`verdict!?=~?"([^"]*)"`).FindAllStringSubmatch(r.Query, -1) {
			for name := range strings.SplitSeq(v[1], "|") {
				if !isVerdict(name) {
					t.Errorf("%s asks for verdict %s, which is none", r.Name, name)
				}
			}
		}
	}
}

func isVerdict(name string) bool {
	for v := range dataplane.VerdictCount {
		if dataplane.Verdict(v).String() == name {
			return true
		}
	}
	return false
}
