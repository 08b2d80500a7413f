package main

// Units, by Grafana's names for them.
const (
	bits      = "bps"
	packets   = "pps"
	perSecond = "cps"
	share     = "percentunit"
	count     = "short"
	size      = "bytes"
	seconds   = "s"
)

// query is one of a panel's, and what its series are called in the legend.
type query struct{ expr, legend string }

func q(expr, legend string) query { return query{expr, legend} }

func newPanel(kind, title, description, unit string, at place, queries []query) panel {
	p := panel{Type: kind, Title: title, Description: description, Place: at, Datasource: &source,
		Fields: &fields{Overrides: []any{}, Defaults: field{Unit: unit, Mappings: []any{}, Color: map[string]any{"mode": "palette-classic"}, Thresholds: plain}}}
	for i, q := range queries {
		p.Targets = append(p.Targets, target{RefID: string(rune('A' + i)), Datasource: source, Expr: q.expr, Legend: q.legend, Format: "time_series", Range: true, Editor: "code"})
	}
	return p
}

// plain is no threshold.
var plain = thresholds{"absolute", []step{{Color: "green"}}}

// from are colours from these values on, green below.
func from(steps ...step) thresholds {
	return thresholds{"absolute", append([]step{{Color: "green"}}, steps...)}
}

func at(value float64, color string) step { return step{color, &value} }

// number is one large figure, or one for each series.
func number(title, description, unit string, limits thresholds, queries ...query) panel {
	p := newPanel("stat", title, description, unit, place{W: 4, H: 4}, queries)
	p.Fields.Defaults.Color["mode"], p.Fields.Defaults.Thresholds = "thresholds", limits
	p.Options = map[string]any{
		"reduceOptions": map[string]any{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
		"colorMode":     "value", "graphMode": "area", "justifyMode": "auto", "textMode": "auto", "orientation": "auto", "wideLayout": true,
		"showPercentChange": false, "percentChangeColorMode": "standard",
	}
	return p
}

// curves are lines over time, a third of the width unless wide.
func curves(title, description, unit string, queries ...query) panel {
	p := newPanel("timeseries", title, description, unit, place{W: 8, H: 8}, queries)
	p.Fields.Defaults.Min = new(float64)
	p.Fields.Defaults.Custom = map[string]any{
		"drawStyle": "line", "lineInterpolation": "linear", "lineWidth": 1, "fillOpacity": 10, "gradientMode": "none", "showPoints": "never", "spanNulls": false,
		"axisPlacement": "auto", "scaleDistribution": map[string]any{"type": "linear"}, "stacking": map[string]any{"mode": "none", "group": "A"},
	}
	p.Options = map[string]any{
		"legend":  map[string]any{"displayMode": "table", "placement": "bottom", "showLegend": true, "calcs": []string{"lastNotNull", "max"}},
		"tooltip": map[string]any{"mode": "multi", "sort": "desc"},
	}
	return p
}

// stacked puts the lines upon one another: parts of a whole.
func (p panel) stacked() panel {
	p.Fields.Defaults.Custom["stacking"] = map[string]any{"mode": "normal", "group": "A"}
	p.Fields.Defaults.Custom["fillOpacity"] = 40
	return p
}

// below draws what is sent below the axis, and what is received above.
func (p panel) below(title string) panel {
	p.Fields.Defaults.Min, p.Fields.Defaults.Custom["axisLabel"], p.Fields.Defaults.Custom["axisCenteredZero"] = nil, title, true
	return p
}

// wide gives a panel so many of the 24 columns.
func (p panel) wide(columns int) panel { p.Place.W = columns; return p }

// upTo bounds the scale.
func (p panel) upTo(most float64) panel { p.Fields.Defaults.Max = &most; return p }

// words shows words for numbers.
func (p panel) words(zero, one string) panel {
	p.Fields.Defaults.Mappings = []any{map[string]any{"type": "value", "options": map[string]any{
		"0": map[string]any{"text": zero, "color": "red", "index": 0}, "1": map[string]any{"text": one, "color": "green", "index": 1},
	}}}
	return p
}

// named shows the series' names instead of their values.
func (p panel) named() panel {
	p.Options["textMode"], p.Options["graphMode"] = "name", "none"
	return p
}

// bare draws no curve behind the figure.
func (p panel) bare() panel { p.Options["graphMode"] = "none"; return p }

// timeline has a bar for each series, coloured by its value over time.
func timeline(title, description string, queries ...query) panel {
	p := newPanel("state-timeline", title, description, count, place{W: 12, H: 8}, queries)
	p.Fields.Defaults.Color["mode"] = "thresholds"
	p.Fields.Defaults.Custom = map[string]any{"fillOpacity": 70, "lineWidth": 0, "spanNulls": false}
	p.Options = map[string]any{
		"mergeValues": true, "showValue": "never", "alignValue": "left", "rowHeight": 0.9,
		"legend":  map[string]any{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": map[string]any{"mode": "single", "sort": "none"},
	}
	return p
}

// table has a line for each series and a column for each of these labels.
func table(title, description, expr string, labels ...string) panel {
	p := newPanel("table", title, description, "none", place{W: 12, H: 8}, []query{q(expr, "")})
	p.Targets[0].Format, p.Targets[0].Instant, p.Targets[0].Range = "table", true, false
	p.Fields.Defaults.Color["mode"] = "thresholds"
	p.Fields.Defaults.Custom = map[string]any{"align": "auto", "cellOptions": map[string]any{"type": "auto"}, "inspect": false}
	p.Options = map[string]any{"showHeader": true, "cellHeight": "sm", "frameIndex": 0}
	places := map[string]any{}
	for i, l := range labels {
		places[l] = i
	}
	p.Transformations = []transformation{{"filterFieldsByName", map[string]any{"include": map[string]any{"names": labels}}}, {"organize", map[string]any{"indexByName": places}}}
	return p
}

// limits colours by these thresholds.
func (p panel) limits(t thresholds) panel { p.Fields.Defaults.Thresholds = t; return p }
