package dataplane

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lots has a worker wait once after each lot, and returns how long it napped after the last.
func lots(n *Nap, frames ...int) (d time.Duration) {
	for _, f := range frames {
		n.Moved(f)
		d = n.Due()
	}
	return d
}

// TestNapWaitsForLoad looks at what makes a worker nap, and what ends that.
func TestNapWaitsForLoad(t *testing.T) {
	for _, c := range []struct {
		name string
		lots []int
		naps bool
	}{
		{"nothing", []int{0, 0, 0, 0, 0, 0, 0}, false},
		{"single frames", []int{1, 1, 1, 1, 1, 1, 1, 1}, false},
		{"a burst of three lots", []int{64, 64, 64}, false},
		{"bursts with pauses", []int{64, 64, 1, 64, 64, 1, 64, 64, 1, 64, 64}, false},
		{"lots that are nearly full", []int{63, 63, 63, 63, 63, 63}, false},
		{"full lots", []int{64, 64, 64, 64}, true},
		{"larger ones, as more than one round finds them", []int{300, 300, 300, 300}, true},
		{"full lots but for one", []int{64, 64, 64, 64, 64, 5, 64}, true},
		{"nothing after a nap", []int{64, 64, 64, 64, 0}, false},
		{"the end of a long load", []int{64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 1, 1, 1, 1, 1, 1, 1}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var n Nap
			if d := lots(&n, c.lots...); d > 0 != c.naps {
				t.Errorf("it naps for %v", d)
			}
			if spins := n.Spins(); !c.naps && n.full < napAfter && spins != SpinRounds {
				t.Errorf("it looks on for %d rounds", spins)
			}
		})
	}
}

// TestNapFindsItsLength has naps bring so many frames for each microsecond, and looks at where their length ends up.
func TestNapFindsItsLength(t *testing.T) {
	for _, c := range []struct {
		perMicrosecond int
		least, most    time.Duration
	}{
		{1, napMost, napMost},
		{10, 20 * time.Microsecond, 40 * time.Microsecond},
		{20, napLeast, 20 * time.Microsecond},
		{200, napLeast, napLeast},
	} {
		var n Nap
		d := lots(&n, 64, 64, 64, 64)
		if d != napLeast {
			t.Errorf("the first nap takes %v", d)
		}
		for range 20 {
			d = lots(&n, max(int(d/time.Microsecond)*c.perMicrosecond, fullLot))
		}
		if d < c.least || d > c.most {
			t.Errorf("%d frames a microsecond: naps of %v, not %v to %v", c.perMicrosecond, d, c.least, c.most)
		}
		if lots(&n, 0) != 0 {
			t.Error("it naps on when nothing came")
		}
		if n.Moved(1); n.Spins() != napSpins {
			t.Error("it has forgotten the load at once")
		}
	}
}

// TestDoze sleeps about as long as it is told to, and never less but for a signal.
func TestDoze(t *testing.T) {
	begin := time.Now()
	for range 20 {
		Doze(napMost)
	}
	if took := time.Since(begin); took < 10*napMost { // half of them may have met a signal
		t.Errorf("20 naps of %v take %v", napMost, took)
	}
}

// TestWorkerNaps has a worker wait under load in each way, when it was woken before: a nap leaves that to the sleep after it.
func TestWorkerNaps(t *testing.T) {
	for _, c := range []struct {
		poll  Poll
		lot   int
		sleep bool
	}{
		{PollAdaptive, fullLot, false}, {PollAdaptive, 1, true}, {PollInterrupt, fullLot, true},
	} {
		r := newRig(t, 1)
		r.plane.Poll = c.poll
		w := r.worker
		lots(&w.nap, fullLot, fullLot, fullLot, fullLot, fullLot)
		w.nap.Moved(c.lot)
		w.Wake()
		if err := w.wait(); err != nil {
			t.Fatal(err)
		}
		_, err := unix.Read(w.bed.event, make([]byte, 8))
		if slept := err == unix.EAGAIN; slept != c.sleep || w.Counters.Sleeps.Load() != 1 {
			t.Errorf("poll %d, a lot of %d: slept until it was woken: %t", c.poll, c.lot, slept)
		}
		r.account()
	}
}
