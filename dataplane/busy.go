package dataplane

import (
	"time"

	"golang.org/x/sys/unix"
)

// How busy a worker is: it times one round in timedEvery, and what that took stands for the others.
// Two readings of the clock in so many rounds cost nothing that could be measured; an exact sum would
// take two whenever work comes or ends, which at low rates is with each packet. The CPU time of the
// thread alone would not do: a worker that spins between packets has all of its CPU.

// timedEvery is odd, and a prime, so that rounds with work and without that take turns are met alike.
const timedEvery = 61

// timed is Round.
func (w *Worker) timed() int {
	if w.untimed++; w.untimed < timedEvery {
		return w.Round()
	}
	w.untimed = 0
	begin := time.Since(w.born)
	work := w.Round()
	took := uint64(time.Since(w.born)-begin) * timedEvery
	if work > 0 {
		w.Counters.Busy.Add(took)
	} else {
		w.Counters.Spun.Add(took)
	}
	return work
}

// Thread is the number of the thread that Run runs on, 0 while it does not. Any goroutine.
func (w *Worker) Thread() int { return int(w.thread.Load()) }

// settled notes which thread Run is on. It is locked to it.
func (w *Worker) settled() {
	w.thread.Store(int32(unix.Gettid()))
	w.nap.blunt = !SharpTimers()
}
