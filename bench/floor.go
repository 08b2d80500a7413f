package bench

import (
	"time"

	"vxgw/dataplane"
	"vxgw/ring"
	"vxgw/vxlan"
)

// What the machine itself takes, measured in the same run: no gateway does without a load from a random cache line for each
// of a frame's two addresses, and none without looking at the frame and writing what is in front of it. Their sum is the
// floor that a packet's nanoseconds are compared with. It has no rings, no parsing and no decisions.

// loads is memory to load from at random, as large as an FDB.
type loads struct {
	lines []line
	unmap func() error
	seed  uint64
	sum   uint64 // keeps the compiler from leaving the loads out
}

func newLoads(bytes int) (*loads, error) {
	lines, unmap, err := mapLines(max(bytes/len64, 1))
	return &loads{lines: lines, unmap: unmap, seed: 88172645463325252}, err
}

// len64 is the bytes of a cache line.
const len64 = 64

// run makes n loads from random lines, in batches. With wait, a batch starts when the one before has arrived, as it does for a
// caller that uses what it looked up; without, nothing keeps the machine from as many at a time as it can.
func (l *loads) run(n, batch int, wait bool) {
	x, sum, lines := l.seed, uint64(0), l.lines
	size := uint64(len(lines))
	for range n / batch {
		if wait {
			x += sum & 1
		}
		for range batch {
			x = x*6364136223846793005 + 1442695040888963407
			sum += lines[(x>>32)*size>>32][0]
		}
	}
	l.seed, l.sum = x, l.sum+sum
}

// nsPerLoad is the median of many short slices, in nanoseconds.
func (l *loads) nsPerLoad(batch int, wait bool, d time.Duration) float64 {
	const slice = 1 << 15
	l.run(slice, batch, wait)
	return medianSlice(d, func() (time.Duration, int) {
		start := time.Now()
		l.run(slice, batch, wait)
		return time.Since(start), slice
	})
}

// medianSlice calls fn for a while and returns the median of what it took per piece, in nanoseconds.
func medianSlice(d time.Duration, fn func() (time.Duration, int)) float64 {
	var all []float64
	for end := time.Now().Add(d); time.Now().Before(end) || len(all) < 10; {
		took, n := fn()
		all = append(all, float64(took)/float64(max(n, 1)))
	}
	return median(all)
}

// touch is the floor of a loop's frames: the bench delivers them as ever, and instead of a worker a loop looks at each, and
// writes 50 bytes in front of it or (decap) nothing. It returns nanoseconds per frame. The loop is of no other use afterwards.
func (l *Loop) touch(d time.Duration) float64 {
	mem := l.site.plane.Memory
	pool := l.site.plane.Depot.NewPool()
	batch := make([]ring.Desc, dataplane.BatchSize)
	socket := l.receiver()
	header := [vxlan.Overhead]byte{1}
	sum := uint64(0)
	return medianSlice(d, func() (time.Duration, int) {
		var took time.Duration
		frames := 0
		for range sliceSteps {
			l.deliver()
			n := socket.Receive(batch)
			start := time.Since(l.epoch)
			for i := range batch[:n] {
				addr := batch[i].Addr
				if l.site.config.Direction == Encap {
					head := mem.Head(addr - vxlan.Overhead)
					sum += uint64(head[vxlan.Overhead]) + uint64(head[vxlan.Overhead+innerLen-1])
					*(*[vxlan.Overhead]byte)(head[:]) = header
					continue
				}
				head := mem.Head(addr)
				sum += uint64(head[0]) + uint64(head[vxlan.Overhead+innerLen-1])
			}
			took += time.Since(l.epoch) - start - l.reading
			frames += n
			for i := range batch[:n] {
				pool.Put(batch[i].Addr)
			}
			socket.Refill(pool)
		}
		header[1] = byte(sum)
		return took, frames
	})
}

// receiver is the socket of the interface that receives, of which there is only one.
func (l *Loop) receiver() *ring.Socket {
	if l.site.config.Direction == Decap {
		return l.queues[0].Socket
	}
	return l.queues[1].Socket
}
