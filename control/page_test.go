package control

import (
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The page says what the server answers, no more and no less.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Page(), string(text)); diff != "" {
		t.Errorf("docs/api.md is not what the code says (make generate writes it):\n%s", diff)
	}
	var there []string
	for _, m := range regexp.MustCompile(`(?m)^#### ([A-Z]+ /\S+)$`).FindAllSubmatch(text, -1) {
		there = append(there, string(m[1]))
	}
	var served []string
	mux := http.NewServeMux()
	for _, r := range Routes() {
		mux.HandleFunc(r.Pattern(), func(http.ResponseWriter, *http.Request) {}) // panics when two are the same
		served = append(served, r.Pattern())
		if r.Doc == "" || (r.Answer == nil) == (r.Stream == "") || r.handle == nil || r.Changes() != (r.Method == http.MethodPost) {
			t.Errorf("%s is not whole", r.Pattern())
		}
	}
	if diff := cmp.Diff(served, there); diff != "" {
		t.Errorf("routes that are served and not described, or the other way round:\n%s", diff)
	}
	if !slices.Contains(there, "GET /v1/version") {
		t.Error("nothing says which version there is")
	}
}

// A request says of each of its keys what it means.
func TestBodiesAreDescribed(t *testing.T) {
	for _, r := range Routes() {
		typ := reflect.TypeOf(r.Body)
		if typ == nil || typ.Kind() != reflect.Struct {
			continue
		}
		for f := range typ.Fields() {
			if descriptions[typ.Name()+"."+f.Name] == "" {
				t.Errorf("%s: %s.%s has no comment", r.Pattern(), typ.Name(), f.Name)
			}
		}
	}
}
