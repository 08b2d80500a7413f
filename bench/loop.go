package bench

import (
	"time"

	"vxgw/dataplane"
	"vxgw/ring"
)

// A step of the loop:
//
//	deliver   the bench, as the kernel: frames off the fill ring, packets into them, descriptors onto rx
//	Round     the worker; the only part that is timed
//	take      the bench, as the kernel: descriptors off tx onto the completion ring; and what the mix changed is undone

// LoopConfig says what a Loop measures.
type LoopConfig struct {
	Direction Direction
	Mix       Mix
	MACs      int    // in the FDB, half of them on each side
	VNIs      int    // bridge domains, each with ports of its own; 0 is 1
	Trunk     bool   // or each with a VLAN of one port
	Remotes   int    // VTEPs that the far stations are behind; 0 is 1
	Copies    int    // Flood: of each frame; 0 is 1
	Beside    int    // destinations that move each second while it is measured, see mover
	Room      int    // entries that the FDB has room for beside
	Seed      uint64 // of the FDB's hash; 0 is a random one, as a gateway has
	RingSize  uint32 // of each of the underlay's four rings, and of the ports' while there are few; 0 is what a gateway has
}

// gatewayRing is the size of a gateway's rings (gateway/frames.go), and packetMost the most packets that are prepared: more
// stations than that meet as many cache misses.
const (
	gatewayRing = 2048
	packetMost  = 1 << 22
)

// complete sets the defaults.
func (c *LoopConfig) complete() {
	if c.RingSize == 0 {
		c.RingSize = gatewayRing
	}
	c.VNIs, c.Remotes, c.Copies = max(c.VNIs, 1), max(c.Remotes, 1), max(c.Copies, 1)
	if c.Direction == Encap {
		c.Remotes = max(c.Remotes, c.Copies)
	}
	if c.Beside > 0 && c.Direction == Encap {
		c.Remotes = max(c.Remotes, 2)
	} else if c.Beside > 0 {
		c.Copies = max(c.Copies, 2)
	}
}

// half is how many stations are on each side: as many in each domain.
func (c *LoopConfig) half() uint32 {
	return uint32(max(c.MACs/2/c.VNIs, 1) * c.VNIs)
}

// portRing is the size of a port's rings. With thousands of ports they are short, so that the frames fit into memory.
func (c *LoopConfig) portRing() uint32 {
	switch {
	case c.VNIs <= 8 || c.Trunk:
		return c.RingSize
	case c.VNIs <= 256:
		return 64 // the shortest that a gateway has
	}
	return 16
}

// sides returns where the frames come from and where they go.
func (c *LoopConfig) sides() (from, to side) {
	from, to = c.Direction.sides()
	switch c.Mix {
	case Learn:
		from = newcomers
	case Move:
		from = wanderers
	}
	return from, to
}

// Loop is a worker between ports and a tunnel over rings in ordinary memory, saturated: each round finds a full batch. It
// belongs to one goroutine.
type Loop struct {
	site   *site
	worker *dataplane.Worker
	queues []*dataplane.Queue // the underlay's, then the ports'
	rx, tx []*ring.Kernel     // of the interfaces that receive, and of those that send

	packets   traffic
	next      int // the next packet
	done      int // the first of those of the batch at hand
	epoch     time.Time
	reading   time.Duration // of the clock
	delivered uint64
	taken     uint64
	stuck     uint64 // Full: sent before the tx ring was full
}

// NewLoop builds the worker, with a full FDB and the way to the remote open. The caller closes it.
func NewLoop(c LoopConfig) (*Loop, error) {
	s, err := newSite(c, 1)
	if err != nil {
		return nil, err
	}
	return s.loops[0], nil
}

// Close gives the memory back, also that of the other workers at its site.
func (l *Loop) Close() error { return l.site.close() }

// newLoop adds a worker to a site, with queues of its own of every interface. Seed makes its frames others than those of the next one.
func newLoop(s *site, seed uint64) (l *Loop, err error) {
	c := &s.config
	l = &Loop{site: s, epoch: time.Now()}
	l.reading = readingTime(l.epoch)
	if l.packets, err = s.newTraffic(seed); err != nil {
		return nil, err
	}
	if l.worker, err = s.plane.AddWorker(-1); err != nil {
		return nil, err
	}
	pool := s.plane.Depot.NewPool()
	wire, wireKernel := ring.NewLoopback(s.plane.Memory, c.RingSize, pool)
	l.queues = append(l.queues, &dataplane.Queue{Socket: wire, Port: dataplane.Underlay})
	wires, ports := []*ring.Kernel{wireKernel}, []*ring.Kernel(nil)
	for p := range s.queuedPorts() {
		socket, kernel := ring.NewLoopback(s.plane.Memory, c.portRing(), pool)
		l.queues, ports = append(l.queues, &dataplane.Queue{Socket: socket, Port: p}), append(ports, kernel)
	}
	pool.Drain()
	if l.rx, l.tx = ports, wires; c.Direction == Decap {
		l.rx, l.tx = wires, ports
	}
	if c.Mix == Full {
		l.stuck = uint64(c.RingSize)
	}
	return l, nil
}

// Spent is where the time of some steps went.
type Spent struct {
	Packets         int
	Worker, Harness time.Duration // in rounds, and in what the bench does around them
}

// Add adds o to s.
func (s *Spent) Add(o Spent) {
	s.Packets += o.Packets
	s.Worker += o.Worker
	s.Harness += o.Harness
}

// NsPerPacket returns what a packet costs the worker and the harness, in nanoseconds.
func (s Spent) NsPerPacket() (worker, harness float64) {
	n := float64(max(s.Packets, 1))
	return float64(s.Worker) / n, float64(s.Harness) / n
}

// Run makes n steps. What reading the clock takes is not in the result.
func (l *Loop) Run(n int) (s Spent) {
	last := time.Since(l.epoch)
	for range n {
		l.step()
		s.Packets += l.deliver()
		start := time.Since(l.epoch)
		l.worker.Round()
		end := time.Since(l.epoch)
		l.take()
		l.undo()
		s.Worker += end - start
		s.Harness += start - last
		last = time.Since(l.epoch)
		s.Harness += last - end
	}
	s.Worker -= time.Duration(n) * l.reading
	s.Harness -= time.Duration(2*n) * l.reading
	return s
}

// readingTime measures what one reading of the clock takes: the shortest of several tries, since a preemption makes one long.
func readingTime(epoch time.Time) time.Duration {
	const n = 1 << 12
	best := time.Hour
	for range 10 {
		start := time.Since(epoch)
		for range n - 1 {
			time.Since(epoch)
		}
		best = min(best, time.Since(epoch)-start)
	}
	return best / n
}
