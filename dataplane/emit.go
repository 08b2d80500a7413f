package dataplane

import (
	"vxgw/fdb"
	"vxgw/ring"
)

// Emit: to a port as it is, to a remote behind the outer headers, or to many.
// Whoever cannot pass a frame on frees it and says why.

// deliverAll sends the rows of a batch from the tunnel that nothing is left to decide
// of: the source is where the FDB has it, and the destination is behind a port that
// takes the frame. It leaves the others undecided and returns how many it sent.
func (w *Worker) deliverAll(n int) (sent int) {
	b, n := &w.batch, min(n, BatchSize)
	exits, fresh := w.exits[w.way], fdb.Seen(0, w.now)
	for i := range n {
		v := b.values[n+i]
		to := v.Dest()
		number := int(to.Index())
		if !v.Found() || to.IsRemote() || number >= len(exits) { // dropped rows have no value
			continue
		}
		if b.values[i] != fresh|fdb.Value(b.from[i]) && !w.nothingNew(i) {
			continue
		}
		e, desc := &exits[number], b.desc[i]
		if desc.Len > e.limit || !e.socket.Send(desc) {
			continue
		}
		b.verdict[i] = gone
		sent++
	}
	return sent
}

// emit sends or frees those of the n frames of the batch that are still there, in
// the order they came, and counts their verdicts.
func (w *Worker) emit(n int) {
	b, n := &w.batch, min(n, BatchSize)
	for i := range n {
		v := b.verdict[i]
		switch to := b.target[i]; {
		case v == gone:
			continue
		case v != undecided:
			w.pool.Put(b.desc[i].Addr)
		case to >= answeredAlone:
			v = w.flood(i)
		default:
			v = w.send(i, to, b.desc[i], original)
		}
		b.given[i] = v
		w.tally.verdicts[v]++
		if v.Drop() {
			w.lost(i, v)
		}
	}
}

// send passes row i's frame, or a copy of it that desc names, to one destination.
// The frame is gone afterwards, whatever the verdict; gone itself is the verdict
// that another worker gives.
func (w *Worker) send(i int, to fdb.Dest, desc ring.Desc, kind kind) Verdict {
	v := undecided
	if !to.IsRemote() {
		v = w.toPort(i, to.Index(), desc, kind)
	} else if v = w.toRemote(i, to.Index(), desc, kind); !v.Drop() {
		w.forwarded(i, to.Index(), desc.Len)
	}
	if v.Drop() {
		w.stuck(leavesBy(to), v)
		if kind == duplicate && w.taps != nil {
			w.tapLost(i, to, v)
		}
	}
	return v
}

// toPort sends row i's frame, or a copy of it, to a local port. An entry may name one that
// the snapshot does not know yet, or any more.
func (w *Worker) toPort(i int, port uint32, desc ring.Desc, kind kind) Verdict {
	if port >= uint32(len(w.exits[w.way])) {
		w.pool.Put(desc.Addr)
		return PortDown
	}
	e := &w.exits[w.way][port]
	v := ToPort
	switch {
	case e.socket == nil:
		return w.toBeyond(i, &w.beyond[w.way][port], desc, kind)
	case desc.Len > e.limit:
		return w.tooBigForPort(i, desc, e.limit, kind)
	case !e.socket.Send(desc):
		v = TxFull
	default:
		return ToPort
	}
	w.pool.Put(desc.Addr)
	return v
}

// flood sends row i's frame to every other port of its domain that may have it and, when
// it came from a port, to the domain's remotes or group, unless its target is less than
// flood. The last one gets the frame itself, the others get copies.
func (w *Worker) flood(i int) Verdict {
	b := &w.batch
	d, from := w.domain(i), b.from[i]
	remotes := d.FloodRemotes
	if from.IsRemote() || b.target[i] != flood {
		remotes = nil
	}
	ports := d.FloodPorts
	switch {
	case b.target[i] == answeredAlone:
		ports = nil
	case w.isolated && w.apart(from.Index()):
		ports = d.OpenPorts
	}
	if w.taps != nil {
		w.tapFlooding(i)
	}
	last := flood
	for _, p := range ports {
		if to := fdb.PortDest(p); to != from {
			w.copyTo(i, last)
			last = to
		}
	}
	for _, r := range remotes {
		w.copyTo(i, last)
		last = fdb.RemoteDest(r)
	}
	switch {
	case b.target[i] <= answered:
		w.copyTo(i, last)
		return w.reply(i)
	case last == flood:
		w.pool.Put(b.desc[i].Addr)
		return w.withheld(i, NoTarget)
	}
	w.copied(w.send(i, last, b.desc[i], duplicate))
	return w.withheld(i, Flooded)
}

// copyHeadroom is the room in front of a copy, in bytes: as much as the kernel
// leaves in front of what it received (XDP_PACKET_HEADROOM).
const copyHeadroom = 256

// copyTo sends a copy of row i's frame; to nobody when that is what to says.
func (w *Worker) copyTo(i int, to fdb.Dest) {
	if to == flood {
		return
	}
	addr, ok := w.pool.Get()
	if !ok {
		w.copied(NoFrame)
		w.stuck(leavesBy(to), NoFrame)
		if w.taps != nil {
			w.tapLost(i, to, NoFrame)
		}
		return
	}
	desc := w.batch.desc[i]
	copied := ring.Desc{Addr: addr + copyHeadroom, Len: desc.Len}
	if w.taps != nil {
		w.tapCopied(i, addr)
	}
	copy(w.mem.Bytes(copied.Addr, copied.Len), w.mem.Bytes(desc.Addr, desc.Len))
	w.copied(w.send(i, to, copied, duplicate))
}

func (w *Worker) copied(v Verdict) {
	w.tally.copies[v]++
	w.tally.copied = true
}
