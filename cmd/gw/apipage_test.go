package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"vxgw/control"
	"vxgw/internal/lab"
)

// newCurl skips where there is none; in CI it fails.
func newCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("needs curl")
	}
}

// Every example of docs/api.md does what it is there for, typed as it stands.
func TestAPIPage(t *testing.T) {
	t.Parallel()
	newCurl(t)
	l := newLab(t)
	h, peer, guest := newHost(t, l, "node1"), newHost(t, l, "node2"), newHost(t, l, "guest")
	cable(t, l, h, peer)
	for _, p := range []string{"veth1", "veth2", "veth3"} {
		must(t, l.Veth(h, p, guest, p, lab.VethOptions{MTU: 1450}))
	}
	g := start(t, h, "--config", writeFile(t, `
underlay: {iface: ens18}
metrics: {listen: ""}
vnis: [{vni: 42, ports: [veth2, veth3], remotes: [10.65.132.188], neigh_suppress: true, allow: [remotes, 10.65.133.0/24]}]
`))
	station := net.HardwareAddr{2, 0x57, 0xa7, 0x1c, 0, 1}
	for _, p := range []string{"veth2", "veth3"} { // what history tells of
		must(t, guest.SendFrame(p, named(everyone, station, "here I am")))
		g.awaitFDB(station.String() + " dev " + p + " master gw42")
	}
	output(t, h, "fdb", "history", station.String())
	output(t, h, "fdb", "del", station.String(), "dev", "veth3")

	page, err := os.ReadFile("../../docs/api.md")
	must(t, err)
	commands := regexp.MustCompile(`(?m)^    (curl .*)$`).FindAllStringSubmatch(string(page), -1)
	if want := len(control.Routes()) + 1; len(commands) != want {
		t.Errorf("%d commands, want %d", len(commands), want)
	}
	captured := func() {}
	for _, m := range commands {
		text := strings.Replace(m[1], "/run/gw/ens18.sock", socketOf(t, h, "ens18"), 1)
		text = strings.Replace(text, "curl -s", "curl -sS --fail-with-body", 1)
		if strings.Contains(text, "/capture?") {
			captured = captureBy(t, h, text)
			continue
		}
		if strings.Contains(text, " -N ") {
			monitorBy(t, g, text)
			continue
		}
		out, err := shell(testContext(t), h, text).CombinedOutput()
		if strings.HasSuffix(m[1], "/v1/handover") { // nobody is there to keep it
			if err == nil || !strings.Contains(string(out), "nobody would keep") {
				t.Errorf("%s: %v\n%s", m[1], err, out)
			}
			continue
		}
		if err != nil || !json.Valid(out) {
			t.Errorf("%s: %v\n%s", m[1], err, out)
		}
		if strings.HasSuffix(m[1], "/v1/version") && string(out) != `{"api":"v1","version":"devel"}`+"\n" {
			t.Errorf("version %s", out)
		}
	}
	captured() // since an example stops it
	if out := output(t, h, "vni", "show"); strings.Contains(out, "\n43 ") || !strings.Contains(out, "\n42 ") {
		t.Errorf("the examples leave %s", out)
	}
	g.stop()
}

// captureBy starts a command that captures, and returns what waits for its end and looks at what came.
func captureBy(t *testing.T, h *lab.Host, command string) (wait func()) {
	t.Helper()
	c := shell(testContext(t), h, command)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	in := bufio.NewReader(out)
	magic, err := in.Peek(4) // so it runs
	if err != nil || string(magic) != "\n\r\r\n" {
		t.Errorf("%s: %x, %v: no pcapng", command, magic, err)
	}
	return func() {
		t.Helper()
		_, err := io.Copy(io.Discard, in)
		must(t, err)
		must(t, c.Wait())
	}
}

func shell(ctx context.Context, h *lab.Host, command string) *lab.Cmd {
	return h.Command(ctx, "sh", "-c", "exec "+command)
}

// monitorBy changes something until a command that listens tells of it.
func monitorBy(t *testing.T, g *vtep, command string) {
	t.Helper()
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	c := shell(ctx, g.host, command)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(out).ReadString('\n')
		line <- s
	}()
	eventually(t, func() string {
		output(t, g.host, "fdb", "replace", "02:00:00:00:00:0f", "dev", "gw42", "dst", "10.65.132.188")
		output(t, g.host, "fdb", "del", "02:00:00:00:00:0f", "dev", "gw42")
		output(t, g.host, "fdb", "replace", "02:00:00:00:00:0e", "dev", "gw42", "dst", "10.65.132.188")
		select {
		case s := <-line:
			if !json.Valid([]byte(s)) {
				t.Errorf("monitor tells %q", s)
			}
			return ""
		default:
			output(t, g.host, "fdb", "del", "02:00:00:00:00:0e", "dev", "gw42")
			return command + " tells nothing"
		}
	})
	cancel()
	_ = c.Wait() // it was ended
}

// The socket is for root, gw's own user and the members of its group: by its mode, and where that does not
// keep others out, by what the kernel says of them.
func TestControlGroup(t *testing.T) {
	t.Parallel()
	newCurl(t)
	const group = 47110
	l := newLab(t)
	h, peer := newHost(t, l, "node1"), newHost(t, l, "node2")
	cable(t, l, h, peer)
	stdout, stderr, status := runGW(t, h, on("--control-group", "no-such-group")...)
	if status != 2 || stdout != "" || !strings.Contains(stderr, `control group "no-such-group" is no group of this host`) {
		t.Errorf("exit status %d: %s", status, stderr)
	}
	g := start(t, h, on("--control-group", fmt.Sprint(group))...)
	path := socketOf(t, h, "ens18")
	info, err := os.Stat(path)
	must(t, err)
	if s := info.Sys().(*syscall.Stat_t); s.Gid != group || info.Mode() != fs.ModeSocket|0o660 {
		t.Errorf("the socket is of group %d, mode %v", s.Gid, info.Mode())
	}
	ask := func(uid, gid uint32, more ...uint32) string {
		t.Helper()
		c := h.Command(testContext(t), "curl", "-sS", "--unix-socket", path, "http://gw/v1/version")
		c.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: gid, Groups: more}
		out, _ := c.CombinedOutput() // what it says tells
		return string(out)
	}
	const version = `"api":"v1"`
	const nobody = 65534
	for _, r := range []struct {
		who  string
		out  string
		want string
	}{
		{"root", ask(0, 0), version},
		{"its group", ask(nobody, group), version},
		{"a member", ask(nobody, nobody, 1, 2, group), version},
		{"nobody", ask(nobody, nobody, 1, 2), "ailed to connect"},
	} {
		if !strings.Contains(r.out, r.want) {
			t.Errorf("%s: %s", r.who, r.out)
		}
	}
	must(t, os.Chmod(path, 0o666))
	if out := ask(nobody, nobody, 1, 2); !strings.Contains(out, "user 65534 may not: neither root nor in group 47110") {
		t.Errorf("nobody: %s", out)
	}
	if out := ask(nobody, nobody, 1, 2, group); !strings.Contains(out, version) {
		t.Errorf("a member: %s", out)
	}
	g.stop()
}
