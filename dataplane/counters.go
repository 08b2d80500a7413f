package dataplane

import "sync/atomic"

// Counters of one worker. The worker adds to them once per round, anyone may read.
type Counters struct {
	Verdicts   [VerdictCount]atomic.Uint64 // received frames, one verdict each
	Copies     [VerdictCount]atomic.Uint64 // copies that flooding made, one verdict each
	Rounds     atomic.Uint64               // rounds that moved something
	Sleeps     atomic.Uint64
	Unnumbered atomic.Uint64 // packets of VTEPs that found the table of remotes full, and so taught the FDB nothing
}

// tally is what a worker counts within a round.
type tally struct {
	verdicts   [VerdictCount]uint32
	copies     [VerdictCount]uint32
	unnumbered uint32
	copied     bool
}

// received counts n frames from q with their bytes; their verdicts are counted
// where they are given.
func (q *Queue) received(n int, bytes uint64) {
	q.Stats.RxPackets.Add(uint64(n))
	q.Stats.RxBytes.Add(bytes)
}

func (w *Worker) publishCounters() {
	c := &w.Counters
	c.Rounds.Add(1)
	for v, n := range &w.tally.verdicts {
		if n != 0 {
			c.Verdicts[v].Add(uint64(n))
			w.tally.verdicts[v] = 0
		}
	}
	if w.tally.copied {
		for v, n := range &w.tally.copies {
			if n != 0 {
				c.Copies[v].Add(uint64(n))
				w.tally.copies[v] = 0
			}
		}
		w.tally.copied = false
	}
	if w.tally.unnumbered != 0 {
		c.Unnumbered.Add(uint64(w.tally.unnumbered))
		w.tally.unnumbered = 0
	}
}
