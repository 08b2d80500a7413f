package dataplane

import (
	"time"

	"golang.org/x/sys/unix"
)

// Under load a worker naps: it sleeps for a time of its own instead of until the next frame.
//
// The kernel hands received frames over in lots of 64 at most, and wakes who waits for each (NAPI_POLL_WEIGHT in
// include/linux/netdevice.h; xdp_do_flush after each poll). A worker that has less to do with a lot than it takes to switch
// threads twice and to make two system calls then spends most of its time with that where the kernel receives on
// the same CPU, since the worker goes before it: it finds one lot, whole, and then nothing. Lots that are full, one after the other, say
// that more frames wait: they can as well wait for each other. Where another CPU receives, frames come in smaller numbers
// while the worker is at work, and it never naps.
const (
	fullLot  = 64 // frames, of each batch on average
	napAfter = 4  // full lots more than twice the others, before the first nap
	napFaith = 16 // the most that are remembered

	// napRoom is the least room in which lots can wait for each other. One lot fills a ring of 64: what the kernel receives
	// next would be lost if the worker did not come at once.
	napRoom = 4 * fullLot

	// napLeast and napMost bound a nap, whose length is what brings lots of a batch or two. In 100 us a queue of 2,048 frames
	// does not fill at 20 million frames a second; and what is lost to a nap at the end of a load is no more than what
	// adapters wait before they interrupt.
	napLeast = 10 * time.Microsecond
	napMost  = 100 * time.Microsecond

	// napSpins is how many empty rounds a worker makes before a nap: instead of SpinRounds, which are the kernel's on one CPU.
	napSpins = 16
)

// Nap decides when a thread that moves frames naps, and for how long. Its zero value is ready; one goroutine uses it.
type Nap struct {
	frames, batches int // since the last wait
	full            int // lots, of late
	length          time.Duration
	napped          bool // the last wait was a nap
	room            int  // see Fit; 0: so much that it does not matter
	blunt           bool // timers are not SharpTimers: it never naps
}

// Fit tells how many frames have room in the shortest of the rings that they come from and go to. A nap is to leave half of that free.
func (n *Nap) Fit(room uint32) { n.room = int(room) }

// lots are the bounds that the length of a nap is to keep lots between.
func (n *Nap) lots() (few, many int) {
	if n.room == 0 {
		return BatchSize, 2 * BatchSize
	}
	return min(BatchSize, n.room/4), min(2*BatchSize, n.room/2)
}

// loaded reports whether the next wait may be a nap.
func (n *Nap) loaded() bool {
	return n.full >= napAfter && !n.blunt && (n.room == 0 || n.room >= napRoom)
}

// Moved counts frames that were received at once, at least 1.
func (n *Nap) Moved(frames int) {
	n.frames += frames
	n.batches++
}

// Spins is how many empty rounds to make before Due is asked.
func (n *Nap) Spins() int {
	if n.loaded() {
		return napSpins
	}
	return SpinRounds
}

// Due ends a lot: what was moved since it was called last. It returns how long to nap, or 0: then wait for the next frame.
func (n *Nap) Due() time.Duration {
	lot, full := n.frames, n.batches > 0 && n.frames >= n.batches*fullLot
	n.frames, n.batches = 0, 0
	if !full {
		n.full = max(n.full-2, 0)
	} else {
		n.full = min(n.full+1, napFaith)
	}
	if !n.loaded() || lot == 0 { // nothing more came in the last nap
		n.napped = false
		return 0
	}
	switch few, many := n.lots(); {
	case !n.napped:
		n.length = max(n.length, napLeast)
	case lot > many:
		n.length = max(n.length/2, napLeast)
	case lot < few:
		n.length = min(n.length*2, napMost)
	}
	n.napped = true
	return n.length
}

// SharpTimers has naps of this thread end when they are due instead of up to 50 us later (prctl(2), PR_SET_TIMERSLACK). It reports
// false where a kernel without high-resolution timers would end them with its next tick, some milliseconds later, in which queues
// overflow: clock_getres(2) tells a tick then.
func SharpTimers() bool {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	var least unix.Timespec
	return unix.ClockGetres(unix.CLOCK_MONOTONIC, &least) == nil && least.Nano() < int64(napLeast)
}
