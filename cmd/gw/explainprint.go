package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"vxgw/control"
)

// column is where what is said begins.
const column = 13

// printExplanation writes one decision per line. Of the packets, and of many copies with the same end, it shows the first ones; all of them
// with all.
func printExplanation(w io.Writer, e *control.Explanation, all bool) {
	fmt.Fprintf(w, "%s%s, %d bytes\n", label("frame"), e.Frame, e.Bytes)
	for _, s := range e.Steps {
		fmt.Fprintf(w, "%s%s\n", label(s.About), s.Text)
	}
	shown, ends, left := false, map[string]int{}, 0
	for i := range e.Copies {
		c := &e.Copies[i]
		if ends[c.Verdict]++; ends[c.Verdict] > mostAlike && !all {
			left++
			continue
		}
		fmt.Fprintf(w, "%s%s: %s\n", label("to"), c.To, c.Way)
		if len(e.Copies) > 1 {
			fmt.Fprintf(w, "%s%s: %s\n", label(""), c.Verdict, c.Sentence)
		}
		if c.Cure != "" && c.Cure != e.Cure {
			fmt.Fprintf(w, "%scure: %s\n", label(""), c.Cure)
		}
		if c.Sent == nil || !c.Remote && !all || shown && !all {
			continue
		}
		shown = shown || c.Remote
		printSent(w, c.Sent)
	}
	if left > 0 {
		fmt.Fprintf(w, "%s%d more of these: %s (-x shows each)\n", label("to"), left, moreWords(ends))
	}
	if e.More > 0 {
		fmt.Fprintf(w, "%s%d more, which were not tried\n", label("to"), e.More)
	}
	if e.Answer != nil {
		fmt.Fprintf(w, "%s%s\n", label("answer"), e.Answer.Words)
		printBytes(w, e.Answer.Bytes)
	}
	fmt.Fprintf(w, "%s%s: %s\n", label("verdict"), e.Verdict, e.Sentence)
	if e.Cure != "" {
		fmt.Fprintf(w, "%s%s\n", label("cure"), e.Cure)
	}
}

// mostAlike is how many copies with one verdict are shown.
const mostAlike = 8

// moreWords says how many copies with each verdict are not shown.
func moreWords(ends map[string]int) string {
	var text []string
	for _, verdict := range slices.Sorted(maps.Keys(ends)) {
		if n := ends[verdict] - mostAlike; n > 0 {
			text = append(text, fmt.Sprintf("%s %d", verdict, n))
		}
	}
	return strings.Join(text, ", ")
}

func label(about string) string { return fmt.Sprintf("%-*s", column, about) }

// printSent writes what would leave: outer headers in words, then all bytes.
func printSent(w io.Writer, s *control.ExplainSent) {
	if len(s.Fields) > 0 {
		var text []string
		for _, f := range s.Fields {
			text = append(text, f.Name+"="+f.Value)
		}
		by := "leaves by " + s.Dev
		if s.Kernel {
			by = "handed to the kernel, from the IP header on"
		}
		fmt.Fprintf(w, "%s%s: %s\n", label("outer"), by, strings.Join(text, " "))
	}
	printBytes(w, s.Bytes)
}

// printBytes writes bytes as hexdump(1) does: of lines that are the same but for their place the first.
func printBytes(w io.Writer, text string) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		return // no gateway of this version says that
	}
	before, starred := "", false
	for line := range strings.Lines(hex.Dump(raw)) {
		_, is, _ := strings.Cut(line, " ")
		if is != before {
			fmt.Fprintf(w, "%s%s", label(""), line)
		} else if !starred {
			fmt.Fprintf(w, "%s*\n", label(""))
		}
		before, starred = is, is == before
	}
	if starred {
		fmt.Fprintf(w, "%s%08x\n", label(""), len(raw))
	}
}
