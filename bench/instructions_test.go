package bench

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const head = "go go1.26.8\ncpu amd64 avx2 bmi2\n"

// TestInstructionsCompare has the script judge lists that are made up.
func TestInstructionsCompare(t *testing.T) {
	old := "# a comment\n" + head + "encap 500.0 0\nflood 2000.0 3\n"
	for name, c := range map[string]struct {
		measured string
		fails    bool
		says     []string
	}{
		"the same":             {head + "encap 500.0 0\nflood 2000.0 3\n", false, []string{"encap", "+0.0 %"}},
		"within tolerance":     {head + "encap 509.0 0\nflood 1961.0 3\n", false, []string{"+1.8 %", "-1.9 %"}},
		"dearer":               {head + "encap 515.0 0\nflood 2000.0 3\n", true, []string{"+3.0 % DEARER"}},
		"cheaper":              {head + "encap 400.0 0\nflood 2000.0 3\n", false, []string{"-20.0 % cheaper: make bench-baseline"}},
		"allocates":            {head + "encap 500.0 1\nflood 2000.0 3\n", true, []string{"ALLOCATES: 1 in a round instead of 0"}},
		"allocates less":       {head + "encap 500.0 0\nflood 2000.0 0\n", false, nil},
		"another Go":           {strings.Replace(head, "1.26.8", "1.27.0", 1) + "encap 900.0 5\nflood 1.0 0\n", false, []string{"nothing to compare with", "go: go1.27.0 instead of go1.26.8"}},
		"another CPU":          {strings.Replace(head, " avx2 bmi2", "", 1) + "encap 900.0 5\n", false, []string{"cpu: amd64 instead of amd64 avx2 bmi2"}},
		"a new path":           {head + "encap 500.0 0\nflood 2000.0 3\nmore 7.0 0\n", true, []string{"more", "not in the baseline (make bench-baseline)"}},
		"a path less":          {head + "encap 500.0 0\n", true, []string{"flood", "was not measured"}},
		"nothing was measured": {head, true, []string{"nothing in "}},
	} {
		out, err := compareLists(t, c.measured, old)
		if (err != nil) != c.fails {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		for _, want := range c.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", name, want, out)
			}
		}
	}
	if out, err := compareLists(t, head+"encap 1 0\n", ""); err == nil || !strings.Contains(out, "write it by make bench-baseline") {
		t.Errorf("without a baseline: %v\n%s", err, out)
	}
}

func compareLists(t *testing.T, measured, old string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"new": measured, "old": old} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	out, err := exec.CommandContext(t.Context(), "bash", "instructions.sh", "compare", filepath.Join(dir, "new"), filepath.Join(dir, "old")).CombinedOutput()
	return string(out), err
}

// TestInstructionsRepeat counts one path twice, and wants the same within the script's tolerance, whatever else the machine does.
func TestInstructionsRepeat(t *testing.T) {
	if _, err := exec.LookPath("valgrind"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no valgrind (apt-get install valgrind), and CI must not skip this")
		}
		t.Skip("no valgrind (apt-get install valgrind)")
	}
	var counts []float64
	for range 2 {
		c := exec.CommandContext(t.Context(), "bash", "instructions.sh", "measure")
		c.Env = append(os.Environ(), "ONLY=encap")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		fields := strings.Fields(string(out[strings.Index(string(out), "\nencap ")+1:]))
		if len(fields) != 3 || fields[0] != "encap" || fields[2] != "0" {
			t.Fatalf("no count in\n%s", out)
		}
		n, err := strconv.ParseFloat(fields[1], 64)
		must(t, err)
		counts = append(counts, n)
	}
	if ratio := counts[0] / counts[1]; counts[0] < 100 || counts[0] > 5000 || ratio < 0.98 || ratio > 1.02 {
		t.Errorf("%v and %v instructions a packet", counts[0], counts[1])
	}
}
