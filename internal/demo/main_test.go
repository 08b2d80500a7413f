package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// childPrefix names the environment variable that makes the test binary a demo which keeps what it makes. The next
// argument is the program.
const childPrefix = "VXGW_DEMO_TEST_PREFIX"

func TestMain(m *testing.M) {
	if p := os.Getenv(childPrefix); p != "" {
		if err := Run(context.Background(), Options{Program: os.Args[1], Out: os.Stdout, Keep: true, prefix: p}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if to := os.Getenv(childKnock); to != "" {
		if err := knock(to); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if program.dir != "" {
		os.RemoveAll(program.dir)
	}
	os.Exit(code)
}

// program is the gw that tests show, built once.
var program struct {
	once sync.Once
	dir  string
	err  error
}

func build(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("network namespaces need root, and in CI they must be had")
		}
		t.Skip("network namespaces need root")
	}
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "gw-demo-test"); program.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(program.dir, "gw"), "vxgw/cmd/gw").CombinedOutput()
		if err != nil {
			program.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	if program.err != nil {
		t.Fatal(program.err)
	}
	return filepath.Join(program.dir, "gw")
}

var prefixes atomic.Int32

// ownPrefix keeps a test's labs apart from those of other tests and of other runs.
func ownPrefix() string { return fmt.Sprintf("gw-demo-t%dx%d", os.Getpid(), prefixes.Add(1)) }

// watcher is where a demo writes to. on is called for each write, before the demo goes on.
type watcher struct {
	bytes.Buffer
	prefix string
	seen   []namespace // each held once
	on     func(text string)
}

func (w *watcher) Write(b []byte) (int, error) {
	found, err := hold(w.prefix + "-")
	for _, ns := range found {
		if slices.ContainsFunc(w.seen, func(s namespace) bool { return s.inode == ns.inode }) {
			ns.file.Close()
		} else {
			w.seen = append(w.seen, ns)
		}
	}
	if err != nil {
		return 0, err
	}
	if w.on != nil {
		w.on(string(b))
	}
	return w.Buffer.Write(b)
}

// run runs a demo in this process and checks that nothing is left of it.
func run(t *testing.T, ctx context.Context, w *watcher, o Options) error {
	t.Helper()
	w.prefix = ownPrefix()
	o.Out, o.prefix = w, w.prefix
	defer func() { release(w.seen) }()
	err := Run(ctx, o)
	nothingLeft(t, w.prefix, w.String(), w.seen)
	return err
}

var pidForm = regexp.MustCompile(`, pid (\d+)\n`)

// pids returns the gateways that a demo started, by its output.
func pids(output string) (all []int) {
	for _, m := range pidForm.FindAllStringSubmatch(output, -1) {
		pid, err := strconv.Atoi(m[1])
		if err == nil {
			all = append(all, pid)
		}
	}
	return all
}

// nothingLeft checks for namespaces, processes and files. The namespaces that were seen are held, so that no files of
// another test's gateways bear their inodes.
func nothingLeft(t *testing.T, prefix, output string, seen []namespace) {
	t.Helper()
	if left, err := leftovers(prefix, seen); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	for _, pid := range pids(output) {
		// A killed process leaves its namespace some time before it is gone.
		for end := time.Now().Add(30 * time.Second); runs(pid); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("gw with pid %d is left", pid)
			}
		}
	}
}

// leftovers lists the namespaces that still have a name, and the files of gateways in those that were seen.
func leftovers(prefix string, seen []namespace) ([]string, error) {
	left, err := filepath.Glob(filepath.Join(netnsDir, prefix+"-*"))
	for _, ns := range seen {
		files, e := ns.files()
		left, err = append(left, files...), errors.Join(err, e)
	}
	return left, err
}

// runs reports whether there is a process with that pid. One that is dead may wait for its parent, which is not us when
// the demo was another process.
func runs(pid int) bool { return !slices.Contains([]string{"", "Z", "X"}, state(pid)) }

// state is the letter that proc(5) has for the state of a process, empty where there is none.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return rest[:min(1, len(rest))]
}
