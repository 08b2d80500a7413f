package bench

import (
	"math"
	"testing"
)

func TestParseStat(t *testing.T) {
	text := "cpu  11 0 0 0 0 0 0 0 0 0\ncpu0 100 10 20 500 30 4 6 7 0 0\ncpu1 1 2 3 4 5 6 7 8 9 10\nintr 5\n"
	got, err := parseStat(text)
	if err != nil {
		t.Fatal(err)
	}
	if want := (cpuTime{busy: 140, stolen: 7, all: 677}); got[0] != want {
		t.Errorf("cpu0: %+v, want %+v", got[0], want)
	}
	if len(got) != 2 {
		t.Errorf("%d CPUs", len(got))
	}
	for _, bad := range []string{"intr 5\n", "cpu0 1 2 3\n", "cpuX 1 2 3 4 5 6 7 8\n", "cpu0 1 2 3 4 x 6 7 8\n"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// TestBusy takes from what CPUs did what the generator and the machine's rest did.
func TestBusy(t *testing.T) {
	before := map[int]cpuTime{generatorCPU(): {busy: 0, all: 0}, generatorCPU() + 1: {}}
	after := map[int]cpuTime{generatorCPU(): {busy: 100, all: 100}, generatorCPU() + 1: {busy: 50, stolen: 2, all: 100}}
	u := between(before, after)
	if u.generator != 1 || u.others != 0.5 || math.Abs(u.steal-0.01) > 1e-9 {
		t.Fatalf("%+v", u)
	}
	a := alone{perSent: 200e-9, perSkip: 50e-9, background: 0.1}
	s := sample{seconds: 1, sent: 2_000_000, runs: 4_000_000, got: arrived{Packets: 1_000_000}, use: u}
	if got := a.busy(s, true); math.Abs(got-0.4) > 1e-9 { // a jail: the other CPU's, without the background
		t.Errorf("jailed: busy for %v s", got)
	}
	if got := a.busy(s, false); math.Abs(got-0.9) > 1e-9 { // and half a second of the generator's was not its own
		t.Errorf("not jailed: busy for %v s", got)
	}
	if got := a.perCPU(s, true); math.Abs(got-2_500_000) > 1 {
		t.Errorf("%v packets per CPU second", got)
	}
	s.use.others = 0.11
	if got := a.perCPU(s, true); got != 0 {
		t.Errorf("%v packets per CPU second of 10 ms", got)
	}
}
