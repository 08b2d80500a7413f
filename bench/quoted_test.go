package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Ratios in the pages' tables are those of the reports that are kept beside them.
func TestQuotedRatios(t *testing.T) {
	kept := map[string]bool{}
	reports, err := filepath.Glob("../docs/bench/*.json")
	must(t, err)
	for _, file := range reports {
		text, err := os.ReadFile(file)
		must(t, err)
		var r struct {
			EndToEnd struct {
				Comparisons []Comparison `json:"comparisons"`
			} `json:"end_to_end"`
		}
		must(t, json.Unmarshal(text, &r))
		for _, c := range r.EndToEnd.Comparisons {
			for _, digits := range []int{2, 4} {
				kept[fmt.Sprintf("%.*f (%.*f to %.*f)", digits, c.Ratio, digits, c.Low, digits, c.High)] = true
			}
		}
	}
	quoted := regexp.MustCompile(`\d+\.\d+ \(\d+\.\d+ to \d+\.\d+\)`)
	for page, heading := range map[string]string{"../docs/performance.md": "\n## Figures\n", "../README.md": "\n## Speed\n"} {
		text, err := os.ReadFile(page)
		must(t, err)
		_, section, _ := strings.Cut(string(text), heading)
		section, _, _ = strings.Cut(section, "\n## ")
		found := 0
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "|") {
				continue
			}
			for _, ratio := range quoted.FindAllString(line, -1) {
				if found++; !kept[ratio] {
					t.Errorf("%s quotes %s, which no report in docs/bench has: %s", page, ratio, line)
				}
			}
		}
		if found < 5 {
			t.Errorf("%s quotes %d ratios", page, found)
		}
	}
}
