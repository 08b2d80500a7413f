package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// pages are the README and everything below docs.
func pages(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("../../docs/*.md")
	must(t, err)
	all := map[string]string{}
	for _, path := range append(paths, "../../README.md") {
		text, err := os.ReadFile(path)
		must(t, err)
		all[filepath.Base(path)] = string(text)
	}
	return all
}

// TestDocCommands wants every command line of gw's on the pages to be one that gw understands: its
// command is there, and so are its flags, with values of the right kind.
func TestDocCommands(t *testing.T) {
	found := 0
	for name, text := range pages(t) {
		for _, line := range append(commandLines(text), commandWords(text)...) {
			found++
			if err := understand(line); err != nil {
				t.Errorf("%s: gw %s: %v", name, strings.Join(line, " "), err)
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d commands on all pages", found)
	}
}

// TestDocLinks wants what pages link to within the project to be there, headings too.
func TestDocLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	all := pages(t)
	for name, text := range all {
		dir := "../../docs"
		if name == "README.md" {
			dir = "../.."
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, heading, _ := strings.Cut(m[1], "#")
			target := text
			if path != "" {
				b, err := os.ReadFile(filepath.Join(dir, path))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				target = string(b)
			}
			if heading != "" && !slices.Contains(anchors(target), heading) {
				t.Errorf("%s: %s has no heading for it", name, m[1])
			}
		}
	}
}

// anchors are what links call the headings of a page.
func anchors(page string) (all []string) {
	dropped := regexp.MustCompile("[^a-z0-9 _-]")
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			name := dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			all = append(all, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return all
}

// TestDocCommandsFails wants wrong ones told from right ones.
func TestDocCommandsFails(t *testing.T) {
	for _, line := range []string{"fdb shwo", "--ifcae ens18", "vni add 43 --no-such", "status --wait soon", "nosuch"} {
		if err := understand(strings.Fields(line)); err == nil {
			t.Errorf("gw %s: nothing wrong with it", line)
		}
	}
	page := "    gw status -j   # all\n    ip a; gw fdb show | grep x\ntext gw no\n    curl gw.example\n    sudo gw stats 2>log &\n    gw fdb add MAC [flags]\n"
	if got := commandWords("`gw fdb shwo`, `gw vni del N`, `gw port add eth1 --vni 43 [--tpid 802.1ad]` and `gwen`"); len(got) != 2 || understand(got[0]) == nil || understand(got[1]) != nil {
		t.Errorf("%q", got)
	}
	if got := commandLines(page); len(got) != 3 || strings.Join(got[0], " ") != "status -j" || strings.Join(got[1], " ") != "fdb show" || strings.Join(got[2], " ") != "stats" {
		t.Errorf("%q", got)
	}
}

var (
	gwCommand = regexp.MustCompile(`(?:^|^# |[;&|]\s*|\bsudo |\bexec \S+ |[a-z]\d?# )(?:\./)?gw( |$)`)
	shellEnd  = regexp.MustCompile(`\s(\d?>|<|\||&|;|#)|;|\)|   `) // or what help texts say of an example
)

// commandLines are the arguments of each gw in the indented lines of a page.
func commandLines(page string) (all [][]string) {
	prompts := len(sessions(page)) > 0
	for line := range strings.Lines(page) {
		code, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "    ")
		if !indented {
			continue
		}
		at := gwCommand.FindStringIndex(code)
		if at == nil || strings.HasSuffix(code, "[flags]") || prompts && !prompted.MatchString(line) { // a usage, and what is printed
			continue
		}
		args := code[at[1]:]
		if end := shellEnd.FindStringIndex(args); end != nil {
			args = args[:end[0]]
		}
		all = append(all, shellWords(args))
	}
	return all
}

// mentioned is a command within a page's text, without what may be left out.
var mentioned, optional = regexp.MustCompile("`gw ([^`]+)`"), regexp.MustCompile(` ?\[[^\]]*\]`)

// standIn are words on pages that stand for values.
var standIn = regexp.MustCompile(`\.\.\.|:VLAN| N\b| --out$`)

// commandWords are those.
func commandWords(page string) (all [][]string) {
	for _, m := range mentioned.FindAllStringSubmatch(page, -1) {
		line := optional.ReplaceAllString(m[1], "")
		if end := shellEnd.FindStringIndex(line); end != nil {
			line = line[:end[0]]
		}
		if !standIn.MatchString(line) {
			all = append(all, shellWords(line))
		}
	}
	return all
}

// shellWords splits at blanks that are not quoted.
func shellWords(line string) (all []string) {
	var word strings.Builder
	quote, any := rune(0), false
	for _, r := range line + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, any = r, true
		case quote == 0 && r == ' ':
			if any || word.Len() > 0 {
				all = append(all, word.String())
			}
			word.Reset()
			any = false
		default:
			word.WriteRune(r)
		}
	}
	return all
}

// understand finds the command of a line and reads its flags, without running it.
func understand(args []string) error {
	root := newRoot()
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if c == root {
		if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			return usageError{errNoCommand(rest[0])}
		}
	}
	if err := c.ParseFlags(rest); errors.Is(err, pflag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if c.DisableFlagParsing {
		return nil
	}
	if c.HasSubCommands() && c != root && len(c.Flags().Args()) > 0 {
		return usageError{errNoCommand(c.Flags().Arg(0))}
	}
	if c.Args != nil {
		return c.Args(c, c.Flags().Args())
	}
	return nil
}

type errNoCommand string

func (e errNoCommand) Error() string { return string(e) + " is no command" }

// TestKernelCompat wants every option that this machine's ip and bridge know of on the page.
func TestKernelCompat(t *testing.T) {
	page := pages(t)["kernel-compat.md"]
	option := regexp.MustCompile(`\[?(?:\[no\])?\b([a-z][a-z0-9_]{2,})\b`)
	for _, help := range [][]string{{"ip", "link", "help", "vxlan"}, {"bridge", "link", "help"}, {"bridge", "fdb", "help"}} {
		out, _ := exec.Command(help[0], help[1:]...).CombinedOutput() // help is a failure to them
		usage, _, _ := strings.Cut(string(out), "Where:")
		if !strings.Contains(usage, "Usage:") {
			t.Skipf("no %s here (apt-get install iproute2)", help[0])
		}
		for _, m := range option.FindAllStringSubmatch(usage, -1) {
			switch m[1] {
			case "vxlan", "bridge", "link", "set", "dev", "off", "show", "any", "set_dev", "unset", "inherit", "auto", "vepa", "veb", "fdb", "nobackup_port", "nopermanent", "nostatic", "nodynamic":
				continue // words of the grammar, and values
			}
			if !strings.Contains(page, m[1]) {
				t.Errorf("%s: %s is not on the page", strings.Join(help, " "), m[1])
			}
		}
	}
}

// TestDocMetrics wants every metric that a page speaks of to be on the page of all metrics, which is made from the code.
func TestDocMetrics(t *testing.T) {
	name := regexp.MustCompile("`(gw_[a-z_]+[a-z])")
	all := pages(t)
	list, found := all["metrics.md"], 0
	for page, text := range all {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			found++
			if !strings.Contains(list, "| `"+m[1]+"` |") {
				t.Errorf("%s: there is no metric %s", page, m[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d on all pages", found)
	}
}
