package dataplane

import "vxgw/ring"

// A frame that must leave by an interface of which its worker has no queue crosses
// over to a worker that has one: staged in a lane during the round, shown at its
// end, sent by the other worker at the start of its next round. Only the descriptor
// moves. The frame's verdict is given, once, where it is sent or dropped.

// laneSize is how many frames may be on their way from one worker to another.
const laneSize = 1024

// lane leads from one worker to another. The descriptor's Options say where the
// frame leaves, see crossing.
type lane struct {
	*Exchange[ring.Desc]
	to *Worker
}

// crossing says by which interface a frame leaves, and which of its ways it takes,
// and whether it is a copy that flooding made.
type crossing uint32

const (
	crossingCopy = 1 << 0
	crossingWay  = 1 // where the way's bits begin
	crossingPort = 3 // where the port's bits begin

	// underlayCrossing stands for the underlay where a port's number is expected;
	// numbers of ports are at most fdb.MaxIndex, which is less.
	underlayCrossing = 1<<(32-crossingPort) - 1
)

func makeCrossing(port, way uint32, kind kind) crossing {
	return crossing(port<<crossingPort | way<<crossingWay | uint32(kind))
}

func (c crossing) port() uint32 { return uint32(c) >> crossingPort }
func (c crossing) way() uint32  { return uint32(c) >> crossingWay & (ways - 1) }
func (c crossing) kind() kind   { return kind(c & crossingCopy) }

// kind tells a received frame from a copy of one.
type kind uint32

const (
	original  kind = 0
	duplicate kind = crossingCopy
)

// cross hands a frame to another worker. It is gone afterwards.
func (w *Worker) cross(l *lane, port, way uint32, kind kind, desc ring.Desc) Verdict {
	desc.Options = uint32(makeCrossing(port, way, kind))
	if !l.Push(desc) {
		w.pool.Put(desc.Addr)
		return LaneFull
	}
	return gone
}

// takeOver sends what other workers have handed over, and returns how many frames
// those were. What was shown before the call is gone afterwards.
func (w *Worker) takeOver() (taken int) {
	for _, in := range w.arriving {
		for range laneSize / BatchSize {
			n := in.Take(w.batch.desc[:])
			if n == 0 {
				break
			}
			taken += n
			for _, desc := range w.batch.desc[:n] {
				w.leave(crossing(desc.Options), desc)
			}
		}
	}
	return taken
}

// leave sends a frame that has crossed over.
func (w *Worker) leave(c crossing, desc ring.Desc) {
	socket, v := w.wires[c.way()].socket, ToRemote
	if port := c.port(); port != underlayCrossing {
		socket, v = nil, ToPort
		if exits := w.exits[c.way()]; port < uint32(len(exits)) {
			if socket = exits[port].socket; socket == nil {
				socket = w.beyond[c.way()][port].socket // its tag is as it is to be
			}
		}
	}
	switch {
	case socket == nil:
		v = PortDown
	case !socket.Send(desc):
		v = TxFull
	}
	w.count(v, c.kind())
	if v.Drop() {
		w.stuck(c.port(), v)
		if w.taps != nil {
			w.tapStray(c.port(), v, desc.Addr, w.mem.Bytes(desc.Addr, desc.Len))
		}
		w.pool.Put(desc.Addr)
	}
}

// count notes what became of a frame or of a copy.
func (w *Worker) count(v Verdict, kind kind) {
	if kind == duplicate {
		w.copied(v)
	} else {
		w.tally.verdicts[v]++
	}
}

// showLanes shows the frames that cross over to their next workers, and wakes those
// that sleep.
func (w *Worker) showLanes() {
	for _, l := range w.lanes {
		if l != nil && l.Publish() && l.to.asleep.Load() {
			l.to.Wake()
		}
	}
}

// lanesEmpty reports whether no other worker has handed anything over.
func (w *Worker) lanesEmpty() bool {
	for _, in := range w.arriving {
		if !in.Empty() {
			return false
		}
	}
	return true
}

// drainLanes frees what was handed over and not taken. No worker runs any more.
func (w *Worker) drainLanes() {
	for _, in := range w.arriving {
		in.drain(func(d ring.Desc) { w.pool.Put(d.Addr) })
	}
}

// connect makes the lanes between w and the workers before it.
func (p *Plane) connect(w *Worker) {
	w.lanes = make([]*lane, w.ID+1)
	for _, o := range p.workers {
		there, back := NewExchange[ring.Desc](laneSize), NewExchange[ring.Desc](laneSize)
		w.lanes[o.ID] = &lane{there, o}
		o.arriving = append(o.arriving, there)
		o.lanes = append(o.lanes, &lane{back, w})
		w.arriving = append(w.arriving, back)
	}
}
