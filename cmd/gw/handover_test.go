package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/handover"
)

// The tests here keep what a gateway hands over, as systemd does between a stop and a start.

// handOver has g hand over to the test, and returns what it has left when it has ended.
func handOver(t *testing.T, g *vtep) *handover.Bag {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store")
	l, err := handover.Listen(path)
	must(t, err)
	must(t, g.client.HandOver(testContext(t), control.HandOver{Store: path}))
	if status := g.wait(); status != 3 {
		t.Errorf("the gateway that hands over ends with status %d:\n%s", status, g.log)
	}
	bag, err := l.Collect()
	must(t, err)
	t.Cleanup(bag.Close)
	return bag
}

// receive starts gw with what is in a bag, as systemd does. It takes copies.
func receive(t *testing.T, g *vtep, bag *handover.Bag, args ...string) *vtep {
	t.Helper()
	next := prepare(t, g.host, args...)
	var names []string
	pass := func(name string, fd int) {
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		must(t, err)
		f := os.NewFile(uintptr(copied), name)
		next.cmd.ExtraFiles = append(next.cmd.ExtraFiles, f)
		names = append(names, name)
	}
	for _, l := range bag.Links {
		pass(map[bool]string{false: "gw-xdp-native", true: "gw-xdp-generic"}[l.Generic], l.FD)
	}
	for _, fd := range bag.Held {
		pass("gw-held", fd)
	}
	state, err := unix.MemfdCreate("gw-state", unix.MFD_CLOEXEC)
	must(t, err)
	defer unix.Close(state)
	_, err = unix.Write(state, bag.State)
	must(t, err)
	pass("gw-state", state)
	// LISTEN_PID is that of the process, which a shell knows and then becomes gw.
	next.cmd.Path = "/bin/sh"
	next.cmd.Args = append([]string{"/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0]}, args...)
	next.cmd.Env = append(next.cmd.Env, fmt.Sprintf("LISTEN_FDS=%d", len(names)), "LISTEN_FDNAMES="+strings.Join(names, ":"))
	next.begin()
	for _, f := range next.cmd.ExtraFiles {
		must(t, f.Close())
	}
	return next
}

// TestHandOver passes it on by way of the environment.
func TestHandOver(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	pings(t, h, peerAddress)
	output(t, h, "fdb", "add", "02:57:a7:1c:00:01", "dev", "gw42", "dst", "10.65.132.188")
	entries, had := g.entries(), dump(t, h)
	bag := handOver(t, g)
	if len(bag.Links) != 3 || len(bag.Held) != 1 {
		t.Errorf("%d programs and %d memberships are handed over", len(bag.Links), len(bag.Held))
	}
	if said := g.log.grep(amiss...); said != "" {
		t.Errorf("it says %s", said)
	}
	g = receive(t, g, bag, everything()...)
	bag.Close()
	g.ready()
	if bad := keeps(entries, g.entries()); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
	sameButPrograms(t, had, h)
	pings(t, h, peerAddress)
	g.stop()
	clean(t, before, h)
}

// TestHandOverOfNoUse starts as ever with what it cannot read, or what is not for it.
func TestHandOverOfNoUse(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	for _, tt := range []struct {
		name, old, new, why string
	}{
		{"another version", `"version":1`, `"version":2`, "is of version 2, and this one reads version 1"},
		{"another namespace", `"origin":"`, `"origin":"x`, "another network namespace"},
		{"another underlay", `"iface":"ens18"`, `"iface":"ens19"`, "underlay ens19"},
		{"damaged", `"vnis":[42]`, `"vnis":[4`, "state of a gateway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := start(t, h, everything()...)
			bag := handOver(t, g)
			state := bytes.Replace(bag.State, []byte(tt.old), []byte(tt.new), 1)
			if bytes.Equal(state, bag.State) {
				t.Fatalf("no %s in %.300q", tt.old, bag.State)
			}
			bag.State = state
			g = receive(t, g, bag, everything()...)
			bag.Close()
			g.ready()
			if said := g.log.grep("starting without it"); !strings.Contains(said, tt.why) {
				t.Errorf("it says %q:\n%s", said, g.log)
			}
			pings(t, h, peerAddress)
			g.stop()
			clean(t, before, h)
		})
	}
}

// TestHandOverToBadFile has a start that does not get as far as a gateway: it puts back what it was given.
func TestHandOverToBadFile(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	bag := handOver(t, g)
	g = receive(t, g, bag, "--config", write(t, "underlay: {iface: ens18}\nvnis: [{vni: 0}]\n"))
	bag.Close()
	if status := g.wait(); status != 2 {
		t.Errorf("status %d:\n%s", status, g.log)
	}
	clean(t, before, h)
}

// TestHandOverUnheard has whoever was to keep it go away before: all is put back, and said.
func TestHandOverUnheard(t *testing.T) {
	t.Parallel()
	h, _ := newPoint(t)
	before := dump(t, h)
	g := start(t, h, everything()...)
	path := filepath.Join(t.TempDir(), "store")
	l, err := handover.Listen(path)
	must(t, err)
	// Stopped, it acts on the request when nobody listens any more.
	must(t, g.cmd.Process.Signal(unix.SIGSTOP))
	eventually(t, func() string { return running(t, g) })
	asked := make(chan error, 1)
	go func() { asked <- g.client.HandOver(testContext(t), control.HandOver{Store: path}) }()
	must(t, os.Rename(path, path+"2"))
	l.Collect()
	must(t, g.cmd.Process.Signal(unix.SIGCONT))
	if err := <-asked; err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	pings(t, h, peerAddress)
	g.stop()
	clean(t, before, h)
}

// running says which thread of g has not stopped yet; each does when it gets its CPU.
func running(t *testing.T, g *vtep) string {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", g.cmd.Process.Pid))
	must(t, err)
	for _, path := range threads {
		text, err := os.ReadFile(path)
		// The state is behind the name, which is in parentheses (proc_pid_stat(5)).
		if _, state, _ := strings.Cut(string(text), ") "); err == nil && !strings.HasPrefix(state, "T") {
			return fmt.Sprintf("%s: %.40s", path, text)
		}
	}
	return ""
}
