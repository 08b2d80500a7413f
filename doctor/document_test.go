package doctor

import (
	"os"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is written down is what the code says.
func TestDocument(t *testing.T) {
	have, err := os.ReadFile("../docs/doctor.md")
	must(t, err)
	if diff := cmp.Diff(Document(), string(have)); diff != "" {
		t.Errorf("docs/doctor.md is not what the code says (make generate writes it):\n%s", diff)
	}
}

// Each check is described, under an id of its own.
func TestChecksAreDescribed(t *testing.T) {
	form, ids := regexp.MustCompile(`^[a-z]+\.[a-z_]+$`), map[string]bool{}
	for _, c := range Checks() {
		if !form.MatchString(c.ID) || ids[c.ID] || c.About == "" || c.Cure == "" || c.From == "" {
			t.Errorf("%+v", c)
		}
		ids[c.ID] = true
	}
}
