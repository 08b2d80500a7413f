package deploy

//lint:file-ignore SA1019 The classic model, which every version of Grafana imports.

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
)

// loadDashboard reads it as Grafana does, by Grafana's own model of it, in which
// nothing may be missing or unknown.
func loadDashboard(t *testing.T) (dashboard.Dashboard, []dashboard.Panel) {
	t.Helper()
	text, err := os.ReadFile("grafana/gw.json")
	if err != nil {
		t.Fatal(err)
	}
	plugins.RegisterDefaultPlugins()
	var strict, d dashboard.Dashboard
	if err := strict.UnmarshalJSONStrict(text); err != nil && err.Error() != "" { // a list that may be empty; panels are checked and left out
		t.Fatalf("Grafana would not understand the dashboard:\n%v", err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if err := d.Validate(); err != nil {
		t.Errorf("Grafana would not take the dashboard:\n%v", err)
	}
	var panels []dashboard.Panel
	for i, p := range d.Panels {
		switch {
		case p.Panel != nil:
			panels = append(panels, *p.Panel)
		case p.RowPanel != nil:
			r := p.RowPanel
			panels = append(panels, dashboard.Panel{Type: "row", Title: r.Title, Id: &r.Id, GridPos: r.GridPos})
		default:
			t.Fatalf("panel %d is neither a panel nor a row", i)
		}
	}
	return d, panels
}

func queriesOf(t *testing.T, p dashboard.Panel) (queries []prometheus.Dataquery) {
	t.Helper()
	for _, q := range p.Targets {
		query, ok := q.(*prometheus.Dataquery)
		if !ok {
			if value, is := q.(prometheus.Dataquery); is {
				query, ok = &value, true
			}
		}
		if !ok {
			t.Fatalf("%s: a query is a %T", *p.Title, q)
		}
		queries = append(queries, *query)
	}
	return queries
}

// Each panel has a number and a place of its own, says what it shows in which unit, and
// asks the source that the reader chose.
func TestDashboard(t *testing.T) {
	d, panels := loadDashboard(t)
	variables := map[string]bool{"__rate_interval": true, "__interval": true}
	for _, v := range d.Templating.List {
		variables[v.Name] = true
	}
	for _, want := range []string{"datasource", "instance", "vni", "remote"} {
		if !variables[want] {
			t.Errorf("there is no variable %s", want)
		}
	}
	rows, numbers, taken := 0, map[uint32]string{}, map[[2]uint32]string{}
	for _, p := range panels {
		title := *p.Title
		if p.Id == nil || p.GridPos == nil {
			t.Fatalf("%s has no number or place", title)
		}
		if other, twice := numbers[*p.Id]; twice {
			t.Errorf("%s and %s both have number %d", title, other, *p.Id)
		}
		numbers[*p.Id] = title
		g := p.GridPos
		if g.X+g.W > 24 || g.W == 0 || g.H == 0 {
			t.Errorf("%s is outside: %+v", title, *g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other, twice := taken[[2]uint32{x, y}]; twice {
					t.Fatalf("%s lies upon %s", title, other)
				}
				taken[[2]uint32{x, y}] = title
			}
		}
		if p.Type == "row" {
			rows++
			continue
		}
		if p.Description == nil || !strings.HasSuffix(*p.Description, ".") {
			t.Errorf("%s is not described in sentences", title)
		}
		if p.FieldConfig == nil || p.FieldConfig.Defaults.Unit == nil || *p.FieldConfig.Defaults.Unit == "" {
			t.Errorf("%s has no unit", title)
		}
		checkQueries(t, title, queriesOf(t, p), variables)
	}
	bottom := uint32(0)
	for at := range taken {
		bottom = max(bottom, at[1]+1)
	}
	if holes := int(24*bottom) - len(taken); holes != 0 { // Grafana would move panels up into them
		t.Errorf("the panels leave %d holes", holes)
	}
	if rows != 7 {
		t.Errorf("%d rows", rows)
	}
}

var variable = regexp.MustCompile(`\$\{?(\w+)`)

func checkQueries(t *testing.T, title string, queries []prometheus.Dataquery, variables map[string]bool) {
	t.Helper()
	if len(queries) == 0 {
		t.Errorf("%s asks nothing", title)
	}
	var refs []string
	for _, q := range queries {
		if q.Datasource == nil || q.Datasource.Uid == nil || *q.Datasource.Uid != "${datasource}" {
			t.Errorf("%s does not ask the chosen source", title)
		}
		if q.RefId == nil || slices.Contains(refs, *q.RefId) {
			t.Fatalf("%s has a query without a letter of its own", title)
		}
		refs = append(refs, *q.RefId)
		for _, v := range variable.FindAllStringSubmatch(q.Expr, -1) {
			if !variables[v[1]] {
				t.Errorf("%s asks for variable %s, which is none", title, v[1])
			}
		}
		if !strings.Contains(q.Expr, `instance=~"$instance"`) {
			t.Errorf("%s does not ask for the chosen gateways: %s", title, q.Expr)
		}
		known(t, title, q.Expr)
	}
}

// Prometheus understands each query. promtool reads rules only, so rules are made of them.
func TestDashboardQueriesParse(t *testing.T) {
	need(t, "promtool")
	_, panels := loadDashboard(t)
	type rule struct{ Record, Expr string }
	var rules []rule
	for _, p := range panels {
		for _, q := range queriesOf(t, p) {
			rules = append(rules, rule{"panel:query:value", strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1m").Replace(q.Expr)})
		}
	}
	if len(rules) < 50 {
		t.Fatalf("only %d queries", len(rules))
	}
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, ".", nil, "promtool", "check", "rules", "--lint=none", file)
}
