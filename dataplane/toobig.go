package dataplane

import (
	"vxgw/ring"
	"vxgw/vxlan"
)

// Too big for the way to a remote or another port: the frame is lost, and its memory carries the
// answer back to its sender, out of the port that it came from.

// answersPerSecond is how many answers a port gets from one worker in a second: what
// the kernel's hosts send in all (icmp_msgs_per_sec, net/ipv4/icmp.c). By port, so
// that the flood of one container does not silence the answers to another.
const answersPerSecond = 1000

// allowances is how many ports a worker tells apart there; a power of two.
const allowances = 64

// allowance counts the answers to one port in the current second.
type allowance struct{ second, spent uint32 }

// tooBig ends a frame from row i, or a copy of it, that is longer than most bytes.
func (w *Worker) tooBig(i int, desc ring.Desc, most int) Verdict {
	if !w.answer(i, desc, most) {
		w.pool.Put(desc.Addr)
	}
	return TooBig
}

// tooBigForPort ends one that is longer than a port's limit, of which a part is for a VLAN
// tag (ethernetAndTag): an answer does not promise that to packets without one. A copy gets
// no answer: the frame was meant for somebody else, whom another copy may have reached.
func (w *Worker) tooBigForPort(i int, desc ring.Desc, limit uint32, kind kind) Verdict {
	if kind == duplicate {
		w.pool.Put(desc.Addr)
		return TooBig
	}
	return w.tooBig(i, desc, int(limit)-tagLen)
}

// answer sends a frame back as the answer to itself. It reports false when there is
// none: the frame is still the caller's.
func (w *Worker) answer(i int, desc ring.Desc, most int) bool {
	port := w.batch.from[i]
	if port.IsRemote() || desc.Addr&w.offsets < vxlan.TooBigRoom {
		return false
	}
	a := &w.answers[port.Index()&(allowances-1)]
	if a.second != w.now {
		*a = allowance{second: w.now}
	}
	if a.spent == answersPerSecond {
		return false
	}
	b := w.mem.Bytes(desc.Addr-vxlan.TooBigRoom, desc.Len+vxlan.TooBigRoom)
	var in vxlan.Inner
	if vxlan.ParseInner(b[vxlan.TooBigRoom:], &in) != vxlan.OK {
		return false
	}
	start, end := vxlan.PutTooBig(b, &in, most-in.L3)
	back := ring.Desc{Addr: desc.Addr - vxlan.TooBigRoom + uint64(start), Len: uint32(end - start)}
	if end == 0 || !w.sendBack(port.Index(), back) {
		return false
	}
	if w.taps != nil {
		w.tapAnswer(i, desc.Addr)
	}
	a.spent++
	w.tally.answers++
	w.batch.from[i] = nobody // one answer per frame, however many of its copies do not fit
	return true
}

// sendBack sends an answer out of a port. It reports false when that takes none: the frame
// is still the caller's.
func (w *Worker) sendBack(port uint32, desc ring.Desc) bool {
	if e := &w.exits[w.way][port]; e.socket != nil {
		return desc.Len <= e.limit && e.socket.Send(desc)
	}
	b := &w.beyond[w.way][port]
	if b.socket == nil || desc.Len > b.limit || b.tag != 0 && !w.push(&desc, b.tag) {
		return false
	}
	return b.socket.Send(desc)
}
