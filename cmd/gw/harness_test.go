package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/control"
	"vxgw/internal/lab"
)

// The tests run the real program, which is this test binary once more, in hosts of
// a lab:
//
//	newLab -> hosts and links -> start (launch, wait until ready) -> traffic
//	  -> status, fdb, client -> stop (signal, exit status)
//
// They mostly wait, and run in parallel, each in a lab of its own; those that keep
// the time do not, and come first.

// actAsGW in the environment makes the test binary gw itself. It is then built
// with the race detector when the tests are.
const actAsGW = "VXGW_TEST_ACT_AS_GW"

// labPrefix names the labs of this folder's tests.
const labPrefix = "gwtest"

// patience bounds every wait for a condition. Nothing takes that long unless it
// is broken, or runs on a machine that is emulated (-short, or where the cards are).
var patience = 20 * time.Second

// emulated is set with the tests that run in a virtual machine alone.
var emulated bool

func TestMain(m *testing.M) {
	if os.Getenv(actAsGW) != "" {
		if err := cmp.Or(ignoreHangup(), giveUp()); err != nil {
			fmt.Fprintln(os.Stderr, "prepare for gw:", err)
			os.Exit(1)
		}
		main()
	}
	if flag.Parse(); testing.Short() || emulated {
		patience *= 5
	}
	if _, err := lab.Sweep(labPrefix); err != nil && os.Geteuid() == 0 {
		fmt.Fprintln(os.Stderr, "sweep:", err)
		os.Exit(1)
	}
	status := m.Run()
	forgetBuilt()
	os.Exit(status)
}

// newLab returns a lab that ends with the test. Without root the test is skipped,
// in CI it fails.
func newLab(t *testing.T) *lab.Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("network namespaces need root, and CI must not skip this")
		}
		t.Skip("network namespaces need root")
	}
	l, err := lab.New(labPrefix)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	return l
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// testContext ends before the test's own deadline would kill it.
func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	return ctx
}

// newHost adds a host to a lab. It has no files of gateways at first, although its
// inode may have been that of a namespace which ended with a killed one, and must
// have none at the end of the test.
func newHost(t *testing.T, l *lab.Lab, name string) *lab.Host {
	t.Helper()
	h, err := l.Host(name)
	must(t, err)
	removeRunFiles(t, h)
	t.Cleanup(func() {
		if files := removeRunFiles(t, h); len(files) > 0 && !t.Failed() {
			t.Errorf("left behind on %s: %q", name, files)
		}
	})
	return h
}

// eventually waits until ok returns "", and fails with what it said last.
func eventually(t *testing.T, ok func() string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		missing := ok()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(missing)
		}
	}
}

// command prepares gw with args on h.
func command(ctx context.Context, h *lab.Host, args ...string) *lab.Cmd {
	c := h.Command(ctx, os.Args[0], args...)
	c.Env = append(os.Environ(), actAsGW+"=1")
	return c
}

// runGW runs one gw command on h to its end.
func runGW(t *testing.T, h *lab.Host, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	c := command(testContext(t), h, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("gw %s: %v", strings.Join(args, " "), err)
	}
	return out.String(), errs.String(), c.ProcessState.ExitCode()
}

// output of a gw command that has to succeed and say nothing on standard error.
func output(t *testing.T, h *lab.Host, args ...string) string {
	t.Helper()
	stdout, stderr, status := runGW(t, h, args...)
	if status != 0 || stderr != "" {
		t.Fatalf("gw %s: exit status %d: %s", strings.Join(args, " "), status, stderr)
	}
	return stdout
}

// vtep is gw running on a host.
type vtep struct {
	t    *testing.T
	host *lab.Host
	cmd  *lab.Cmd
	log  *logFile
	args []string
	// control is given to commands as --control; empty: they find the only gw of
	// the host.
	control string
	client  *control.Client // set by start
}

// prepare makes gw on h, not started yet: its environment may be changed.
func prepare(t *testing.T, h *lab.Host, args ...string) *vtep {
	t.Helper()
	g := &vtep{t: t, host: h, log: newLogFile(t), args: args, cmd: command(context.Background(), h, args...)}
	for i, a := range args {
		if a == "--control" && i+1 < len(args) {
			g.control = args[i+1]
		}
	}
	g.cmd.Stdout, g.cmd.Stderr = g.log.file, g.log.file
	return g
}

// begin starts what was prepared. Its log is shown when the test fails.
func (g *vtep) begin() {
	g.t.Helper()
	must(g.t, g.cmd.Start())
	g.t.Cleanup(func() {
		if g.cmd.ProcessState == nil {
			g.cmd.Process.Signal(unix.SIGKILL)
			g.cmd.Wait()
		}
		if g.t.Failed() {
			g.t.Logf("log of gw %s on %s:\n%s", strings.Join(g.args, " "), g.host.Name(), g.log)
		}
	})
}

// launch starts gw on h and returns at once.
func launch(t *testing.T, h *lab.Host, args ...string) *vtep {
	t.Helper()
	g := prepare(t, h, args...)
	g.begin()
	return g
}

// start starts gw on h and returns when it says that it is ready.
func start(t *testing.T, h *lab.Host, args ...string) *vtep {
	t.Helper()
	g := launch(t, h, args...)
	g.ready()
	return g
}

// ready waits with gw status --wait.
func (g *vtep) ready() {
	g.t.Helper()
	_, stderr, status := runGW(g.t, g.host, g.with("status", "--wait", patience.String())...)
	if status != 0 {
		g.t.Fatalf("gw status --wait: exit status %d: %s", status, stderr)
	}
	must(g.t, g.host.Do(func() (err error) {
		g.client, err = (&target{path: g.control}).client()
		return err
	}))
}

// with names the gateway to a command.
func (g *vtep) with(args ...string) []string {
	if g.control != "" {
		args = append(args, "--control", g.control)
	}
	return args
}

// status asks over the socket, as gw status -j does.
func (g *vtep) status() control.Status {
	g.t.Helper()
	s, err := g.client.Status(testContext(g.t))
	must(g.t, err)
	return s
}

// entries asks over the socket, as gw fdb show does.
func (g *vtep) entries() []control.FDBEntry {
	g.t.Helper()
	f, err := g.client.FDB(testContext(g.t))
	must(g.t, err)
	return f
}

// fdb is what gw fdb show prints, line by line.
func (g *vtep) fdb() []string {
	g.t.Helper()
	return strings.Split(strings.TrimSuffix(output(g.t, g.host, g.with("fdb", "show")...), "\n"), "\n")
}

// fdbJSON is what gw fdb show -j prints, as any JSON reader sees it.
func (g *vtep) fdbJSON() []map[string]any {
	g.t.Helper()
	var entries []map[string]any
	must(g.t, json.Unmarshal([]byte(output(g.t, g.host, g.with("fdb", "show", "-j")...)), &entries))
	return entries
}

// awaitFDB waits until gw fdb show would print all these lines.
func (g *vtep) awaitFDB(lines ...string) {
	g.t.Helper()
	eventually(g.t, func() string {
		var have []string
		for _, e := range g.entries() {
			have = append(have, e.String())
		}
		for _, l := range lines {
			if !slices.Contains(have, l) {
				return fmt.Sprintf("fdb of %s lacks %q, has\n%s", g.host.Name(), l, strings.Join(have, "\n"))
			}
		}
		return ""
	})
}

// awaitDirect waits until frames to a remote go without the kernel.
func (g *vtep) awaitDirect(remote string) {
	g.t.Helper()
	eventually(g.t, func() string {
		for _, r := range g.status().Remotes {
			if r.Address == remote && r.State == "direct" {
				return ""
			}
		}
		return "the way to " + remote + " is not direct"
	})
}

// verdicts adds the workers' verdicts of received frames up, and the frames that
// the queues of all interfaces received, or that came by way of the kernel.
func verdicts(s control.Status) (byName map[string]uint64, sum, received uint64) {
	byName = map[string]uint64{}
	for _, w := range s.Workers {
		for name, n := range w.Verdicts {
			byName[name] += n
			sum += n
		}
	}
	received = s.Underlay.Injected.Packets
	for _, q := range s.Underlay.Queues {
		received += q.RxPackets
	}
	for _, p := range s.Ports {
		for _, q := range p.Queues {
			received += q.RxPackets
		}
	}
	return byName, sum, received
}

// end sends a signal and returns the exit status, -1 if the signal killed it.
func (g *vtep) end(s unix.Signal) int {
	g.t.Helper()
	must(g.t, g.cmd.Process.Signal(s))
	timer := time.AfterFunc(patience, func() {
		g.t.Errorf("gw on %s still runs %v after %v", g.host.Name(), patience, s)
		g.cmd.Process.Signal(unix.SIGQUIT) // the log then shows where it hangs
	})
	defer timer.Stop()
	return g.wait()
}

// wait returns the exit status of a gw that ends by itself.
func (g *vtep) wait() int {
	g.t.Helper()
	var exit *exec.ExitError
	if err := g.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		g.t.Fatal(err)
	}
	return g.cmd.ProcessState.ExitCode()
}

// stop asks gw to end as systemd does. It has to succeed and must not have
// logged an error.
func (g *vtep) stop() {
	g.t.Helper()
	if status := g.end(unix.SIGTERM); status != 0 {
		g.t.Errorf("gw on %s: exit status %d after SIGTERM", g.host.Name(), status)
	}
	if bad := g.log.grep(`"level":"ERROR"`, "DATA RACE", "panic:"); bad != "" {
		g.t.Errorf("gw on %s logged %s", g.host.Name(), bad)
	}
}
