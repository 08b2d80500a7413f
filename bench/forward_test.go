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

func newTestBed(t *testing.T, jailed bool) *bed {
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
	b, err := newBed(l, jailed)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newPlace is where a contender goes on a bed.
func newPlace(t *testing.T, b *bed, w way) place {
	return place{host: b.dut, dir: t.TempDir(), cpus: []int{contenderCPU()}, way: w, macs: 2, remotes: 1}
}

// newTestGenerator sends frames of two stations, of one or of many sizes.
func newTestGenerator(t *testing.T, b *bed, d Direction, size int) *generator {
	t.Helper()
	m := Traffic{MACs: 2, Size: size, Remotes: 1}
	g, err := b.generator(d, newSchedule(d, m), m, measured)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// TestForwarders has both take turns on the same links, each way and both ways. Each frame has to arrive as it was sent,
// several times as many as any ring holds, and afterwards the links have to be as before.
func TestForwarders(t *testing.T) {
	b := newTestBed(t, false)
	gens := map[Direction]*generator{Encap: newTestGenerator(t, b, Encap, 0), Decap: newTestGenerator(t, b, Decap, 0)}
	before := dump(t, b)
	for _, w := range []way{encapOnly, decapOnly, bothWays} {
		for _, rings := range []string{"own", "asavie"} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			r, err := forwarding(os.Args[0], rings)(ctx, newPlace(t, b, w))
			if err != nil {
				t.Fatal(rings, w, err)
			}
			for _, d := range w.directions() {
				carry(t, b, rings, gens[d], d)
			}
			if err := r.stop(); err != nil {
				t.Fatal(rings, w, err)
			}
			cancel()
			wantAsBefore(t, b, before, fmt.Sprint(rings, " ", w))
		}
	}
}

// carry sends in bursts that fit into every ring, and wants all of each burst.
func carry(t *testing.T, b *bed, rings string, g *generator, d Direction) {
	t.Helper()
	const bursts, burst = 30, 256
	h, link := b.exit(d)
	c := contender{Peer: Peer{Name: rings}}
	seen, err := h.Capture(link, func(f lab.Frame) bool { return c.check(f, d, Traffic{}, measured) == nil })
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := range bursts {
		if err := g.send(burst, 0); err != nil {
			t.Fatal(err)
		}
		if _, err := seen.Wait(ctx, (i+1)*burst, nil); err != nil {
			t.Fatalf("%s, burst %d: %v", rings, i, err)
		}
	}
	if n := len(seen.Frames()); n != bursts*burst {
		t.Errorf("%s: %d frames came of %d", rings, n, bursts*burst)
	}
}

// wantAsBefore wants the device under test to be as a dump has it, as soon as the kernel has drawn its conclusions.
func wantAsBefore(t *testing.T, b *bed, before, what string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		after := dump(t, b)
		if after == before {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s left something behind; before:\n%s\nafter:\n%s", what, before, after)
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
	b := newTestBed(t, false)
	before := dump(t, b)
	for _, rings := range []string{"own", "asavie"} {
		c := ForwardConfig{Rings: rings, From: portLink, To: wireLink, Both: true}
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
		wantAsBefore(t, b, before, rings)
		r, err := forwarding(os.Args[0], rings)(t.Context(), newPlace(t, b, bothWays))
		if err != nil {
			t.Fatal(rings, err)
		}
		if err := r.stop(); err != nil {
			t.Fatal(rings, err)
		}
	}
}

// TestForwarderFails wants the reason from the process that could not start.
func TestForwarderFails(t *testing.T) {
	b := newTestBed(t, false)
	for _, rings := range []string{"own", "asavie"} {
		c := ForwardConfig{Rings: rings, From: portLink, To: wireLink, CPU: 1 << 9} // no machine that this runs on has it
		out, err := b.dut.Command(t.Context(), os.Args[0], append([]string{"bench", "forward"}, c.args()...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "pin to CPU 512: invalid argument") {
			t.Errorf("%s: %v, %s", rings, err, out)
		}
		p := newPlace(t, b, encapOnly)
		p.host = b.far // which has no such link
		if _, err := forwarding(os.Args[0], rings)(t.Context(), p); err == nil || !strings.Contains(err.Error(), "find "+portLink) {
			t.Errorf("%s: %v", rings, err)
		}
	}
}

func TestParseForward(t *testing.T) {
	for _, both := range []bool{false, true} {
		want := ForwardConfig{Rings: "asavie", From: "a", To: "b", CPU: 1, Both: both}
		if c, err := ParseForward(want.args()); err != nil || c != want {
			t.Errorf("%+v, %v", c, err)
		}
	}
	for args, want := range map[string]string{
		"":                      "1 arguments instead of RINGS FROM TO CPU WAYS",
		"others a b 0 one-way":  `no such rings: "others"`,
		"own a b first one-way": "CPU:",
		"own a b 0 three-ways":  `no such ways: "three-ways"`,
	} {
		if _, err := ParseForward(strings.Split(args, " ")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
