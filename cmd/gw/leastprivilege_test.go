package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// wanted are the capabilities of a gateway that runs, as /proc has them.
var wanted = fmt.Sprintf("%016x", 1<<unix.CAP_NET_ADMIN|1<<unix.CAP_NET_RAW|1<<unix.CAP_IPC_LOCK|1<<unix.CAP_BPF|1<<unix.CAP_PERFMON)

// withoutC is a gw that is linked with no C code, as users have it: this program, or one that is built for the tests.
var withoutC = sync.OnceValues(func() (string, error) {
	if _, _, errno := syscall.AllThreadsSyscall(unix.SYS_GETPPID, 0, 0, 0); errno != syscall.ENOTSUP {
		return os.Args[0], nil
	}
	dir, err := os.MkdirTemp("", "gwtest")
	if err != nil {
		return "", err
	}
	forgetBuilt = func() { os.RemoveAll(dir) }
	path := filepath.Join(dir, "gw")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// forgetBuilt removes what withoutC has built, at the end.
var forgetBuilt = func() {}

// prepareWithoutC prepares it, with less privilege where that is not empty.
func prepareWithoutC(t *testing.T, h *lab.Host, less string, args ...string) *vtep {
	t.Helper()
	path, err := withoutC()
	must(t, err)
	g := prepare(t, h, args...)
	switch {
	case less != "":
		g.cmd.Env = append(g.cmd.Env, lessPrivilege+"="+less, another+"="+path)
	default:
		g.cmd.Path = path
	}
	return g
}

// privileges says what is wrong with those of any thread of g.
func privileges(t *testing.T, g *vtep, bounding string) (bad []string) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", g.cmd.Process.Pid))
	must(t, err)
	if len(threads) < 3 {
		t.Errorf("%d threads", len(threads))
	}
	want := map[string]string{"CapPrm": wanted, "CapEff": wanted, "CapInh": "0000000000000000", "CapAmb": "0000000000000000", "CapBnd": bounding, "NoNewPrivs": "1"}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if os.IsNotExist(err) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		must(t, err)
		seen := 0
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
			if w, ok := want[key]; ok {
				if seen++; strings.TrimSpace(value) != w {
					bad = append(bad, fmt.Sprintf("%s: %s %s, want %s", path, key, strings.TrimSpace(value), w))
				}
			}
		}
		if seen != len(want) {
			bad = append(bad, path+" does not tell all:\n"+string(text))
		}
	}
	return bad
}

// TestLeastPrivilege starts with what gw asks for and no more, and with all there is: either way it has the same when it
// runs, and everything that it does later goes on with that.
func TestLeastPrivilege(t *testing.T) {
	t.Parallel()
	var others []int
	for c := range unix.CAP_LAST_CAP + 1 {
		switch c {
		case unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_IPC_LOCK:
		default:
			others = append(others, c)
		}
	}
	for _, tt := range []struct{ name, less string }{
		{"least", "memlock=65536," + join(others...)},
		{"root", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			livesWithLess(t, tt.less)
		})
	}
}

func livesWithLess(t *testing.T, less string) {
	h, _, guest := newTriangle(t)
	before := dump(t, h)
	const vni42 = "underlay: {iface: ens18}\nmetrics: {listen: \"\"}\nvnis:\n  - {vni: 42, group: 224.1.1.1, device: {addresses: [172.17.1.2/24]}}\n"
	file := write(t, vni42)
	begin := func(more ...string) *vtep {
		g := prepareWithoutC(t, h, less, append([]string{"--config", file}, more...)...)
		g.begin()
		g.ready()
		eventually(t, func() string { return strings.Join(privileges(t, g, wanted), "\n") })
		return g
	}
	all := []*vtep{begin()}
	g := all[0]
	pings(t, h, peerAddress)
	for _, verb := range []string{
		"vni add 43 --remote 10.65.132.188 --address 172.17.43.2/24",
		"vni add 44 --group 224.1.1.2 --no-device",
		"port add veth1 --vni 42",
		"remote add 10.65.132.190 --vni 43",
		"fdb add 02:57:a7:1c:00:01 dev gw42 dst 10.65.132.191",
		"vni del 43",
	} {
		output(t, h, strings.Fields(verb)...)
	}
	pings(t, guest, peerAddress)
	must(t, os.WriteFile(file, []byte(vni42+"  - {vni: 45, ports: [veth1], device: {addresses: [172.17.45.2/24]}}\n"), 0o644))
	must(t, g.cmd.Process.Signal(unix.SIGHUP))
	eventually(t, func() string {
		if _, err := h.Link("gw45"); err != nil {
			return err.Error()
		}
		return ""
	})
	next := prepareWithoutC(t, h, less, "--config", file, "--takeover")
	next.begin()
	if status := g.wait(); status != 3 {
		t.Errorf("status %d:\n%s", status, g.log)
	}
	next.ready()
	pings(t, h, peerAddress)
	eventually(t, func() string { return strings.Join(privileges(t, next, wanted), "\n") })
	kill(t, next, before)
	g = begin()
	all = append(all, next, g)
	if g.log.grep("putting back what a killed gateway left") == "" {
		t.Error("the next start does not say that it cleans up")
	}
	pings(t, h, peerAddress)
	for _, g := range all {
		if said := g.log.grep(`"ERROR"`, "cannot", "not permitted", "permission denied", "capabilities"); said != "" {
			t.Errorf("it says %s", said)
		}
	}
	g.stop()
	clean(t, before, h)
}

// TestKeepsFilesOfOthers has root write into a folder of somebody else: it keeps what that takes.
func TestKeepsFilesOfOthers(t *testing.T) {
	t.Parallel()
	_, h, _ := newUnderlay(t)
	before := dump(t, h)
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	must(t, os.Chown(dir, 65534, 65534))
	socket := filepath.Join(dir, "control.sock")
	g := prepareWithoutC(t, h, "", on("--control", socket)...)
	g.begin()
	g.ready()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.cmd.Process.Pid))
	must(t, err)
	if !strings.Contains(string(text), "NoNewPrivs:\t1\n") {
		t.Errorf("nothing was dropped:\n%s", text)
	}
	g.stop()
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	clean(t, before, h)
}
