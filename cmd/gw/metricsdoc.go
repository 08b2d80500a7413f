package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"vxgw/metrics"
)

//go:generate go run . metrics-reference ../../docs/metrics.md

// newMetricsReference makes the command by which docs/metrics.md is made. It is for whoever
// changes gw, and not listed.
func newMetricsReference() *cobra.Command {
	return &cobra.Command{Use: "metrics-reference FILE", Short: "Write what there is of metrics", Hidden: true, Args: oneFile,
		RunE: func(c *cobra.Command, args []string) error {
			return os.WriteFile(args[0], []byte(metricsReference()), 0o644)
		}}
}

// metricsReference is all metrics, their labels, and some queries.
func metricsReference() string {
	var out strings.Builder
	out.WriteString(`# Metrics

Made from the code by ` + "`make generate`" + `: do not edit. What ` + "`gw`" + ` serves to Prometheus on ` + "`--metrics`" + ` (127.0.0.1:9478, ` + "`/metrics`" + `).

`)
	for _, s := range metrics.Sections {
		fmt.Fprintf(&out, "- [%s](#%s)\n", s.Title, anchor(s.Title))
	}
	out.WriteString("- [Labels](#labels)\n- [What adds up](#what-adds-up)\n- [How much there is](#how-much-there-is)\n- [Queries](#queries)\n")
	for _, s := range metrics.Sections {
		fmt.Fprintf(&out, "\n## %s\n\n| metric | type | unit | labels | meaning |\n|---|---|---|---|---|\n", s.Title)
		for _, m := range s.Metrics {
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", m.Name, m.Kind, m.Unit, labels(m), cell(m.Help))
		}
	}
	out.WriteString("\n## Labels\n\n| label | values |\n|---|---|\n")
	for _, l := range metrics.Labels {
		fmt.Fprintf(&out, "| `%s` | %s |\n", l.Name, l.Values)
	}
	out.WriteString(metricsProse)
	out.WriteString("\n## Queries\n")
	for _, q := range metrics.Queries {
		fmt.Fprintf(&out, "\n%s:\n\n    %s\n", q.What, q.Expr)
	}
	return out.String()
}

// metricsProse is what to know beside the lists.
var metricsProse = fmt.Sprintf(`
## What adds up

Every frame received has one verdict, so the sum of `+"`gw_frames_total`"+` is that of what came in: `+"`gw_packets_total{direction=\"rx\"}`"+`,
`+"`gw_injected_packets_total`"+`, and what XDP dropped, `+"`gw_steered_packets_total{action=~\"refused|refused_late\"}`"+` (a port that was removed takes its
own packets along, verdicts stay). `+"`gw_vni_drops_total`"+` of a VNI adds up to its `+"`gw_vni_dropped_frames_total`"+`.

Counters start at 0 when `+"`gw`"+` does, those of a VNI, a port or a remote when it comes.

A worker is busy where it spends its time in rounds that move something. CPU time does not tell that: between packets a worker
spins for some microseconds before it sleeps, or always (`+"`--poll busy`"+`). So it times one round in 61 with two readings of the clock, which cost
nothing that could be measured, and what that took stands for the other 60; at least some thousand rounds make a good figure.
Histograms are counted per batch, in the worker's own memory.

## How much there is

A scrape reads counters. For those by remote and VNI each worker copies what it has counted, at the start of a round
([architecture](architecture.md#what-is-counted)); nothing else of a scrape is a worker's work. However many come at a time, statuses are made one after the
other, and beyond %d scrapes the next one is told to come again (503).

Of remotes that file, flags or `+"`gw`"+` name, %d at a time have series of their own, and of VTEPs that spoke first %d: of those that
come while there is room the busiest, each until it is gone. All others are `+"`other`"+`, in which nothing is counted twice when a remote gets a name
or loses it. Anybody can forge VTEPs: name those that matter. A remote with a name has %d series, a VNI %d and one for each reason it
drops frames for, a queue %d, an interface some ten. With 4,096 VNIs and 1,000 remotes a scrape has 73,000 series in 4 MB (0.3 MB as
Prometheus asks for it, compressed), and takes some tenths of a second on the control side.

Beside these there are `+"`go_*`, `process_*`"+` and `+"`promhttp_*`"+` of the Go client library: memory and goroutines, CPU time, descriptors, and scrapes.
`, metrics.MaxScrapes, metrics.NamedConfigured, metrics.NamedStrangers, metrics.SeriesOfRemote, metrics.SeriesOfVNI, metrics.SeriesOfQueue)

func labels(m *metrics.Metric) string {
	var names []string
	for _, l := range m.Labels {
		names = append(names, "`"+l+"`")
	}
	return strings.Join(names, ", ")
}

// anchor is what a heading is linked by.
func anchor(title string) string {
	return strings.ReplaceAll(strings.ToLower(title), " ", "-")
}
