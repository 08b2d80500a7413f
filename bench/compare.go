package bench

import "fmt"

// Comparison is the ratio of two contenders. Each round in which both had their turn gives
// one ratio.
type Comparison struct {
	Cell   string    `json:"cell"`
	Name   string    `json:"name"` // the two contenders: "gw / kernel"
	Of     string    `json:"of"`   // what is compared: "saturated", "lossless", "per cpu", "p99"
	Ratios []float64 `json:"ratios"`
	Ratio  float64   `json:"ratio"` // median of Ratios
	Low    float64   `json:"low"`   // confidence interval of the median
	High   float64   `json:"high"`
	Level  float64   `json:"level"` // of that interval
	Thrown int       `json:"pairs_thrown_away"`

	ID    string  `json:"id,omitempty"`    // of the goal
	Must  float64 `json:"must,omitempty"`  // what the ratio has to reach
	Aim   float64 `json:"aim,omitempty"`   // and what is wanted
	Below bool    `json:"below,omitempty"` // it has to stay below instead
	Met   string  `json:"met,omitempty"`   // "aim", "must" or "no", by the end of the interval that is worse
	// Trouble says why there is no figure.
	Trouble string `json:"trouble,omitempty"`
}

// String is the comparison in a line.
func (c Comparison) String() string {
	if c.Trouble != "" {
		return fmt.Sprintf("%-20s %-9s %s", c.Name, c.Of, c.Trouble)
	}
	goal := ""
	if c.ID != "" {
		goal = fmt.Sprintf("; %s must %v, aim %v: %s", c.ID, c.Must, c.Aim, metWords[c.Met])
	}
	return fmt.Sprintf("%-20s %-9s %5.3g, %.1f %% interval %.3g to %.3g, %d pairs, %d thrown away for steal%s",
		c.Name, c.Of, c.Ratio, 100*c.Level, c.Low, c.High, len(c.Ratios), c.Thrown, goal)
}

var metWords = map[string]string{"aim": "reached", "must": "must is met", "no": "not met"}

// measures are what is compared of two turns. A turn that has no such figure has 0.
var measures = []struct {
	of    string
	value func(Turn) float64
}{
	{ofSaturated, func(t Turn) float64 { return t.Rate }},
	{ofLossless, func(t Turn) float64 { return t.Lossless }},
	{ofCPU, func(t Turn) float64 { return t.PerCPU }},
	{ofP99, func(t Turn) float64 {
		if t.Latency == nil {
			return 0
		}
		return t.Latency.P99
	}},
	{ofLone, func(t Turn) float64 {
		if t.Lone == nil {
			return 0
		}
		return t.Lone.P50
	}},
}

// maxSteal is the steal above which a pair of turns does not count.
const maxSteal = 0.02

// compareCell makes a cell's comparisons from rounds of turns, each by the contenders'
// names.
func compareCell(c Cell, rounds []map[string]Turn) []Comparison {
	var all []Comparison
	for _, p := range c.pairs {
		for _, m := range measures {
			if found, any := comparePair(p, m.of, m.value, rounds); any {
				found.Cell = c.ID
				found.moved(c, p, rounds)
				all = append(all, found)
			}
		}
	}
	if c.base {
		for _, o := range compareOwn(rounds) {
			o.Cell = c.ID
			all = append(all, o)
		}
	}
	return all
}

// comparePair compares one figure of a pair. None of them having it, any is false.
func comparePair(p versus, of string, value func(Turn) float64, rounds []map[string]Turn) (c Comparison, any bool) {
	goal := p.goals[of]
	c = Comparison{Name: p.over + " / " + p.under, Of: of, ID: goal.id, Must: goal.must, Aim: goal.aim, Below: goal.below}
	turns := 0
	for _, round := range rounds {
		over, hasOver := round[p.over]
		under, hasUnder := round[p.under]
		if !hasOver || !hasUnder {
			continue
		}
		turns++
		a, b := value(over), value(under)
		switch {
		case a == 0 || b == 0:
			continue
		case max(over.Steal, under.Steal) > maxSteal:
			c.Thrown++
			continue
		}
		c.Ratios = append(c.Ratios, round3(a/b))
	}
	if turns == 0 {
		c.Trouble = "not measured: one of them did not run"
		return c, of == ofSaturated
	}
	if len(c.Ratios)+c.Thrown == 0 {
		return c, false
	}
	c.judge()
	return c, true
}

// moved withdraws a verdict about moves where far fewer came through than were to.
func (c *Comparison) moved(of Cell, p versus, rounds []map[string]Turn) {
	for _, e := range of.entrants {
		if e.name != p.over || e.side != movingSide {
			continue
		}
		var all []float64
		for _, round := range rounds {
			all = append(all, round[e.name].Moves)
		}
		if n := median(all); n < 0.9*movesPerSecond {
			c.Met, c.Trouble = "", fmt.Sprintf("%.2f, but gw counted %.0f moves a second only, of %d: the rest was lost before it", c.Ratio, n, movesPerSecond)
		}
	}
}

// judge fills in the median, its interval and whether the goal is met.
func (c *Comparison) judge() {
	c.Ratio = round4(median(c.Ratios))
	var ok bool
	if c.Low, c.High, c.Level, ok = interval(c.Ratios); !ok {
		c.Trouble = fmt.Sprintf("%d pairs, too few for an interval", len(c.Ratios))
		if c.Thrown > 0 {
			c.Trouble = fmt.Sprintf("%d pairs are left of %d, too few for an interval (steal above %.0f %%: the machine is too busy)",
				len(c.Ratios), len(c.Ratios)+c.Thrown, 100*maxSteal)
		}
		return
	}
	if c.ID == "" {
		return
	}
	reached := func(bar float64) bool { return c.Low >= bar }
	if c.Below {
		reached = func(bar float64) bool { return c.High <= bar }
	}
	switch {
	case reached(c.Aim):
		c.Met = "aim"
	case reached(c.Must):
		c.Met = "must"
	default:
		c.Met = "no"
	}
}
