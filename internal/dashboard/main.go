// Command dashboard writes the dashboard for Grafana: the rows and panels of this folder
// in the form that Grafana imports. It is run by go generate and writes the file that its
// argument names.
//
//	rows (row*.go) -> lay out: numbers and places -> JSON
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
)

//go:generate go run . ../../deploy/grafana/gw.json

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dashboard FILE")
		os.Exit(2)
	}
	text, err := text()
	if err == nil {
		err = os.WriteFile(os.Args[1], text, 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dashboard:", err)
		os.Exit(1)
	}
}

// text is the dashboard as it stands in the file.
func text() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // > and & are frequent in queries
	e.SetIndent("", "  ")
	err := e.Encode(dashboard())
	return out.Bytes(), err
}

// row is a heading and what stands below it.
type row struct {
	title  string
	panels []panel
}

// dashboard is all of it. The version of the schema is that of Grafana 12; newer ones
// bring it up to date when they load it.
func dashboard() board {
	b := board{
		UID: "gw", Title: "gw", Tags: []string{"gw", "vxlan"}, SchemaVersion: 42, Editable: true, GraphTooltip: 1, // one crosshair on all
		Description: "VXLAN gateways: whether they work, what goes through them and what does not, and why.",
		Refresh:     "30s", Time: span{"now-1h", "now"}, Timezone: "browser",
		Templating: list[variable]{variables()},
		Annotations: list[annotation]{[]annotation{{
			Name: "Starts", Datasource: source, Enable: true, IconColor: "orange", TitleFormat: "gw started", TextFormat: "{{instance}}",
			Expr: `gw_uptime_seconds{instance=~"$instance"} < 60`,
		}}},
	}
	b.lay(overview(), throughput(), drops(), fdb(), workers(), kernel(), runtime())
	return b
}

// lay numbers panels and gives them their places: below their row's heading from left to
// right, as many in a line as fit in 24 columns.
func (b *board) lay(rows ...row) {
	add := func(p panel, at place) {
		p.ID, p.Place = len(b.Panels)+1, at
		b.Panels = append(b.Panels, p)
	}
	y := 0
	for _, r := range rows {
		add(panel{Type: "row", Title: r.title, Nested: &[]panel{}, Collapsed: new(bool)}, place{W: columns, H: 1, Y: y})
		y++
		x, tallest := 0, 0
		for _, p := range r.panels {
			if x+p.Place.W > columns {
				x, y, tallest = 0, y+tallest, 0
			}
			add(p, place{W: p.Place.W, H: p.Place.H, X: x, Y: y})
			x, tallest = x+p.Place.W, max(tallest, p.Place.H)
		}
		y += tallest
	}
}

// columns is how wide a dashboard is.
const columns = 24

// variables are what a reader chooses. All of them is the pattern that matches anything,
// also where a label is missing.
func variables() []variable {
	query := func(name, label, description, query string) variable {
		return variable{Name: name, Label: label, Description: description, Type: "query", Query: query, Definition: query, Datasource: &source,
			Refresh: 2, Sort: 3, Multi: true, IncludeAll: true, AllValue: ".*", Current: &chosen{"All", "$__all"}} // asked again with each range of time; as numbers
	}
	return []variable{
		{Name: "datasource", Label: "Data source", Description: "The Prometheus that scrapes the gateways.", Type: "datasource", Query: "prometheus", Refresh: 1},
		query("instance", "Gateway", "Gateways by the address that is scraped.", `label_values(gw_build_info, instance)`),
		query("vni", "VNI", "For panels by VNI.", `label_values(gw_vni_packets_total{instance=~"$instance"}, vni)`),
		query("remote", "Remote", "For panels by remote VTEP.", `label_values(gw_remote_packets_total{instance=~"$instance"}, remote)`),
	}
}
