package dataplane

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SpinRounds is how many empty rounds a worker makes before it sleeps. An empty
// round reads a few words that only change when there is work, so this bounds the
// spin to some microseconds: less than a sleep and a wake-up cost.
const SpinRounds = 200

// Poll is what a worker does with nothing to do.
type Poll uint8

const (
	PollAdaptive  Poll = iota // spins, then sleeps, or naps under load
	PollBusy                  // never sleeps
	PollInterrupt             // sleeps at once
)

// spins is how many empty rounds the worker makes in a row before it waits.
func (w *Worker) spins() int {
	if w.plane.Poll == PollInterrupt {
		return 1
	}
	return w.nap.Spins()
}

// RetryMillis is how long a worker sleeps at most while a kernel that had no room
// has to be asked again.
const RetryMillis = 1

// bed is where a worker sleeps: poll(2) over its sockets and an eventfd that
// wakes it from other goroutines.
type bed struct {
	event int
	fds   []unix.PollFd
}

func (b *bed) open() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("make an eventfd: %w", err)
	}
	b.event = fd
	b.watch(nil)
	return nil
}

func (b *bed) close() { unix.Close(b.event) }

// watch makes the bed wake for frames on queues.
func (b *bed) watch(queues []*Queue) {
	b.fds = append(b.fds[:0], unix.PollFd{Fd: int32(b.event), Events: unix.POLLIN})
	for _, q := range queues {
		b.fds = append(b.fds, unix.PollFd{Fd: int32(q.Socket.FD()), Events: unix.POLLIN})
	}
}

// Wake ends the worker's sleep, or the next one if it is awake. Any goroutine.
func (w *Worker) Wake() {
	one := [8]byte{1}
	unix.Write(w.bed.event, one[:]) // fails only when the worker has plenty of wake-ups waiting
}

// room is how many packets have room in the shortest of the rings of the worker's queues, 0 where it has none.
func (w *Worker) room() (room uint32) {
	for i, q := range w.queues {
		if r := q.Socket.Room(); i == 0 || r < room {
			room = r
		}
	}
	return room
}

// unfinished reports whether something has to be tried again that nothing tells of.
func (w *Worker) unfinished() bool {
	if w.short || len(w.hold.frames) > 0 {
		return true
	}
	for _, q := range w.queues {
		if q.dirty {
			return true
		}
	}
	return false
}

// wait returns when there may be something to do, or a nap is over. Nobody is told of a nap (asleep): what others hand over meanwhile
// and Wake wait for its end.
func (w *Worker) wait() error {
	if w.plane.Poll == PollAdaptive && !w.short && w.lanesEmpty() {
		if d := w.nap.Due(); d > 0 {
			w.Counters.Sleeps.Add(1)
			Doze(d)
			return nil
		}
	}
	return w.sleep()
}

// sleep returns when a queue or a lane has frames or Wake was called. Readiness is a level,
// not an edge: what came since the last round ends the sleep at once.
func (w *Worker) sleep() error {
	timeout := -1
	if w.unfinished() {
		timeout = RetryMillis
	}
	w.Counters.Sleeps.Add(1)
	w.asleep.Store(true)
	if !w.lanesEmpty() || !w.Inject.queue.Empty() || !w.Inject6.queue.Empty() {
		timeout = 0
	}
	_, err := unix.Poll(w.bed.fds, timeout)
	w.asleep.Store(false)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("poll the queues: %w", err)
	}
	if w.bed.fds[0].Revents != 0 {
		var count [8]byte
		unix.Read(w.bed.event, count[:])
	}
	for i := range w.bed.fds {
		if w.bed.fds[i].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 && i > 0 {
			w.bed.fds[i].Fd = -1 // its interface is gone: do not spin on it
		}
	}
	return nil
}
