package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"vxgw/control"
)

// column is where what is said begins.
const column = 13

// printExplanation writes one decision per line. Of packets the bytes of the first one, with all those of all.
func printExplanation(w io.Writer, e *control.Explanation, all bool) {
	fmt.Fprintf(w, "%s%s, %d bytes\n", label("frame"), e.Frame, e.Bytes)
	for _, s := range e.Steps {
		fmt.Fprintf(w, "%s%s\n", label(s.About), s.Text)
	}
	shown := false
	for i := range e.Copies {
		c := &e.Copies[i]
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
	if e.More > 0 {
		fmt.Fprintf(w, "%s%d more like these\n", label(""), e.More)
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
