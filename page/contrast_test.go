package page

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Texts can be read in both schemes: the contrast of each colour of text with each ground that it stands on is 4.5 at
// least (WCAG 2.2, 1.4.3), that of what is drawn 3 (1.4.11).
func TestContrast(t *testing.T) {
	t.Parallel()
	text, err := files.ReadFile("files/page.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(text), "@media (prefers-color-scheme: dark)")
	dark, _, _ = strings.Cut(dark, "\n}\n")
	for name, sheet := range map[string]string{"light": light, "dark": dark} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{6});`).FindAllStringSubmatch(sheet, -1) {
			colours[m[1]] = luminance(t, m[2])
		}
		check := func(front, behind string, least float64) {
			a, ok := colours[front]
			b, too := colours[behind]
			if !ok || !too {
				t.Fatalf("%s has no colour %s or %s", name, front, behind)
			}
			if c := (max(a, b) + 0.05) / (min(a, b) + 0.05); c < least {
				t.Errorf("%s: the contrast of %s on %s is %.2f, want %v", name, front, behind, c, least)
			}
		}
		for _, front := range []string{"ink", "soft", "link"} {
			check(front, "ground", 4.5)
		}
		for _, front := range []string{"ink", "soft", "link", "tx", "rx", "ok", "bad"} {
			check(front, "card", 4.5)
		}
		check("card", "ink", 4.5)  // what is chosen
		check("card", "link", 4.5) // a button
		check("ink", "warn-ground", 4.5)
		for _, state := range []string{"ok", "warn", "bad"} {
			check(state, state+"-ground", 4.5)
		}
		check("edge", "card", 3)
	}
}

// luminance is that of WCAG 2.2, of six hexadecimal digits.
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(colour, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(shift int) float64 {
		v := float64(n>>shift&255) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*part(16) + 0.7152*part(8) + 0.0722*part(0)
}
