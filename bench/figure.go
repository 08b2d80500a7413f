package bench

import (
	"fmt"
	"slices"
)

// Figure is a measured value that is no packet's nanoseconds.
type Figure struct {
	ID      string  `json:"id,omitempty"` // of the goal, if there is one
	What    string  `json:"what"`
	Unit    string  `json:"unit"`
	Value   float64 `json:"value"`
	Low     float64 `json:"low"` // a tenth of the slices is below; of R7 the confidence interval of the median; else Value
	High    float64 `json:"high"`
	Must    float64 `json:"must,omitempty"`
	Aim     float64 `json:"aim,omitempty"`
	AtLeast bool    `json:"at_least,omitempty"` // Must and Aim are what Value has to reach, not to stay below
	Goal    bool    `json:"goal"`               // Must and Aim count, zero too
}

// String is the figure in a line.
func (f Figure) String() string {
	line := fmt.Sprintf("%-2s  %-72s %6.2f %s", f.ID, f.What, f.Value, f.Unit)
	if f.Low != f.High {
		line += fmt.Sprintf(" (%.2f to %.2f)", f.Low, f.High)
	}
	if f.Goal {
		line += fmt.Sprintf("; must %v, aim %v", f.Must, f.Aim)
	}
	return line
}

// Met tells whether the value is what it must be.
func (f Figure) Met() bool { return f.AtLeast && f.Value >= f.Must || !f.AtLeast && f.Value <= f.Must }

// figure makes one of slices.
func figure(id, what, unit string, values []float64) Figure {
	s := slices.Sorted(slices.Values(values))
	return Figure{ID: id, What: what, Unit: unit, Value: round2(median(s)), Low: round2(s[len(s)/10]), High: round2(s[len(s)-1-len(s)/10])}
}

// exact makes one that does not spread.
func exact(id, what, unit string, value float64) Figure {
	return Figure{ID: id, What: what, Unit: unit, Value: round2(value), Low: round2(value), High: round2(value)}
}

// with sets what is to be reached.
func (f Figure) with(must, aim float64) Figure {
	f.Must, f.Aim, f.Goal = must, aim, true
	return f
}
