package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"vxgw/stats"
)

// mostLines is how many lines a table of gw stats has; those with the most traffic.
const mostLines = 25

// printStats writes tables for people.
func printStats(out io.Writer, s stats.Stats) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	since := "since the start"
	if s.Interval > 0 {
		since = fmt.Sprintf("rates of %.1f s", s.Interval)
	}
	fmt.Fprintf(w, "gw pid %d, up %v, %s\n", s.PID, time.Duration(s.Uptime)*time.Second, since)
	printLines(w, "INTERFACE\tVNI", s.Interfaces, s.Interval > 0, func(l stats.Line) string {
		return l.Interface + "\t" + orDash(strings.TrimPrefix(decimal(uint64(l.VNI)), "0"))
	})
	printLines(w, "TUNNELS OF VNI", s.VNIs, s.Interval > 0, func(l stats.Line) string { return decimal(uint64(l.VNI)) })
	printLines(w, "REMOTE", s.Remotes, s.Interval > 0, func(l stats.Line) string { return l.Remote })
	printDrops(w, s.Drops)
	printKernel(w, s.Kernel)
	return w.Flush()
}

func printLines(w io.Writer, head string, lines []stats.Line, rated bool, name func(stats.Line) string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\t", head)
	if rated {
		fmt.Fprint(w, "RX/S\tRX BIT/S\tTX/S\tTX BIT/S\tDROPS/S\t")
	}
	fmt.Fprint(w, "RX PACKETS\tRX BYTES\tTX PACKETS\tTX BYTES\tDROPPED\n")
	shown := lines
	if len(lines) > mostLines {
		shown = slices.SortedStableFunc(slices.Values(lines), func(a, b stats.Line) int { return cmp.Compare(b.Weight(), a.Weight()) })[:mostLines]
	}
	for _, l := range shown {
		printLine(w, name(l), l)
		if len(l.Queues) > 1 {
			for _, q := range l.Queues {
				printLine(w, fmt.Sprintf(" queue %d, worker %d\t", *q.Queue, *q.Worker), q)
			}
		}
	}
	if more := len(lines) - len(shown); more > 0 {
		fmt.Fprintf(w, "and %d more with less traffic (gw stats -j has them)\n", more)
	}
}

func printLine(w io.Writer, name string, l stats.Line) {
	fmt.Fprintf(w, "%s\t", name)
	if r := l.Rates; r != nil {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t", short(r.RxPackets), short(r.RxBits), short(r.TxPackets), short(r.TxBits), short(r.Dropped))
	}
	dropped := decimal(l.Dropped + l.TxDropped)
	if l.Queue != nil || l.Remote != "" {
		dropped = "" // nobody counts it
	}
	fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%s\n", l.RxPackets, l.RxBytes, l.TxPackets, l.TxBytes, dropped)
}

// mostPlaces is how many interfaces a reason names.
const mostPlaces = 3

func printDrops(w io.Writer, drops []stats.Drop) {
	if len(drops) == 0 {
		fmt.Fprintf(w, "\ngw dropped nothing.\n")
		return
	}
	fmt.Fprintf(w, "\nDROPPED\tFRAMES\tCOPIES%s\tWHERE\tMEANING\n", rateHead(drops[0].Rate))
	for _, d := range drops {
		var where []string
		for _, p := range d.Where[:min(len(d.Where), mostPlaces)] {
			where = append(where, fmt.Sprintf("%s %s %d", p.Direction, p.Interface, p.Packets))
		}
		if len(d.Where) > mostPlaces {
			where = append(where, "...")
		}
		fmt.Fprintf(w, "%s\t%d\t%d%s\t%s\t%s\n", d.Reason, d.Frames, d.Copies, rateCell(d.Rate), strings.Join(where, ", "), d.Sentence)
	}
}

func printKernel(w io.Writer, events []stats.Loss) {
	if len(events) == 0 {
		return
	}
	fmt.Fprintf(w, "\nOUTSIDE THE WORKERS\tQUEUE\tCOUNT%s\tMEANING\n", rateHead(events[0].Rate))
	for _, k := range events[:min(len(events), mostLines)] {
		where := k.Interface
		if k.Queue != nil {
			where += " " + strconv.Itoa(*k.Queue)
		}
		fmt.Fprintf(w, "%s\t%s\t%d%s\t%s\n", k.Event, orDash(where), k.Count, rateCell(k.Rate), k.Sentence)
	}
	if more := len(events) - mostLines; more > 0 {
		fmt.Fprintf(w, "and %d more (gw stats -j has them)\n", more)
	}
}

func rateHead(r *float64) string {
	if r == nil {
		return ""
	}
	return "\tPER SECOND"
}

func rateCell(r *float64) string {
	if r == nil {
		return ""
	}
	return "\t" + short(*r)
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

// short is a rate with three digits and a prefix of the SI.
func short(r float64) string {
	for _, unit := range []string{"", "k", "M", "G"} {
		switch {
		case unit == "" && r < 9.95 && r != math.Trunc(r):
			return fmt.Sprintf("%.1f", r)
		case r < 999.5 && (unit == "" || r >= 99.95):
			return fmt.Sprintf("%.0f%s", r, unit)
		case r < 9.995:
			return fmt.Sprintf("%.2f%s", r, unit)
		case r < 99.95:
			return fmt.Sprintf("%.1f%s", r, unit)
		}
		r /= 1000
	}
	return fmt.Sprintf("%.0fT", r)
}
