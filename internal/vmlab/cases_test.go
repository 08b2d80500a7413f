package vmlab

import (
	"io"
	"strings"
	"testing"
)

// What a binary prints becomes cases, also where it breaks off.
func TestReport(t *testing.T) {
	var ended []string
	r, in, wait, err := NewReport(func(c *Case) { ended = append(ended, c.Name+" "+c.Action) })
	if err != nil {
		t.Fatal(err)
	}
	const m = "\x16"
	io.WriteString(in, m+"=== RUN   TestA\n"+m+"=== RUN   TestA/x\n    a_test.go:1: said\n"+
		m+"--- FAIL: TestA/x (0.25s)\n"+m+"=== NAME  TestA\n"+m+"--- FAIL: TestA (0.50s)\n"+m+"=== NAME  \n"+
		m+"=== RUN   TestB\n"+m+"--- SKIP: TestB (0.00s)\n"+m+"=== NAME  \n"+m+"=== RUN   TestC\npanic: no\n")
	in.Close()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(ended, ", "); got != "TestA/x fail, TestA fail, TestB skip" {
		t.Errorf("ended: %s", got)
	}
	if len(r.Sub) != 3 || len(r.Sub[0].Sub) != 1 {
		t.Fatalf("%d cases, want 3, with one below the first", len(r.Sub))
	}
	if x := r.Sub[0].Sub[0]; x.Elapsed != 0.25 || !strings.Contains(x.Output, "a_test.go:1: said") {
		t.Errorf("case %+v", x)
	}
	if c := r.Sub[2]; c.Action != "" || !strings.Contains(c.Output, "panic: no") {
		t.Errorf("case that broke off: %+v", c)
	}
}
