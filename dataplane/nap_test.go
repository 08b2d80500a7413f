package dataplane

import (
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"vxgw/ring"
)

// lots has a worker wait once after each lot, which it receives in batches that are as full as can be, and returns how long it
// napped after the last.
func lots(n *Nap, frames ...int) (d time.Duration) {
	for _, f := range frames {
		for ; f > BatchSize+fullLot; f -= BatchSize {
			n.Moved(BatchSize)
		}
		if f > 0 {
			n.Moved(f)
		}
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

// TestNapWaitsForWholeLots has frames come while a worker is at work, as they do where another CPU receives them.
func TestNapWaitsForWholeLots(t *testing.T) {
	for _, c := range []struct {
		batches []int
		naps    bool
	}{
		{[]int{8, 8, 8, 8, 8, 8, 8, 8, 8, 8}, false},
		{[]int{200, 40, 8, 2}, false},
		{[]int{256, 44}, true},
		{[]int{64, 64, 64}, true},
	} {
		var n Nap
		var d time.Duration
		for range 3 * napAfter {
			for _, frames := range c.batches {
				n.Moved(frames)
			}
			d = n.Due()
		}
		if d > 0 != c.naps {
			t.Errorf("batches of %d: it naps for %v", c.batches, d)
		}
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

// TestNapFitsRings has naps grow long, and then a higher load over rings that may be short.
func TestNapFitsRings(t *testing.T) {
	for _, c := range []struct {
		room, perMicrosecond int
		least, most          time.Duration
	}{
		{1 << 16, 1, napMost, napMost},
		{1 << 16, 10, 25 * time.Microsecond, 51 * time.Microsecond},
		{1 << 16, 200, napLeast, napLeast},
		{2048, 10, 25 * time.Microsecond, 51 * time.Microsecond},
		{512, 10, 12 * time.Microsecond, 25 * time.Microsecond},
		{256, 10, napLeast, 13 * time.Microsecond},
		{256, 1, napMost, napMost},
		{255, 1, 0, 0},
		{64, 1, 0, 0},
	} {
		var n Nap
		d := lots(&n, 64, 64, 64, 64)
		for range 20 {
			d = lots(&n, fullLot)
		}
		if d != napMost {
			t.Fatalf("a lot for each nap: naps of %v", d)
		}
		n.Fit(uint32(c.room))
		for range 20 {
			d = lots(&n, max(int(d/time.Microsecond)*c.perMicrosecond, fullLot))
		}
		if d < c.least || d > c.most {
			t.Errorf("room for %d, %d frames a microsecond: naps of %v, not %v to %v", c.room, c.perMicrosecond, d, c.least, c.most)
		}
		if spins := n.Spins(); (spins == SpinRounds) != (c.most == 0) {
			t.Errorf("room for %d: it looks on for %d rounds", c.room, spins)
		}
	}
}

// TestSharpTimers asks the kernel how late timers of a thread may be, and has naps end soon enough where they can.
func TestSharpTimers(t *testing.T) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if !SharpTimers() {
		t.Error("this kernel has no high-resolution timers")
	}
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || slack != 1 {
		t.Errorf("timers of this thread may be %d ns late: %v", slack, err)
	}
}

// TestWorkerNaps has a worker wait under load in each way, when it was woken before: a nap leaves that to the sleep after it.
func TestWorkerNaps(t *testing.T) {
	for name, c := range map[string]struct {
		poll  Poll
		lot   int
		state func(w, other *Worker)
		sleep bool
	}{
		"load":                         {PollAdaptive, fullLot, func(w, _ *Worker) {}, false},
		"a lot of one":                 {PollAdaptive, 1, func(w, _ *Worker) {}, true},
		"it is to sleep at once":       {PollInterrupt, fullLot, func(w, _ *Worker) {}, true},
		"short of frames":              {PollAdaptive, fullLot, func(w, _ *Worker) { w.short = true }, true},
		"blunt timers":                 {PollAdaptive, fullLot, func(w, _ *Worker) { w.nap.blunt = true }, true},
		"rings that are short":         {PollAdaptive, fullLot, func(w, _ *Worker) { w.nap.Fit(w.room()) }, true},
		"what another has handed over": {PollAdaptive, fullLot, handsOver, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRigWith(t, 2, 0, 1)
			r.plane.Poll = c.poll
			w := r.worker
			w.Round() // it adopts
			if w.nap.room != 128 {
				t.Fatalf("the rings of a rig have room for %d frames", w.nap.room)
			}
			w.nap.Fit(2048)
			lots(&w.nap, fullLot, fullLot, fullLot, fullLot, fullLot)
			w.nap.Moved(c.lot)
			unix.Read(w.bed.event, make([]byte, 8)) // of the first snapshot
			w.Wake()
			c.state(w, r.workers[1])
			if err := w.wait(); err != nil {
				t.Fatal(err)
			}
			_, err := unix.Read(w.bed.event, make([]byte, 8))
			if slept := err == unix.EAGAIN; slept != c.sleep || w.Counters.Sleeps.Load() != 1 {
				t.Errorf("slept until it was woken: %t", slept)
			}
			w.takeOver()
			r.account()
		})
	}
}

// TestRunNaps has a worker run after a load that has ended: it naps once, and sleeps when nothing has come. Nothing wakes it from the sleep.
func TestRunNaps(t *testing.T) {
	r := newRig(t, 1)
	w := r.worker
	w.Round() // it adopts
	w.nap.Fit(2048)
	unix.Read(w.bed.event, make([]byte, 8)) // of the first snapshot
	lots(&w.nap, fullLot, fullLot, fullLot, fullLot)
	w.nap.Moved(fullLot)
	if spins := w.spins(); spins != napSpins {
		t.Errorf("it looks on for %d rounds", spins)
	}
	ended := make(chan error, 1)
	go func() { ended <- w.Run() }()
	deadline := time.Now().Add(time.Minute)
	for w.Counters.Sleeps.Load() < 2 || !w.asleep.Load() {
		if time.Now().After(deadline) {
			t.Errorf("it waits %d times, and sleeps: %t", w.Counters.Sleeps.Load(), w.asleep.Load())
			break
		}
		time.Sleep(time.Millisecond)
	}
	slack, err := os.ReadFile(fmt.Sprintf("/proc/%d/timerslack_ns", w.Thread()))
	if err != nil || string(slack) != "1\n" {
		t.Errorf("timers of its thread may be %q ns late: %v", slack, err)
	}
	w.Stop()
	must(t, <-ended)
}

// TestRoundCounts looks at what a worker's naps are decided by: frames that came from queues, and the shortest of their rings.
func TestRoundCounts(t *testing.T) {
	r := newRig(t, 1)
	w := r.worker
	for range 3 {
		r.ports[0].kernel.Deliver(numbered(bcast, hostA, 0, 1))
	}
	w.Round()
	if w.nap.frames != 3 {
		t.Errorf("3 frames came, it counts %d", w.nap.frames)
	}
	for _, size := range []uint32{256, 64, 1024} {
		s, _ := ring.NewLoopback(r.plane.Memory, size, w.pool)
		w.queues = append(w.queues, &Queue{Socket: s})
	}
	if room := w.room(); room != 64 {
		t.Errorf("the shortest ring has room for %d", room)
	}
}

// handsOver gives w a frame of another worker's that leaves nowhere.
func handsOver(w, other *Worker) {
	addr, _ := other.pool.Get()
	other.cross(other.lanes[w.ID], 7, 0, original, ring.Desc{Addr: addr, Len: 60})
	other.showLanes()
}
