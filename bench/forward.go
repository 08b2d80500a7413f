package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"vxgw/dataplane"
)

// What gw is compared with beside the kernel: forwarders that move every frame from
// one link to another and look at none. One is on gw's own rings (forwardown.go), one
// on another library's (forwardasavie.go). Each runs in a process of its own, as gw
// does, since what that library maps is unmapped only when the process ends, and
// with it the queue is bound:
//
//	Forward   load, bind, pin -> ready -> round, round ... spin, sleep -> give back

// ForwardConfig is one forwarder.
type ForwardConfig struct {
	Rings    string // whose: "own" or "asavie"
	From, To string // links in the network namespace of the caller, with one queue each
	CPU      int    // to run on
	Both     bool   // and from To to From
}

// forwarder moves frames. Its methods belong to one goroutine.
type forwarder interface {
	// round takes up to a batch, sends it, takes back what was sent and refills. It
	// returns how many frames were moved, 0 when there was nothing to do.
	round() (moved int, err error)
	// nap is how it waits under load. One that is never told of frames leaves it to wait for the next.
	nap() *dataplane.Nap
	// again tells whether the kernel had no room and has to be asked again.
	again() bool
	// fds can be read when frames have come.
	fds() []int
	close() error
}

var forwarders = map[string]func(in, out netlink.Link, both bool) (forwarder, error){
	"own":    forwardOwn,
	"asavie": forwardAsavie,
}

// args is what newForwarder and ParseForward agree on.
func (c ForwardConfig) args() []string {
	ways := waysOne
	if c.Both {
		ways = waysBoth
	}
	return []string{c.Rings, c.From, c.To, strconv.Itoa(c.CPU), ways}
}

// The words for which ways there are.
const (
	waysOne  = "one-way"
	waysBoth = "both-ways"
)

// ParseForward reads the arguments of a forwarder's process: RINGS FROM TO CPU WAYS.
func ParseForward(args []string) (c ForwardConfig, err error) {
	if len(args) != 5 {
		return c, fmt.Errorf("%d arguments instead of RINGS FROM TO CPU WAYS", len(args))
	}
	switch c.Both = args[4] == waysBoth; {
	case !c.Both && args[4] != waysOne:
		return c, fmt.Errorf("no such ways: %q (%s, %s)", args[4], waysOne, waysBoth)
	}
	c.Rings, c.From, c.To = args[0], args[1], args[2]
	if forwarders[c.Rings] == nil {
		return c, fmt.Errorf("no such rings: %q (own, asavie)", c.Rings)
	}
	if c.CPU, err = strconv.Atoi(args[3]); err != nil {
		return c, fmt.Errorf("CPU: %w", err)
	}
	return c, nil
}

// forwardBatch is how many frames a forwarder takes at once: as many as a worker.
const forwardBatch = dataplane.BatchSize

// forwarderNice is the nice value of gw's workers (dataplane/worker.go).
const forwarderNice = -20

// stopMillis is how long a sleeping forwarder does not see that it is to stop.
const stopMillis = 20

// Forward forwards until ctx ends and calls ready once frames can flow. Call it at
// most once in a process, and end that afterwards.
func Forward(ctx context.Context, c ForwardConfig, ready func()) (err error) {
	in, err := netlink.LinkByName(c.From)
	if err != nil {
		return fmt.Errorf("find %s: %w", c.From, err)
	}
	out, err := netlink.LinkByName(c.To)
	if err != nil {
		return fmt.Errorf("find %s: %w", c.To, err)
	}
	// As gw has it: what is not the forwarder's thread has a P of its own.
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 3))
	runtime.LockOSThread() // never unlocked: the pinned thread dies with the process
	var set unix.CPUSet
	set.Set(c.CPU)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin to CPU %d: %w", c.CPU, err)
	}
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, forwarderNice) // as gw has it, too
	dataplane.SharpTimers()
	f, err := forwarders[c.Rings](in, out, c.Both)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	var stop atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	ready()
	return drive(f, &stop)
}

// drive lets f work until stop is set: as long as there is something to do, then some
// rounds more, then it sleeps, or naps.
func drive(f forwarder, stop *atomic.Bool) error {
	var fds []unix.PollFd
	for _, fd := range f.fds() {
		fds = append(fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	idle, nap := 0, f.nap()
	for !stop.Load() {
		moved, err := f.round()
		switch {
		case err != nil:
			return err
		case moved > 0:
			idle = 0
			continue
		}
		if idle++; idle < nap.Spins() {
			continue
		}
		if d := nap.Due(); d > 0 {
			dataplane.Doze(d)
			continue
		}
		millis := stopMillis
		if f.again() {
			millis = dataplane.RetryMillis
		}
		if _, err := unix.Poll(fds, millis); err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
	}
	return nil
}
