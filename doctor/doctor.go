// Package doctor says what of a machine is in a gateway's way, before there is one or while it runs:
//
//	facts      what is there, asked of the kernel; changes nothing     look*.go
//	checks     what that means for a gateway, each a function of facts  one file per group
//	report     findings in the order of the list, and what nobody could see
//
// A check has an id that stays, and is described in docs/doctor.md, which is made of the list. Facts are asked in the network
// namespace of the calling thread, and nothing here waits longer than some hundred milliseconds for an answer.
package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"vxgw/config"
	"vxgw/control"
	"vxgw/netdev"
)

// Options say what the gateway is, or would be.
type Options struct {
	// Config is what it would be started with. Its underlay may be unnamed, its VNIs may be none: what they decide is not
	// looked at then. It passed Validate apart from that.
	Config *config.Config
	// Running is the status of the gateway that runs on that underlay, nil if none answers.
	Running *control.Status
	// Probe allows what disturbs: an XDP program that passes everything is attached natively, and a socket bound.
	Probe bool
	// Paths are the files of the gateway on the underlay.
	Paths netdev.Paths

	extra time.Duration // to take longer than budget and patience, on a machine that others load
}

// Level is how bad a finding is.
type Level int

const (
	OK Level = iota
	Warning
	Error
)

var levelNames = []string{OK: "ok", Warning: "warning", Error: "error"}

// String returns the word for it.
func (l Level) String() string { return levelNames[l] }

// MarshalText writes the word for it.
func (l Level) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the word for it.
func (l *Level) UnmarshalText(text []byte) error {
	i := slices.Index(levelNames, string(text))
	if i < 0 {
		return fmt.Errorf("level %q: must be ok, warning or error", text)
	}
	*l = Level(i)
	return nil
}

// Finding is what a check has to say of a subject.
type Finding struct {
	ID      string `json:"id"`
	Group   string `json:"group"`
	Level   Level  `json:"level"`
	Subject string `json:"subject,omitempty"` // an interface, where it is about one
	Text    string `json:"text"`              // one sentence
	Cure    string `json:"cure,omitempty"`    // a command, or what else helps; for warnings and errors
}

// Unseen is what a check could not look at.
type Unseen struct {
	ID      string `json:"id"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	Cure    string `json:"cure,omitempty"` // what would show it
}

// Report is what there is to say.
type Report struct {
	Findings []Finding `json:"findings"`
	Unseen   []Unseen  `json:"unseen"`
}

// Worst is the worst level of all findings. What could not be seen is none.
func (r *Report) Worst() Level {
	worst := OK
	for _, f := range r.Findings {
		worst = max(worst, f.Level)
	}
	return worst
}

// Examine asks for all facts, and judges them.
func Examine(o Options) Report { return judge(look(o)) }

// judge has all checks look at facts.
func judge(f *facts) Report {
	r := Report{Findings: []Finding{}, Unseen: []Unseen{}}
	for i := range checks {
		checks[i].look(f, &notes{check: &checks[i], report: &r})
	}
	return r
}

// Check is one of the list.
type Check struct {
	ID    string // GROUP.WORD
	About string // what is looked at, and what it is good for
	Cure  string // what helps, in general
	From  string // where that is from
	look  func(*facts, *notes)
}

// Group is the first part of the id.
func (c *Check) Group() string {
	group, _, _ := strings.Cut(c.ID, ".")
	return group
}

// Checks lists all, in the order in which they are made.
func Checks() []Check { return slices.Clone(checks) }

// notes is where a check writes its findings.
type notes struct {
	check   *Check
	report  *Report
	subject string
}

// of is n for findings about a subject.
func (n *notes) of(subject string) *notes { return &notes{n.check, n.report, subject} }

func (n *notes) add(l Level, cure, format string, args ...any) {
	if typed := word(n.subject); typed != n.subject {
		cure = strings.ReplaceAll(cure, n.subject, typed)
	}
	n.report.Findings = append(n.report.Findings, Finding{
		ID: n.check.ID, Group: n.check.Group(), Level: l, Subject: n.subject, Text: fmt.Sprintf(format, args...), Cure: cure,
	})
}

func (n *notes) ok(format string, args ...any)         { n.add(OK, "", format, args...) }
func (n *notes) warn(cure, format string, args ...any) { n.add(Warning, cure, format, args...) }
func (n *notes) fail(cure, format string, args ...any) { n.add(Error, cure, format, args...) }

func (n *notes) unseen(cure, format string, args ...any) {
	n.report.Unseen = append(n.report.Unseen, Unseen{ID: n.check.ID, Subject: n.subject, Text: fmt.Sprintf(format, args...), Cure: cure})
}

// apart takes the cure, in brackets, off the end of an error or a problem.
func apart(problem string) (text, cure string) {
	depth := 0
	for i := len(problem) - 1; i > 0 && problem[len(problem)-1] == ')'; i-- {
		switch problem[i] {
		case ')':
			depth++
		case '(':
			if depth--; depth == 0 {
				return strings.TrimSpace(problem[:i]), problem[i+1 : len(problem)-1]
			}
		}
	}
	return problem, ""
}

// word is a name as a shell takes it. What a container calls its end of a cable is typed by root.
func word(name string) string {
	plain := func(c rune) bool {
		return strings.ContainsRune("_-.:@%+/", c) || c < 0x80 && (unicode.IsLetter(c) || unicode.IsDigit(c))
	}
	if !strings.ContainsFunc(name, func(c rune) bool { return !plain(c) }) {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}

// fact is something that was asked for, or why there is no answer.
type fact[T any] struct {
	value T
	err   error
}

func known[T any](value T, err error) fact[T] { return fact[T]{value, err} }

// errNone is why there is no answer where there is nothing to ask, and so nothing to say.
var errNone = errors.New("there is none")

// seen returns a fact if it is known, and notes if what was not seen of it.
func seen[T any](n *notes, f fact[T], what string) (T, bool) {
	switch {
	case f.err == nil, errors.Is(f.err, errNone):
	case errors.Is(f.err, fs.ErrPermission), errors.Is(f.err, unix.EPERM):
		n.unseen("run it as root", "%s: %v", what, f.err)
	default:
		n.unseen("", "%s: %v", what, f.err)
	}
	return f.value, f.err == nil
}
