package demo

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is kept works until it is removed.
func TestKeepAndRemove(t *testing.T) {
	gw := build(t)
	name := ownPrefix()
	t.Cleanup(func() { remove(name) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, gw)
	c.Env = append(os.Environ(), childPrefix+"="+name)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	found, err := hold(name + "-")
	defer release(found)
	if err != nil || len(found) != 18 || len(pids(string(out))) != 5 {
		t.Errorf("kept %v %v, gateways %v", found, err, pids(string(out)))
	}
	for _, pid := range pids(string(out)) {
		if !runs(pid) {
			t.Errorf("gw with pid %d was not kept", pid)
		}
	}
	for _, ns := range found {
		if strings.HasSuffix(ns.name, "-node1") && !strings.Contains(string(out), "ip netns exec "+ns.name+" "+gw+" fdb show\n") {
			t.Errorf("it is not said how to look into %s", ns.name)
		}
	}
	removed, err := remove(name)
	if err != nil || len(removed) != 18 {
		t.Errorf("removed %v %v", removed, err)
	}
	nothingLeft(t, name, string(out), found)
}

// Signals and a reader that goes away end the command itself; a killed one is swept.
func TestCommand(t *testing.T) {
	gw := build(t)
	for _, tc := range []struct {
		name string
		end  func(c *exec.Cmd, out *os.File) error
		want string
	}{
		{"interrupt", func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(unix.SIGINT) }, "gw: demo: interrupted, everything is removed\n"},
		{"terminate", func(c *exec.Cmd, _ *os.File) error { return c.Process.Signal(unix.SIGTERM) }, "gw: demo: interrupted, everything is removed\n"},
		{"closed pipe", func(_ *exec.Cmd, out *os.File) error { return out.Close() }, "gw: demo: interrupted, everything is removed\n"},
		{"kill", func(c *exec.Cmd, _ *os.File) error { return c.Process.Kill() }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, in, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer out.Close()
			var stderr bytes.Buffer
			c := exec.Command(gw, "demo")
			c.Stdout, c.Stderr = in, &stderr
			err = c.Start()
			in.Close()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Process.Kill()
			var text []byte
			for !bytes.Contains(text, []byte("# ping")) {
				buf := make([]byte, 4096)
				n, err := out.Read(buf)
				if err != nil {
					t.Fatalf("%v after %s", err, text)
				}
				text = append(text, buf[:n]...)
			}
			name := fmt.Sprintf("%s-%d", prefix, c.Process.Pid)
			found, err := hold(name + "-")
			defer release(found)
			if err != nil || len(found) == 0 {
				t.Errorf("namespaces %v %v", found, err)
			}
			if err := tc.end(c, out); err != nil {
				t.Error(err)
			}
			if err := c.Wait(); err == nil || stderr.String() != tc.want || tc.want != "" && c.ProcessState.ExitCode() != 1 {
				t.Errorf("%v: %q", err, stderr.String())
			}
			if tc.want == "" {
				sweep(t, name, found)
			}
			nothingLeft(t, name, string(text), found)
		})
	}
}

// sweep removes what a killed demo left. The start of another demo may be about it, too: then it is not done when
// Remove returns.
func sweep(t *testing.T, name string, found []namespace) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := Remove(); err != nil {
			t.Error(err)
		}
		if left, err := leftovers(name, found); err != nil || len(left) == 0 {
			return
		}
	}
}
