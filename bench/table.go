package bench

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
)

// table prints what came out, a line for each comparison, and who was not there.
func (e *EndToEnd) table(w io.Writer) {
	fmt.Fprintf(w, "\nRatios: median of the pairs of turns, and its interval. A goal is met when the worse end of the interval meets it.\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "cell\tratio\tof\tmedian\tinterval\tpairs\tgoal\tmust\taim\t")
	for _, c := range e.Comparisons {
		if c.Trouble != "" {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t\t\t%s\t\t\t\n", c.Cell, c.Name, c.Of, "-", cmp.Or(c.ID, ""))
			continue
		}
		goal, must, aim := "", "", ""
		if c.ID != "" {
			goal, must, aim = c.ID+" "+metWords[c.Met], fmt.Sprint(c.Must), fmt.Sprint(c.Aim)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3g\t%.3g to %.3g\t%d\t%s\t%s\t%s\t\n", c.Cell, c.Name, c.Of, c.Ratio, c.Low, c.High, len(c.Ratios), goal, must, aim)
	}
	t.Flush()
	for _, c := range e.Comparisons {
		if c.Trouble != "" {
			fmt.Fprintf(w, "%s, %s, %s: %s\n", c.Cell, c.Name, c.Of, c.Trouble)
		}
	}
	for _, c := range e.Cells {
		if c.LeftOut != "" {
			fmt.Fprintf(w, "%s was left out: %s\n", c.ID, c.LeftOut)
		}
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, p := range e.Peers {
		fmt.Fprintf(t, "%s\t%s %s\t%s\n", p.Name, p.What, p.Version, p.Missing)
	}
	t.Flush()
}
