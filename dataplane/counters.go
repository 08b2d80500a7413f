package dataplane

import "sync/atomic"

// Counters of one worker. The worker adds to them every publishEvery rounds and
// whenever it has nothing to do, anyone may read.
type Counters struct {
	Verdicts   [VerdictCount]atomic.Uint64 // received frames, one verdict each
	Copies     [VerdictCount]atomic.Uint64 // copies that flooding made, one verdict each
	Rounds     atomic.Uint64               // rounds that moved something
	Sleeps     atomic.Uint64
	Batches    Sizes         // frames that were received at once
	Kicks      Sizes         // frames that waited when the kernel was called to send
	Busy, Spun atomic.Uint64 // nanoseconds in rounds that moved something, and in others: from a sample, see timed
	Answers    atomic.Uint64 // sent to those whose frames were too big
	Unnumbered atomic.Uint64 // packets of VTEPs that found the table of remotes full, and so taught the FDB nothing
}

// publishEvery is after how many rounds a busy worker adds to its counters: an
// atomic addition costs as much as half a packet, and there are several.
const publishEvery = 8

// tally is what a worker counts until it adds to its counters.
type tally struct {
	rounds     uint32
	batches    sizes
	kicks      sizes
	verdicts   [VerdictCount + 1]uint32 // the last, of gone, is for another worker to count
	copies     [VerdictCount + 1]uint32
	unnumbered uint32
	copied     bool
	answers    uint32
}

// received counts n frames from q with their bytes; their verdicts are counted
// where they are given.
func (q *Queue) received(n int, bytes uint64) {
	q.rx.packets += uint64(n)
	q.rx.bytes += bytes
}

// publish shows what was counted to everyone.
func (q *Queue) publish() {
	if q.rx.packets > 0 {
		q.Stats.RxPackets.Add(q.rx.packets)
		q.Stats.RxBytes.Add(q.rx.bytes)
		q.rx = traffic{}
	}
	if packets, bytes := q.Socket.Sent(); packets != q.sent {
		q.sent = packets
		q.Stats.TxPackets.Store(packets)
		q.Stats.TxBytes.Store(bytes)
	}
}

func (w *Worker) publishCounters() {
	c := &w.Counters
	c.Rounds.Add(uint64(w.tally.rounds))
	w.tally.rounds = 0
	w.tally.batches.addTo(&c.Batches)
	w.tally.kicks.addTo(&c.Kicks)
	for _, q := range w.queues {
		q.publish()
	}
	for v, n := range w.tally.verdicts[:VerdictCount] {
		if n != 0 {
			c.Verdicts[v].Add(uint64(n))
			w.tally.verdicts[v] = 0
		}
	}
	if w.tally.copied {
		for v, n := range w.tally.copies[:VerdictCount] {
			if n != 0 {
				c.Copies[v].Add(uint64(n))
				w.tally.copies[v] = 0
			}
		}
		w.tally.copied = false
	}
	if w.tally.answers != 0 {
		c.Answers.Add(uint64(w.tally.answers))
		w.tally.answers = 0
	}
	if w.tally.unnumbered != 0 {
		c.Unnumbered.Add(uint64(w.tally.unnumbered))
		w.tally.unnumbered = 0
	}
}
