package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocSessions runs the commands of pages on a lab, in the order of the page, as somebody would who reads it:
//
//	before       sets the stage, beside the two nodes of docs/quickstart.md, and may start gw
//	a file       gw is started with it, in the place of what ran before, and gets ready
//	a command    ends with status 0, and prints the lines that stand below it; one that starts gw gets ready
func TestDocSessions(t *testing.T) {
	t.Parallel()
	newLab(t) // root, or this is skipped
	all := []docSession{
		{page: "README.md", before: container(1, 2, 3), first: map[string][]string{
			"gw fdb append 00:00:00:00:00:00 dev gw42 dst 10.65.132.189":    {"gw port add veth1 --vni 42"},
			"gw fdb get ba:d8:43:67:8d:fb dev gw42":                         {"gw fdb add ba:d8:43:67:8d:fb dev gw42 dst 10.65.132.188"},
			"gw vni add 43 --remote 10.65.132.188 --address 172.17.43.2/24": {"gw port del veth1"},
		}, skip: map[string]string{
			"gw explain --port veth1 --flow SRC": "SRC and DST stand for addresses",
			"gw stats --watch":                   "has no end",
			"gw fdb monitor":                     "has no end",
			"gw fdb history 02:00:00:00:07:77":   "nothing has moved: docs/moves.md",
			"gw reload":                          "wants a file: reloadverb_test.go",
			"gw --config /etc/gw/gw.yaml":        "is in place when the file below it is taken",
			"ip -n container1 route add default": "is about containers with other addresses",
			"ip route add 172.17.0.0/16":         "is about other hosts",
			"gw lab":                             "lab_test.go has it",
			"curl":                               "metrics_test.go has it",
			"make":                               "is how this runs",
			"systemctl":                          "deploy has a trial of it",
		}},
		{page: "fdb.md", before: []string{"gw --iface ens18 --vni 42 --remote 10.65.132.188"}},
		{page: "flooding.md", before: container(1, 2, 3)},
		{page: "allow.md"},
		{page: "vlan.md", before: append(container(1, 2), "ip -n node1 link add eth1 type veth peer name trunk", "ip -n node1 link set eth1 up", "ip -n node1 link set trunk up"),
			started: []string{"gw fdb add 02:57:a7:1c:00:01 dev eth1 vlan 100 master dynamic"}},
		{page: "suppression.md"},
		{page: "moves.md", before: append(container(1, 2), "ip -n container1 link set eth0 address 02:00:00:00:07:77", "ip -n container2 link set eth0 address 02:00:00:00:07:77"),
			started: []string{"gw port add veth1 --vni 42", "gw port add veth2 --vni 42",
				"ip netns exec container1 ping -c 1 -W 1 172.17.1.99; true", "ip netns exec container2 ping -c 1 -W 1 172.17.1.99; true",
				"until gw fdb history 02:00:00:00:07:77; do sleep 0.1; done"}},
		{page: "mtu.md", before: container(1)},
		{page: "ipv6.md", before: []string{"ip -n node1 address add 2001:db8::1/64 dev ens18 nodad", "ip -n node1 address add fe80::1/64 dev ens18 nodad"}},
		{page: "tunnel.md"},
	}
	for name, text := range pages(t) {
		if len(commandLines(text)) > 0 && runElsewhere[name] == "" && !slices.ContainsFunc(all, func(p docSession) bool { return p.page == name }) {
			t.Errorf("nobody runs the commands of %s", name)
		}
	}
	for _, p := range all {
		t.Run(p.page, p.run)
	}
}

// runElsewhere are pages whose commands are parsed here (TestDocCommands), and run by other tests.
var runElsewhere = map[string]string{
	"quickstart.md":      "TestQuickstart",
	"troubleshooting.md": "TestTroubleshooting",
	"doctor.md":          "doctor_test.go, in machines with faults",
	"explain.md":         "explain_test.go, with frames of its own",
	"capture.md":         "capture_test.go: a capture has no end",
	"logging.md":         "log_test.go of gateway",
	"monitoring.md":      "deploy/prometheus_test.go",
	"metrics.md":         "metrics_test.go",
	"page.md":            "page_test.go",
	"api.md":             "control/page_test.go",
	"kernel-compat.md":   "the kernel's commands, in the tests that compare with it",
	"operations.md":      "deploy",
	"performance.md":     "bench",
	"reference.md":       "made from the help texts, whose examples stand on the other pages",
}

// docSession is a page and what it takes to run its commands.
type docSession struct {
	page            string
	before, started []string            // typed before the page, and after its file is taken
	first           map[string][]string // typed before a command
	skip            map[string]string   // commands, or how they begin, that are not run, and why
}

// container are the commands that give containers to node 1.
func container(numbers ...int) (all []string) {
	for _, i := range numbers {
		all = append(all, fmt.Sprintf("ip netns add container%d", i),
			fmt.Sprintf("ip link add veth%d netns node1 type veth peer name eth0 netns container%d", i, i),
			fmt.Sprintf("ip -n node1 link set veth%d mtu 1450 up", i), fmt.Sprintf("ip -n container%d link set eth0 mtu 1450 up", i),
			fmt.Sprintf("ip -n container%d address add 172.17.1.%d/24 dev eth0", i, 3+i))
	}
	return all
}

func (p *docSession) run(t *testing.T) {
	t.Parallel()
	r, skipped := newReader(t), map[string]bool{}
	for _, line := range p.before {
		r.follow(t, step{command: line})
	}
	for _, block := range blocks(pages(t)[p.page]) {
		if file := configBlocks(indent(block)); len(file) == 1 {
			r.take(t, wholeFile(file[0]))
			for _, line := range p.started {
				r.follow(t, step{command: line})
			}
			continue
		}
		for _, s := range stepsOf(block) {
			if begins := p.skips(s.command); begins != "" {
				skipped[begins] = true
				continue
			}
			for _, line := range p.first[s.command] {
				r.follow(t, step{command: line})
			}
			r.follow(t, s)
		}
	}
	r.stop(t)
	if r.ran == 0 || len(skipped) != len(p.skip) {
		t.Errorf("%d commands run; of those that are not to be, the page has %v", r.ran, skipped)
	}
}

// skips returns what a command that is not run begins with, or "".
func (p *docSession) skips(command string) string {
	for begins := range p.skip {
		if strings.HasPrefix(command, begins) {
			return begins
		}
	}
	return ""
}

// reader is somebody at node 1 who types what stands on a page.
type reader struct {
	host, node *typist
	dir        string
	runs       bool // gw does
	ran        int
}

// newReader builds the two nodes of docs/quickstart.md.
func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{dir: t.TempDir()}
	must(t, os.Symlink(os.Args[0], filepath.Join(r.dir, "gw")))
	r.host = newTypist(t, r.dir, "")
	for _, line := range []string{"mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns", "ip netns add node1", "ip netns add node2",
		"ip link add ens18 netns node1 type veth peer name ens18 netns node2",
		"ip -n node1 address add 10.65.132.187/24 dev ens18", "ip -n node2 address add 10.65.132.188/24 dev ens18",
		"ip -n node1 link set lo up", "ip -n node1 link set ens18 up", "ip -n node2 link set ens18 up"} {
		r.succeed(t, r.host, line)
	}
	r.node = r.host.inside(t, r.dir, "node1")
	return r
}

// succeed types a line that has to end with status 0.
func (r *reader) succeed(t *testing.T, s *typist, line string) string {
	t.Helper()
	printed := s.enter(t, line+"\necho status $?")
	before, ok := strings.CutSuffix(printed, "status 0\n")
	if !ok {
		t.Fatalf("%s\nprinted\n%s", line, printed)
	}
	return before
}

// follow types a command of a page, and wants its lines printed.
func (r *reader) follow(t *testing.T, s step) {
	t.Helper()
	r.ran++
	if strings.HasPrefix(s.command, "gw --") {
		r.stop(t)
		r.launch(t, s.command)
		return
	}
	shell := r.node
	if strings.HasPrefix(s.command, "ip -n ") || strings.HasPrefix(s.command, "ip netns ") || strings.HasPrefix(s.command, "ip link add veth") {
		shell = r.host
	}
	printed := r.succeed(t, shell, s.command)
	if missing := lacks(printed, s.prints); missing != "" {
		t.Fatalf("%s\nprinted\n%s\nwhich lacks\n%s", s.command, printed, missing)
	}
}

// take has gw work by a configuration.
func (r *reader) take(t *testing.T, file string) {
	t.Helper()
	r.ran++
	path := filepath.Join(r.dir, "gw.yaml")
	must(t, os.WriteFile(path, []byte(file), 0o644))
	if r.runs {
		r.stop(t)
	}
	r.launch(t, "gw --config "+path)
}

// launch starts gw, and waits for it.
func (r *reader) launch(t *testing.T, line string) {
	t.Helper()
	r.node.enter(t, line+" 2>gw.log &")
	r.runs = true
	r.succeed(t, r.node, "gw status --wait 15s >/dev/null || { cat gw.log; false; }")
}

// stop ends gw, which has to be content.
func (r *reader) stop(t *testing.T) {
	t.Helper()
	if r.runs {
		r.succeed(t, r.node, "kill %gw; wait %gw")
	}
	r.runs = false
}

// blocks are the indented parts of a page up to the next empty line, without the indentation.
func blocks(page string) (all []string) {
	var block strings.Builder
	for line := range strings.Lines(page + "\nend") {
		if code, indented := strings.CutPrefix(line, "    "); indented {
			block.WriteString(code)
		} else if block.Len() > 0 {
			all = append(all, block.String())
			block.Reset()
		}
	}
	return all
}

func indent(block string) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(block, "    $1")
}

// typed begins a line that is a command.
var typed = regexp.MustCompile(`^(gw|ip|bridge|ethtool|sysctl|curl|kill|systemctl|make) `)

// stepsOf are the commands of a block, with what they print: the lines below.
func stepsOf(block string) (all []step) {
	for line := range strings.Lines(block) {
		line = strings.TrimRight(line, "\n")
		switch {
		case typed.MatchString(line):
			if end := shellEnd.FindStringIndex(line); end != nil {
				line = line[:end[0]]
			}
			all = append(all, step{command: line})
		case line != "" && len(all) > 0:
			all[len(all)-1].prints = append(all[len(all)-1].prints, line)
		}
	}
	return all
}
