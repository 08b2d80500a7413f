package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestQuickstart types docs/quickstart.md, each line into the shell that its prompt names, and
// wants what is printed there.
func TestQuickstart(t *testing.T) {
	t.Parallel()
	newLab(t) // root, or this is skipped
	page, err := os.ReadFile("../../docs/quickstart.md")
	must(t, err)
	dir := t.TempDir()
	must(t, os.Symlink(os.Args[0], filepath.Join(dir, "gw")))
	shells := map[string]*typist{"host": newTypist(t, dir, "")}
	// ip netns wants its folder, which need not be there; and nobody else is to see what is in it.
	shells["host"].enter(t, "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns")
	steps := sessions(string(page))
	if len(steps) < 50 {
		t.Fatalf("only %d commands on the page", len(steps))
	}
	for _, s := range steps {
		if shells[s.where] == nil {
			shells[s.where] = shells["host"].inside(t, dir, s.where)
		}
		shells[s.where].step(t, s)
	}
}

// step types a command and wants what it prints. Nobody types as fast as this test, on a machine as busy: what becomes
// true by itself is looked for again.
func (s *typist) step(t *testing.T, step step) {
	t.Helper()
	_, look, found := strings.Cut(step.command, "kill %1; ") // of what tcpdump has written
	switch {
	case found && look != "wait":
		s.see(t, step, look)
	case step.command == "sleep 1": // tcpdump listens
		eventually(t, func() string {
			if printed := s.enter(t, "cat /proc/net/packet"); !listens.MatchString(printed) {
				return "tcpdump does not listen: " + printed
			}
			return ""
		})
	}
	command := strings.Replace(step.command, "--wait 5s", "--wait "+(patience/2).String(), 1)
	if looks.MatchString(command) {
		s.see(t, step, command)
		return
	}
	if printed := s.enter(t, command); lacks(printed, step.prints) != "" {
		t.Fatalf("%s# %s\nprinted\n%s\nwhich lacks\n%s", step.where, command, printed, lacks(printed, step.prints))
	}
}

// see types a command until it prints what a step wants.
func (s *typist) see(t *testing.T, step step, command string) {
	t.Helper()
	eventually(t, func() string {
		if printed := s.enter(t, command); lacks(printed, step.prints) != "" {
			return fmt.Sprintf("%s# %s\nprinted\n%s\nwhich lacks\n%s", step.where, command, printed, lacks(printed, step.prints))
		}
		return ""
	})
}

var (
	// looks are commands that may be typed twice.
	looks = regexp.MustCompile(`^(gw (status|fdb show|stats)|ip (-brief address|route|maddress))\b`)
	// listens is a line of /proc/net/packet whose socket is bound to an interface, and runs.
	listens = regexp.MustCompile(`(?m)^[0-9a-f]+ +\d+ +\d+ +[0-9a-f]+ +[1-9]\d* +1 `)
)

// step is a command of the page, and what it prints: these lines in this order, with
// others before, after and in between.
type step struct {
	where, command string
	prints         []string
}

// prompted is a line that somebody types.
var prompted = regexp.MustCompile(`^    ([a-z]+\d?)# (.*)$`)

// sessions are the steps of a page.
func sessions(page string) (all []step) {
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		if m := prompted.FindStringSubmatch(line); m != nil {
			all = append(all, step{where: m[1], command: m[2]})
		} else if printed, ok := strings.CutPrefix(line, "    "); ok && len(all) > 0 {
			all[len(all)-1].prints = append(all[len(all)-1].prints, printed)
		}
	}
	return all
}

// lacks returns the first line that is not among the printed ones, behind the lines before it.
func lacks(printed string, want []string) string {
	for line := range strings.Lines(printed) {
		if len(want) > 0 && shape(line) == shape(want[0]) {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		return want[0]
	}
	return ""
}

// What differs from one time to the next: hardware addresses and those made of them, ports, times and counts.
var (
	macs     = regexp.MustCompile(`\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`)
	linkAddr = regexp.MustCompile(`\bfe80::[0-9a-f:]+`)
	senders  = regexp.MustCompile(`(IP 10\.65\.132\.18\d)\.\d+ >`)
	measured = regexp.MustCompile(`\d+:\d+:\d+\.\d+|time[= ][\d.]+ ?ms|\bid \d+`)
	fdbCount = regexp.MustCompile(`^(42 gw42 .*) \d+$`) // the far end may have said something by then
	spaces   = regexp.MustCompile(`\s+`)
	counters = regexp.MustCompile(`^(10\.65\.132\.188|(?:ens18|gw42\S*|veth1) (?:-|42|underlay \S+|device gw42 of vni 42|port of vni 42)(?: up native copy 1 \d+)?)( \d+)+$`)
)

// shape is a line without that.
func shape(line string) string {
	line = macs.ReplaceAllStringFunc(line, func(m string) string {
		if m == "00:00:00:00:00:00" {
			return m
		}
		return "MAC"
	})
	line = linkAddr.ReplaceAllString(line, "fe80::")
	line = senders.ReplaceAllString(line, "$1.PORT >")
	line = measured.ReplaceAllString(line, "TIME")
	line = strings.TrimSpace(spaces.ReplaceAllString(line, " "))
	return counters.ReplaceAllString(fdbCount.ReplaceAllString(line, "$1 ENTRIES"), "$1 COUNTS")
}

// typist is a shell that is typed into.
type typist struct {
	in  io.Writer
	out *bufio.Reader
	pid int
}

// newTypist starts a shell with a network and mounts of its own, or one that is entered by a command.
func newTypist(t *testing.T, dir, enter string, args ...string) *typist {
	t.Helper()
	c := exec.Command("bash", "--norc", "--noprofile")
	if enter != "" {
		c = exec.Command(enter, append(args, "bash", "--norc", "--noprofile")...)
	} else {
		c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	}
	c.Dir = t.TempDir() // for the files that are written
	c.Env = append(os.Environ(), actAsGW+"=1", "PATH="+dir+":"+os.Getenv("PATH"))
	in, err := c.StdinPipe()
	must(t, err)
	read, write, err := os.Pipe()
	must(t, err)
	c.Stdout, c.Stderr = write, write
	must(t, c.Start())
	must(t, write.Close())
	t.Cleanup(func() {
		_, _ = fmt.Fprintln(in, "kill $(jobs -p) 2>/dev/null; wait; exit 0")
		must(t, in.Close())
		must(t, c.Wait())
		must(t, read.Close())
	})
	return &typist{in: in, out: bufio.NewReader(read), pid: c.Process.Pid}
}

// inside starts a shell in a namespace that was made in this one.
func (s *typist) inside(t *testing.T, dir, namespace string) *typist {
	t.Helper()
	return newTypist(t, dir, "nsenter", fmt.Sprintf("--target=%d", s.pid), "--mount", "--net", "ip", "netns", "exec", namespace)
}

// enter types a command, and returns what was printed until it was done.
func (s *typist) enter(t *testing.T, command string) string {
	t.Helper()
	const done = "\x04done"
	_, err := fmt.Fprintf(s.in, "%s\nprintf '%%b\\n' '\\0004done'\n", command)
	must(t, err)
	printed := make(chan string, 1)
	go func() {
		var all strings.Builder
		for {
			line, err := s.out.ReadString('\n')
			if before, found := strings.CutSuffix(strings.TrimRight(line, "\n"), done); found || err != nil {
				all.WriteString(before)
				printed <- all.String()
				return
			}
			all.WriteString(line)
		}
	}()
	select {
	case text := <-printed:
		return text
	case <-time.After(patience):
		t.Fatalf("%s: nothing for %v", command, patience)
	}
	return ""
}
