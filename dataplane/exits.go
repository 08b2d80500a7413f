package dataplane

import (
	"vxgw/ring"
	"vxgw/vxlan"
)

// ways is over how many of its own queues a worker spreads what leaves by one
// interface, at most; a power of two. A flow keeps to one way, so that it stays in
// order: towards the underlay the way comes from the flow's hash, towards a port from
// the queue that the frame was received on, which the sender's hash has chosen.
const ways = 4

// wayOf is the way of a flow to the underlay.
func wayOf(f vxlan.Flow) uint32 { return uint32(f>>32) & (ways - 1) }

// exit is how frames leave by a port as they are.
type exit struct {
	socket *ring.Socket // nil while the port is down, if no queue of it is this worker's, or for a port with a TagExit
	limit  uint32       // bytes of the longest frame, 0 without socket
}

// beyond is how they leave by any port: one of which this worker has no queue, or which has a
// TagExit, among them.
type beyond struct {
	lane   *lane        // to a worker that has a queue
	socket *ring.Socket // of this one; nil with a lane, or if the port is down
	limit  uint32       // bytes of the longest frame before a tag is put in front
	tag    uint32       // to put in front, 0 for none
	port   uint32       // whose queues these are
	bare   bool         // no frame with a tag leaves
}

// wire is how packets leave by the underlay.
type wire struct {
	socket *ring.Socket // nil while it is down, or if no queue of it is this worker's
	lane   *lane        // to a worker that has one, if this one has not
}

// ethernetAndTag is what an interface carries beside its MTU (is_skb_forwardable,
// include/linux/netdevice.h).
const ethernetAndTag = 14 + 4

// reach is what a worker has of one interface, in the order of its queues.
type reach struct {
	own   []*ring.Socket
	lanes []*lane
}

// drawnFor reports whether the ways out are as s has them: thousands of ports need not be
// gone through for a remote's new way.
func (w *Worker) drawnFor(s *Snapshot) bool {
	return len(w.exits[0]) == len(s.Ports) && s.Underlay == w.snap.Underlay && sameList(s.Ports, w.snap.Ports) && sameList(s.Queues, w.snap.Queues)
}

// sameList reports whether two lists share their memory.
func sameList[T any](a, b []T) bool { return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0] }

// drawExits finds the ways out of every interface that is up: by a queue of this
// worker where there is one, else by the workers that have them.
func (w *Worker) drawExits(s *Snapshot) {
	ports, under := w.reach(s)
	w.several, w.dressed = len(under.own) > 1, false
	for i := range ways {
		w.exits[i], w.beyond[i], w.wires[i] = make([]exit, len(ports)), make([]beyond, len(ports)), wire{}
		for number, r := range ports {
			p := s.Ports[number]
			if p == nil || !p.Up {
				continue
			}
			changes := p.Exit.changes()
			if n := len(r.own); n > 0 && !changes {
				w.exits[i][number] = exit{r.own[i%n], p.longest()}
			}
			w.beyond[i][number] = drawBeyond(i, p, ports)
			w.dressed = w.dressed || changes
		}
		if !s.Underlay {
			continue
		}
		if n := len(under.own); n > 0 {
			w.wires[i].socket = under.own[i%n]
		} else if n := len(under.lanes); n > 0 {
			w.wires[i].lane = under.lanes[i%n]
		}
	}
}

// longest is how many bytes a frame has that leaves by p, at most.
func (p *Port) longest() uint32 {
	carried := p.MTU
	if p.Most > 0 {
		carried = min(carried, p.Most)
	}
	return uint32(carried + ethernetAndTag)
}

// drawBeyond finds the way out number i of a port.
func drawBeyond(i int, p *Port, ports []reach) (b beyond) {
	b = beyond{port: p.Index, limit: p.longest(), tag: p.Exit.Tag, bare: p.Exit.Bare}
	if p.Exit.Member {
		b.port = p.Exit.Trunk
	}
	if b.tag != 0 {
		b.limit -= tagLen
	}
	if r := ports[b.port]; len(r.own) > 0 {
		b.socket = r.own[i%len(r.own)]
	} else if n := len(r.lanes); n > 0 {
		b.lane = r.lanes[i%n]
	}
	return b
}

// reach finds who has which queue of every port and of the underlay, and gives each
// queue of this worker its way.
func (w *Worker) reach(s *Snapshot) (ports []reach, under reach) {
	ports = make([]reach, len(s.Ports))
	for id, queues := range s.Queues {
		for _, q := range queues {
			r := &under
			if q.Port != Underlay {
				r = &ports[q.Port]
			}
			if id == w.ID {
				q.way = uint32(len(r.own)) & (ways - 1)
				r.own = append(r.own, q.Socket)
			} else if id < len(w.lanes) {
				r.lanes = append(r.lanes, w.lanes[id])
			}
		}
	}
	return ports, under
}

// wireUp reports whether packets can leave by the underlay.
func (w *Worker) wireUp() bool { return w.wires[0] != wire{} }
