package bench

import "fmt"

// Comparison is the ratio of the rates of two contenders. Each round in which both
// had their turn gives one ratio.
type Comparison struct {
	Name   string    `json:"name"` // the two contenders: "gw / kernel"
	Ratios []float64 `json:"ratios"`
	Ratio  float64   `json:"ratio"` // median of Ratios
	Low    float64   `json:"low"`   // confidence interval of the median
	High   float64   `json:"high"`
	Level  float64   `json:"level"` // of that interval
	Thrown int       `json:"pairs_thrown_away"`
	Goal   float64   `json:"goal,omitempty"` // what the ratio has to be above
	what   string
}

// String is the comparison in a line.
func (c Comparison) String() string {
	goal := ""
	if c.Goal > 0 {
		goal = fmt.Sprintf(" (goal: above %v)", c.Goal)
	}
	return fmt.Sprintf("%-13s %5.2f, %.1f %% interval %.2f to %.2f, %d pairs, %d thrown away for steal%s: %s",
		c.Name, c.Ratio, 100*c.Level, c.Low, c.High, len(c.Ratios), c.Thrown, goal, c.what)
}

// comparisons are those that are made. The goals are for runs that are saturated and not jailed.
var comparisons = []struct {
	over, under string
	goal        float64
	what        string
}{
	{"gw", "kernel", 1.1, "gw over the kernel's vxlan device with a bridge"},
	{"null", "asavie", 0, "the project's rings over asavie/xdp, forwarding without tunnel"},
	{"gw", "asavie", 1.5, "gw over forwarding without tunnel on asavie/xdp"},
	{"gw", "null", 0.95, "gw over forwarding without tunnel on its own rings"},
}

// maxSteal is the steal above which a pair of turns does not count.
const maxSteal = 0.02

// compare makes all comparisons from rounds of turns, each by the contenders' names.
func compare(rounds []map[string]Turn) ([]Comparison, error) {
	var all []Comparison
	for _, p := range comparisons {
		c := Comparison{Name: p.over + " / " + p.under, Goal: p.goal, what: p.what}
		for _, round := range rounds {
			over, under := round[p.over], round[p.under]
			if max(over.Steal, under.Steal) > maxSteal {
				c.Thrown++
				continue
			}
			c.Ratios = append(c.Ratios, round2(over.Rate/under.Rate))
		}
		c.Ratio = median(c.Ratios)
		var ok bool
		if c.Low, c.High, c.Level, ok = interval(c.Ratios); !ok {
			return nil, fmt.Errorf("%s: only %d of %d pairs are left, too few for an interval (the machine is too busy: steal above %.0f %%)",
				c.Name, len(c.Ratios), len(rounds), 100*maxSteal)
		}
		all = append(all, c)
	}
	return all, nil
}
