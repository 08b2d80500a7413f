package dataplane

import (
	"fmt"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"vxgw/ring"
	"vxgw/vxlan"
)

// SlowFrame is an inner frame on its way to a remote whose next hop only the
// kernel can find, and what its outer headers will say.
type SlowFrame struct {
	Desc   ring.Desc
	Tunnel *Tunnel
	Remote uint32 // number
	VNI    uint32
	Flow   vxlan.Flow
}

// SlowPath carries frames from one worker to one goroutine that sends them
// through the kernel, in order. The queue is bounded: a worker that finds it full
// drops.
type SlowPath struct {
	Sent, Failed atomic.Uint64 // packets the kernel took and refused

	plane    *Plane
	worker   int // its ID
	queue    *Exchange[SlowFrame]
	pending  []atomic.Int32 // frames that have not left yet, by number of the remote
	underway []underway     // those that the kernel has
	pool     *ring.Pool     // of the goroutine that runs Run
	asleep   atomic.Bool
	stopped  atomic.Bool
	event    int      // eventfd
	wake     *os.File // the same, for the sleeper
	incoming [BatchSize]SlowFrame
}

// slowQueue is how many frames may wait for the kernel; it keeps about 90 full
// packets per next hop itself (arp_queue_len_bytes).
const slowQueue = 256

// Sender sends finished packets, from the IP header on, by way of the kernel.
type Sender interface {
	Send(packet []byte) error
	// Unsent returns how many bytes of what Send took have not left this host.
	Unsent() int
}

func newSlowPath(p *Plane, worker int) (*SlowPath, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("make an eventfd: %w", err)
	}
	return &SlowPath{
		plane:   p,
		worker:  worker,
		queue:   NewExchange[SlowFrame](slowQueue),
		pending: make([]atomic.Int32, len(p.Remotes.slots)),
		pool:    p.Depot.NewPool(),
		event:   fd,
		wake:    os.NewFile(uintptr(fd), "slow path"),
	}, nil
}

// toKernel hands a frame to the slow path.
func (w *Worker) toKernel(f SlowFrame) Verdict {
	pending := &w.Slow.pending[f.Remote]
	pending.Add(1)
	if !w.Slow.queue.Push(f) {
		pending.Add(-1)
		w.pool.Put(f.Desc.Addr)
		return NoNeighbour
	}
	return ToKernel
}
