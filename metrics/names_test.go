package metrics

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is said of each metric is whole, and nothing is said of what is not there.
func TestNames(t *testing.T) {
	t.Parallel()
	used, names := map[string]bool{}, map[string]*Metric{}
	for _, s := range Sections {
		if len(s.Metrics) == 0 {
			t.Errorf("%s: no metrics", s.Title)
		}
		for _, m := range s.Metrics {
			if names[m.Name] != nil {
				t.Errorf("%s is there twice", m.Name)
			}
			names[m.Name] = m
			if m.Unit == "" || !strings.HasSuffix(m.Help, ".") {
				t.Errorf("%s lacks its unit, or a sentence: %q, %q", m.Name, m.Unit, m.Help)
			}
			if strings.HasSuffix(m.Name, "_total") != (m.Kind == Counter) {
				t.Errorf("%s is a %s", m.Name, m.Kind)
			}
			for _, unit := range []string{"seconds", "bytes"} {
				if strings.Contains(m.Name, "_"+unit) && !strings.HasPrefix(m.Unit, unit) {
					t.Errorf("%s is in %s", m.Name, m.Unit)
				}
			}
			for _, l := range m.Labels {
				used[l] = true
			}
		}
	}
	if !slices.IsSortedFunc(Labels, func(a, b Label) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("labels are not in order")
	}
	for _, l := range Labels {
		if !used[l.Name] {
			t.Errorf("no metric has the label %s", l.Name)
		}
		delete(used, l.Name)
	}
	for l := range used {
		t.Errorf("nothing is said of the label %s", l)
	}
	for _, q := range Queries {
		asked := regexp.MustCompile(`gw_[a-z0-9_]+`).FindAllString(q.Expr, -1)
		if len(asked) == 0 {
			t.Errorf("%s: %s asks for nothing of gw's", q.What, q.Expr)
		}
		for _, name := range asked {
			if m := names[name]; m == nil {
				m = names[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")]
				if m == nil || m.Kind != Histogram {
					t.Errorf("%s: there is no %s", q.What, name)
				}
			} else if m.Kind == Histogram {
				t.Errorf("%s: %s has no series of that name", q.What, name)
			}
		}
	}
}
