package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childMode makes this test binary the program that a test runs in a host.
const childMode = "VXGW_LAB_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childMode) {
	case "":
		os.Exit(m.Run())
	case "namespace":
		ns, _ := os.Readlink("/proc/self/ns/net")
		fmt.Print(ns)
	case "wait":
		fmt.Println("ready")
		time.Sleep(time.Hour) // the runtime ends a program that waits for nothing
	case "stubborn":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		time.Sleep(time.Hour)
	default:
		leak(os.Getenv(childMode))
	}
}

// leak makes a lab with a program in it, says its name and waits to be killed.
func leak(prefix string) {
	l, err := New(prefix)
	if err != nil {
		panic(err)
	}
	a, err := l.Host("a")
	if err != nil {
		panic(err)
	}
	c := child(context.Background(), a, "wait")
	if err := c.Start(); err != nil {
		panic(err)
	}
	fmt.Println(l.Name(), c.Process.Pid)
	time.Sleep(time.Hour)
	runtime.KeepAlive(l) // its claim is a file, which the garbage collector would close
}

func child(ctx context.Context, h *Host, mode string) *Cmd {
	c := h.Command(ctx, os.Args[0])
	c.Env = append(os.Environ(), childMode+"="+mode)
	return c
}

// startReady starts a child and waits until it says something, which it returns.
func startReady(t *testing.T, ctx context.Context, h *Host, mode string) (*Cmd, string) {
	t.Helper()
	c := child(ctx, h, mode)
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close() })
	c.Stdout = w
	must(t, c.Start())
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return c, strings.TrimSpace(line)
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestCommandRunsInside(t *testing.T) {
	_, a, b := pair(t)
	seen := map[string]string{}
	for _, h := range []*Host{a, b} {
		out, err := child(testContext(t), h, "namespace").Output()
		must(t, err)
		var want string
		must(t, h.Do(func() (err error) {
			want, err = os.Readlink("/proc/thread-self/ns/net")
			return err
		}))
		if string(out) != want || seen[want] != "" {
			t.Errorf("%s ran in %s, want %s", h.Name(), out, want)
		}
		seen[want] = h.Name()
	}
	if err := a.Command(testContext(t), "/no/such/program").Run(); err == nil {
		t.Error("ran nothing")
	}
}

func TestContextStopsCommand(t *testing.T) {
	_, a, _ := pair(t)
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := startReady(t, ctx, a, "wait")
	cancel()
	if err := c.Wait(); err == nil {
		t.Error("stopped without an error")
	}
	if alive(c.Process.Pid) {
		t.Error("still alive")
	}
}

func TestCloseStopsCommands(t *testing.T) {
	for _, mode := range []string{"wait", "stubborn"} {
		t.Run(mode, func(t *testing.T) {
			l, a, _ := pair(t)
			c, _ := startReady(t, t.Context(), a, mode)
			waited := make(chan error)
			go func() { waited <- c.Wait() }()
			must(t, l.Close())
			if alive(c.Process.Pid) {
				t.Error("still alive")
			}
			if err := <-waited; err == nil {
				t.Error("stopped without an error")
			}
			if err := child(t.Context(), a, "wait").Start(); err == nil {
				t.Error("started in a closed lab")
			}
		})
	}
}

func TestSweep(t *testing.T) {
	living := newLab(t)
	outside := newTestHost(t, living, "living")
	prefix := fmt.Sprintf("gwleak%d", os.Getpid()) // another run beside this one may sweep too
	c, line := startReady(t, t.Context(), outside, prefix)
	var name string
	var pid int
	if _, err := fmt.Sscan(line, &name, &pid); err != nil {
		t.Fatalf("child said %q: %v", line, err)
	}
	if swept, err := Sweep(prefix); err != nil || len(swept) != 0 {
		t.Fatalf("a living lab was swept: %v, %v", swept, err)
	}
	must(t, c.Process.Kill())
	_ = c.Wait()
	if !alive(pid) {
		t.Fatal("the orphan is gone already: nothing to try")
	}
	swept, err := Sweep(prefix)
	must(t, err)
	if len(swept) != 1 || swept[0] != name {
		t.Errorf("swept %v, want %s", swept, name)
	}
	if state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && !strings.Contains(string(state), ") Z ") {
		t.Errorf("the orphan lives: %s", state)
	}
	for _, dir := range []string{netnsDir, claimDir} {
		if left, err := filepath.Glob(filepath.Join(dir, name+"*")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	if _, err := living.Host("more"); err != nil {
		t.Errorf("the living lab suffered: %v", err)
	}
}
