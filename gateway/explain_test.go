package gateway

import (
	"strings"
	"testing"

	"vxgw/dataplane"
)

// Each way to lose a frame has a cure.
func TestEveryDropHasACure(t *testing.T) {
	for v := range dataplane.Verdict(dataplane.VerdictCount) {
		if (cures[v] != "") != v.Drop() {
			t.Errorf("%v: cure %q", v, cures[v])
		}
	}
	for v, c := range cures {
		if strings.HasSuffix(c, ".") || strings.ToUpper(c[:min(1, len(c))]) == c[:min(1, len(c))] && c != "" {
			t.Errorf("%v: %q is no part of a sentence", dataplane.Verdict(v), c)
		}
	}
}
