package demo

import (
	"fmt"
	"io"
	"strings"
)

// width is that of the screen in columns; longer text is wrapped.
const width = 98

// Escape sequences of ECMA-48 (SGR), which every terminal knows.
const (
	bold  = "\x1b[1m"
	red   = "\x1b[31m"
	green = "\x1b[32m"
	plain = "\x1b[0m"
)

// screen is what the demo writes on. Errors of writing are left to the signal that comes with a closed pipe or terminal.
type screen struct {
	w      io.Writer
	colour bool
}

// title starts a scenario.
func (s *screen) title(text string) {
	fmt.Fprintf(s.w, "\n%s\n%s\n", s.paint(bold, text), strings.Repeat("=", len(text)))
}

// section starts a part of a scenario.
func (s *screen) section(text string) { fmt.Fprintf(s.w, "\n%s\n", s.paint(bold, text)) }

// line prints one line, indented.
func (s *screen) line(format string, args ...any) { fmt.Fprintf(s.w, "  "+format+"\n", args...) }

// wrapped prints label in colour and text; what does not fit goes on below the text.
func (s *screen) wrapped(colour, label, text string) {
	room, used := width-2-len(label), 0
	var b strings.Builder
	for _, word := range strings.Fields(text) {
		switch {
		case used == 0:
		case used+1+len(word) > room:
			b.WriteString("\n  " + strings.Repeat(" ", len(label)))
			used = 0
		default:
			b.WriteByte(' ')
			used++
		}
		b.WriteString(word)
		used += len(word)
	}
	s.line("%s%s", s.paint(colour, label), b.String())
}

// result prints how a check ended.
func (s *screen) result(c check) {
	if c.err == nil {
		s.wrapped(green, "ok      ", c.what)
		return
	}
	s.wrapped(red, "FAILED  ", fmt.Sprintf("%s: %v", c.what, c.err))
}

func (s *screen) paint(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return colour + text + plain
}
