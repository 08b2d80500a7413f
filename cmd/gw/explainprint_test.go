package main

import (
	"fmt"
	"strings"
	"testing"

	"vxgw/control"
)

// A frame that is flooded to a thousand VTEPs is told of in some lines, and those with another end are among them.
func TestExplanationOfManyCopies(t *testing.T) {
	x := control.Explanation{Verdict: "flooded", More: 5}
	for i := range 1000 {
		c := control.ExplainCopy{To: fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), Remote: true, Verdict: "no_route"}
		if i >= 990 {
			c.Verdict = "to_remote"
		}
		x.Copies = append(x.Copies, c)
	}
	var few, all strings.Builder
	printExplanation(&few, &x, false)
	printExplanation(&all, &x, true)
	if n := strings.Count(few.String(), "\n"); n > 50 {
		t.Errorf("%d lines", n)
	}
	for _, want := range []string{"10.0.3.241: ", "984 more of these: no_route 982, to_remote 2 (-x shows each)", "5 more, which were not tried"} {
		if !strings.Contains(few.String(), want) {
			t.Errorf("lacks %q:\n%s", want, few.String())
		}
	}
	if strings.Count(all.String(), "10.0.") != 1000 || strings.Contains(all.String(), "of these") {
		t.Errorf("with -x:\n%s", all.String())
	}
}
