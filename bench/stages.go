package bench

import (
	"fmt"
	"strings"
	"time"

	"vxgw/dataplane"
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// Stages says where a packet's nanoseconds go. The worker cannot be asked, since clocks in it would be part of what is measured. So
// a loop of the bench's own makes the same calls of the packages below, in the same order, for the same packets, with a reading of
// the clock between two stages; Worker is the worker itself, and Other what it does beside: the learn check, decisions, counters
// and the batch's table, less what the machine overlaps of two stages where no clock is between them. Other may thus be negative.
type Stages struct {
	Direction Direction `json:"direction"`
	MACs      int       `json:"macs"`
	Receive   float64   `json:"receive_ns"` // Socket.Receive
	Parse     float64   `json:"parse_ns"`   // QuickOuter, QuickInner
	LookUp    float64   `json:"lookup_ns"`  // Table.LookupBatch of both addresses
	Emit      float64   `json:"emit_ns"`    // Template.Put, Socket.Send
	Publish   float64   `json:"publish_ns"` // Flush, Reap, Refill
	Other     float64   `json:"other_ns"`
	Worker    float64   `json:"worker_ns"`
}

// String is the stages in a line.
func (s Stages) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %d MACs:", s.Direction, s.MACs)
	for _, p := range append(s.parts(), part{"= worker", s.Worker}) {
		fmt.Fprintf(&b, "  %s %.1f", p.name, p.ns)
	}
	return b.String()
}

// part is a stage and what a packet costs in it.
type part struct {
	name string
	ns   float64
}

// parts are the stages in the order in which a packet goes through them.
func (s Stages) parts() []part {
	return []part{{"receive", s.Receive}, {"parse", s.Parse}, {"look-up", s.LookUp}, {"emit", s.Emit}, {"publish", s.Publish}, {"other", s.Other}}
}

// stageCount is how many stages there are.
const stageCount = 5

// staging is the loop of the stages.
type staging struct {
	loop     *Loop
	in, out  *ring.Socket
	pool     *ring.Pool
	template vxlan.Template
	batch    [dataplane.BatchSize]ring.Desc
	flow     [dataplane.BatchSize]vxlan.Flow
	keys     [2 * dataplane.BatchSize]fdb.Key
	values   [2 * dataplane.BatchSize]fdb.Value
	spent    [stageCount]time.Duration
	packets  int
	lost     int // packets that a stage did not know what to do with
}

// stages measures the stages in turns with the worker, at a site of their own.
func stages(c LoopConfig, d time.Duration) (r Stages, err error) {
	worker, err := NewLoop(c)
	if err != nil {
		return r, err
	}
	defer worker.Close()
	apart, err := NewLoop(c)
	if err != nil {
		return r, err
	}
	defer apart.Close()
	s := newStaging(apart)
	worker.warm()
	for range max(sliceSteps, apart.packets.count/batchSteps) {
		s.step()
	}
	var whole []float64
	var parts [stageCount][]float64
	for end := time.Now().Add(d); time.Now().Before(end) || len(whole) < 10; {
		ns, _ := worker.Run(sliceSteps).NsPerPacket()
		whole = append(whole, ns)
		s.spent, s.packets = [stageCount]time.Duration{}, 0
		for range sliceSteps {
			s.step()
		}
		for i, t := range s.spent {
			parts[i] = append(parts[i], float64(t-sliceSteps*apart.reading)/float64(s.packets))
		}
	}
	if s.lost > 0 {
		return r, fmt.Errorf("measure the stages: %d packets are of another kind", s.lost)
	}
	r = Stages{Direction: c.Direction, MACs: c.MACs, Worker: round2(median(whole))}
	r.Other = r.Worker
	for i, ns := range []*float64{&r.Receive, &r.Parse, &r.LookUp, &r.Emit, &r.Publish} {
		*ns = round2(median(parts[i]))
		r.Other = round2(r.Other - *ns)
	}
	return r, worker.Check()
}

func newStaging(l *Loop) *staging {
	s := &staging{loop: l, in: l.queues[1].Socket, out: l.queues[0].Socket, pool: l.site.plane.Depot.NewPool()}
	if l.site.config.Direction == Decap {
		s.in, s.out = s.out, s.in
	}
	s.template = l.site.plane.Snapshot().Paths[0][0].Headers.Template
	return s
}

// step is a round in stages.
func (s *staging) step() {
	l := s.loop
	l.deliver()
	at := [stageCount + 1]time.Duration{time.Since(l.epoch)}
	n := s.in.Receive(s.batch[:])
	at[1] = time.Since(l.epoch)
	if l.site.config.Direction == Encap {
		s.parseInner(n)
	} else {
		s.parseOuter(n)
	}
	at[2] = time.Since(l.epoch)
	l.site.plane.FDB.LookupBatch(s.keys[:2*n], s.values[:2*n])
	at[3] = time.Since(l.epoch)
	s.emit(n)
	at[4] = time.Since(l.epoch)
	_ = s.out.Flush() // of a loopback, which is never down
	for _, socket := range []*ring.Socket{s.out, s.in} {
		socket.Reap(s.pool)
		socket.Refill(s.pool)
	}
	at[5] = time.Since(l.epoch)
	l.take()
	for i := range s.spent {
		s.spent[i] += at[i+1] - at[i]
	}
	s.packets += n
}

func (s *staging) parseInner(n int) {
	mem := s.loop.site.plane.Memory
	for i := range n {
		head := mem.Head(s.batch[i].Addr)
		dst, src, flow, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(head[:]), int(s.batch[i].Len))
		if !ok {
			dst, src, flow = s.parseSlowly(i)
		}
		s.flow[i], s.keys[i], s.keys[n+i] = flow, fdb.MakeKey(0, src), fdb.MakeKey(0, dst)
	}
}

func (s *staging) parseOuter(n int) {
	mem := s.loop.site.plane.Memory
	for i := range n {
		head := mem.Head(s.batch[i].Addr)
		_, _, _, end, known := vxlan.QuickOuter((*[vxlan.Overhead]byte)(head[:]), int(s.batch[i].Len))
		dst, src, flow, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(head[vxlan.Overhead:]), end-vxlan.Overhead)
		if !known {
			s.lost++
		}
		s.batch[i].Addr += vxlan.Overhead
		s.batch[i].Len = uint32(end - vxlan.Overhead)
		if !ok {
			dst, src, flow = s.parseSlowly(i)
		}
		s.flow[i], s.keys[i], s.keys[n+i] = flow, fdb.MakeKey(0, src), fdb.MakeKey(0, dst)
	}
}

// parseSlowly parses the few inner frames that QuickInner leaves alone: of 65,536 checksums one is not settled.
func (s *staging) parseSlowly(i int) (dst, src uint64, flow vxlan.Flow) {
	frame := s.loop.site.plane.Memory.Bytes(s.batch[i].Addr, s.batch[i].Len)
	var in vxlan.Inner
	if vxlan.ParseInner(frame, &in) != vxlan.OK {
		s.lost++
	}
	vxlan.Mend(frame, &in)
	return in.Dst, in.Src, in.Flow()
}

func (s *staging) emit(n int) {
	mem, encap := s.loop.site.plane.Memory, s.loop.site.config.Direction == Encap
	for i := range n {
		d := s.batch[i]
		if encap {
			d.Addr -= vxlan.Overhead
			head := mem.Head(d.Addr)
			s.template.Put((*[vxlan.Overhead]byte)(head[:]), int(d.Len), vni, s.flow[i], uint16(i))
			d.Len += vxlan.Overhead
		}
		if !s.values[n+i].Found() || !s.out.Send(ring.Desc{Addr: d.Addr, Len: d.Len}) {
			s.lost++
		}
	}
}
