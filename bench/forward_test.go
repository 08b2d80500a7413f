package bench

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/internal/lab"
)

// testPrefix names the labs of this folder's tests.
const testPrefix = "gw-bench-test"

// TestMain makes this program, run as gw runs itself, a forwarder.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "bench" || os.Args[2] != "forward" {
		if _, err := lab.Sweep(testPrefix); err != nil && os.Geteuid() == 0 {
			fmt.Fprintln(os.Stderr, "sweep:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	c, err := ParseForward(os.Args[3:])
	if err == nil {
		ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM)
		defer cancel()
		err = Forward(ctx, c, func() { SayReady(os.Stdout) })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func newTestBed(t *testing.T) *bed {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("network namespaces need root, and CI must not skip this")
		}
		t.Skip("network namespaces need root")
	}
	l, err := lab.New(testPrefix)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b, err := newBed(l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestForwarders has both take turns twice on the same links. Each frame has to arrive as it was sent, several times as
// many as any ring holds, and afterwards the links have to be as before.
func TestForwarders(t *testing.T) {
	b := newTestBed(t)
	before := dump(t, b)
	cpu := new(int)
	for range 2 {
		for _, rings := range []string{"own", "asavie"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			stop, err := forwarding(os.Args[0], rings, cpu)(ctx, b.dut)
			if err != nil {
				t.Fatal(rings, err)
			}
			carry(t, b, rings)
			if err := stop(); err != nil {
				t.Fatal(rings, err)
			}
			cancel()
			if after := dump(t, b); after != before {
				t.Fatalf("%s left something behind; before:\n%s\nafter:\n%s", rings, before, after)
			}
		}
	}
}

// carry sends in bursts that fit into every ring, and wants all of each burst.
func carry(t *testing.T, b *bed, rings string) {
	t.Helper()
	const bursts, burst = 30, 256
	seen, err := b.far.Capture("ens18", func(f lab.Frame) bool { return len(f.Data) == innerLen })
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range bursts {
		if err := b.gen.send(burst); err != nil {
			t.Fatal(err)
		}
		if _, err := seen.Wait(ctx, (i+1)*burst, nil); err != nil {
			t.Fatalf("%s, burst %d: %v", rings, i, err)
		}
	}
	frames := seen.Frames()
	if len(frames) != bursts*burst {
		t.Errorf("%s: %d frames came of %d", rings, len(frames), bursts*burst)
	}
	for _, f := range frames {
		if err := checkForwarded(f.Data); err != nil {
			t.Fatalf("%s: %v", rings, err)
		}
	}
}

func dump(t *testing.T, b *bed) string {
	t.Helper()
	d, err := b.dut.Dump()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestForwarderKilled finds no program left on the link of a forwarder that could not clean up, and the next one binds
// its queues.
func TestForwarderKilled(t *testing.T) {
	b := newTestBed(t)
	before := dump(t, b)
	cpu := new(int)
	for _, rings := range []string{"own", "asavie"} {
		c := ForwardConfig{Rings: rings, From: "veth1", To: "ens18"}
		cmd := b.dut.Command(t.Context(), os.Args[0], append([]string{"bench", "forward"}, c.args()...)...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := awaitReady(out.(*os.File)); err != nil {
			t.Fatal(rings, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
		for end := time.Now().Add(5 * time.Second); dump(t, b) != before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s left something behind; before:\n%s\nafter:\n%s", rings, before, dump(t, b))
			}
		}
		stop, err := forwarding(os.Args[0], rings, cpu)(t.Context(), b.dut)
		if err != nil {
			t.Fatal(rings, err)
		}
		if err := stop(); err != nil {
			t.Fatal(rings, err)
		}
	}
}

// TestForwarderFails wants the reason from the process that could not start.
func TestForwarderFails(t *testing.T) {
	b := newTestBed(t)
	cpu := 1 << 9 // no machine that this runs on has it
	for _, rings := range []string{"own", "asavie"} {
		_, err := forwarding(os.Args[0], rings, &cpu)(t.Context(), b.dut)
		if err == nil || !strings.Contains(err.Error(), "pin to CPU 512: invalid argument") {
			t.Errorf("%s: %v", rings, err)
		}
	}
}

func TestParseForward(t *testing.T) {
	want := ForwardConfig{Rings: "asavie", From: "a", To: "b", CPU: 1}
	if c, err := ParseForward(want.args()); err != nil || c != want {
		t.Errorf("%+v, %v", c, err)
	}
	for args, want := range map[string]string{
		"":              "1 arguments instead of RINGS FROM TO CPU",
		"others a b 0":  `no such rings: "others"`,
		"own a b first": "CPU:",
	} {
		if _, err := ParseForward(strings.Split(args, " ")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
