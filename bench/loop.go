package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// A step of the loop:
//
//	deliver   the bench, as the kernel: frames off the fill ring, packets into them, descriptors onto rx
//	Round     the worker; the only part that is timed
//	take      the bench, as the kernel: descriptors off tx onto the completion ring

// LoopConfig says what a Loop measures.
type LoopConfig struct {
	Direction Direction
	MACs      int    // in the FDB, half of them on each side, each in use
	RingSize  uint32 // of each of the eight rings; 0 is what a gateway has
}

// gatewayRing is the size of a gateway's rings (gateway/iface.go).
const gatewayRing = 2048

// Loop is a worker between a port and a tunnel over rings in ordinary memory, saturated: each round finds a full batch. It
// belongs to one goroutine.
type Loop struct {
	plane   *dataplane.Plane
	worker  *dataplane.Worker
	rx, tx  *ring.Kernel // of the interface that receives, and the one that sends
	verdict dataplane.Verdict
	sample  func(packet []byte) error

	packets   traffic
	next      int // offset of the next packet
	epoch     time.Time
	reading   time.Duration // of the clock
	delivered uint64
	taken     uint64
}

// NewLoop builds the worker, with a full FDB and the way to the remote open. The caller closes it.
func NewLoop(c LoopConfig) (_ *Loop, err error) {
	if c.RingSize == 0 {
		c.RingSize = gatewayRing
	}
	l := &Loop{epoch: time.Now()}
	l.reading = readingTime(l.epoch)
	defer func() {
		if err != nil {
			l.Close()
		}
	}()
	if l.packets, err = newTraffic(c.Direction, c.MACs, max(c.MACs, 4096)); err != nil {
		return nil, err
	}
	mem, err := ring.NewMemory(int(10*c.RingSize), 4096)
	if err != nil {
		return nil, err
	}
	table, err := fdb.New(fdb.Config{MaxEntries: max(2*c.MACs, 1<<16)})
	if err != nil {
		return nil, errors.Join(err, mem.Close())
	}
	l.plane = dataplane.NewPlane(mem, table, dataplane.NewRemotes(16))
	if l.worker, err = l.plane.AddWorker(-1); err != nil {
		return nil, err
	}
	pool := l.plane.Depot.NewPool()
	port, portKernel := ring.NewLoopback(mem, c.RingSize, pool)
	wire, wireKernel := ring.NewLoopback(mem, c.RingSize, pool)
	pool.Drain()
	l.rx, l.tx, l.verdict, l.sample = portKernel, wireKernel, dataplane.ToRemote, checkPacket
	if c.Direction == Decap {
		l.rx, l.tx, l.verdict, l.sample = wireKernel, portKernel, dataplane.ToPort, checkInner
	}
	return l, l.publish(port, wire, uint32(c.MACs/2))
}

// publish gives the worker its snapshot, and the FDB its stations, half of them on each side.
func (l *Loop) publish(port, wire *ring.Socket, half uint32) error {
	const now = 1
	tunnel := &dataplane.Tunnel{
		Outer:  vxlan.TemplateConfig{SrcPorts: [2]uint16{49152, 65535}, InheritTOS: true, DstPort: vxlan.Port, SrcMAC: macBytes(underlayMAC)},
		Source: func(netip.Addr) netip.Addr { return underlayAddr }}
	number, err := l.plane.Remotes.Add(remoteAddr)
	if err != nil {
		return err
	}
	headers, err := tunnel.Headers(remoteAddr, macBytes(remoteMAC))
	if err != nil {
		return err
	}
	d := &dataplane.Domain{VNI: vni, Learning: true, Tunnel: tunnel, FloodPorts: []uint32{0}, FloodRemotes: []uint32{number}}
	l.plane.Tick(now)
	for i := range max(half, 1) {
		l.plane.FDB.Learn(fdb.MakeKey(0, nearSide.mac(i)), fdb.PortDest(0), now)
		l.plane.FDB.Learn(fdb.MakeKey(0, farSide.mac(i)), fdb.RemoteDest(number), now)
	}
	if n := l.plane.FDB.Len(); n != 2*int(max(half, 1)) {
		return fmt.Errorf("fill the FDB: it has %d entries instead of %d", n, 2*half)
	}
	l.plane.Publish(&dataplane.Snapshot{
		LocalMAC: underlayMAC,
		Locals:   []vxlan.Addr{vxlan.AddrOf(underlayAddr)},
		Underlay: true,
		Domains:  []*dataplane.Domain{d},
		VNIs:     dataplane.NewVNITable([]*dataplane.Domain{d}),
		Ports:    []*dataplane.Port{{MTU: 1500, Up: true}},
		Paths:    [][]dataplane.Path{{{State: dataplane.PathDirect, MTU: 1550, Headers: headers}}},
		Queues:   [][]*dataplane.Queue{{{Socket: wire, Port: dataplane.Underlay}, {Socket: port}}},
	})
	return nil
}

// Close gives the memory back.
func (l *Loop) Close() error {
	if l.plane == nil {
		return nil
	}
	if l.worker != nil {
		l.worker.Close()
	}
	return errors.Join(l.plane.FDB.Close(), l.plane.Memory.Close())
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
		s.Packets += l.deliver()
		start := time.Since(l.epoch)
		l.worker.Round()
		end := time.Since(l.epoch)
		l.take()
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

// deliver receives a batch and returns how many packets it has.
func (l *Loop) deliver() int {
	const headroom = 256 // what the kernel leaves in front of a packet (XDP_PACKET_HEADROOM)
	k := l.rx
	n := k.Rx.Reserve(k.Fill.Peek(dataplane.BatchSize))
	for i := range n {
		addr := k.Fill.At(i) + headroom
		copy(l.plane.Memory.Bytes(addr, uint32(l.packets.length)), l.packets.bytes[l.next:])
		if l.next += l.packets.stride; l.next == len(l.packets.bytes) {
			l.next = 0
		}
		slot := k.Rx.Slot(i)
		slot.Addr, slot.Len, slot.Options = addr, uint32(l.packets.length), 0
	}
	k.Fill.Release(n)
	k.Rx.Submit(n)
	l.delivered += uint64(n)
	return int(n)
}

// take completes everything that was sent.
func (l *Loop) take() {
	k := l.tx
	n := k.Completion.Reserve(k.Tx.Peek(k.Tx.Size()))
	for i := range n {
		k.Completion.Set(i, k.Tx.At(i).Addr)
	}
	k.Tx.Release(n)
	k.Completion.Submit(n)
	l.taken += uint64(n)
}

// Check fails unless every packet so far went where it had to, and what the next ones look like is right.
func (l *Loop) Check() error {
	n := l.deliver()
	l.worker.Round()
	var err error
	got := l.tx.Take(func(_ uint64, packet []byte) {
		if err == nil {
			err = l.sample(packet)
		}
	})
	l.taken += uint64(got)
	for l.worker.Round() > 0 { // until it has nothing to do, and counts what it did
	}
	switch v := l.worker.Counters.Verdicts[l.verdict].Load(); {
	case err != nil:
		return fmt.Errorf("check what the worker sent: %w", err)
	case got != n || l.taken != l.delivered || v != l.delivered:
		return fmt.Errorf("check what the worker sent: of %d packets %d were sent and %d have the verdict %v", l.delivered, l.taken, v, l.verdict)
	}
	return nil
}
