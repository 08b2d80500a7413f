package dataplane

import (
	"encoding/binary"

	"vxgw/fdb"
	"vxgw/ring"
)

// To a port whose frames leave with other tags than they have, or by another worker.

// deliverEach is deliverAll where there are ports with a TagExit.
func (w *Worker) deliverEach(n int) (sent int) {
	b, n := &w.batch, min(n, BatchSize)
	exits, fresh := w.beyond[w.way], fdb.Seen(0, w.now)
	for i := range n {
		v := b.values[n+i]
		to := v.Dest()
		number := int(to.Index())
		if !v.Found() || to.IsRemote() || number >= len(exits) { // dropped rows have no value
			continue
		}
		e, desc := &exits[number], b.desc[i]
		if e.socket == nil || desc.Len > e.limit || e.bare && w.isTagged(desc) {
			continue
		}
		if b.values[i] != fresh|fdb.Value(b.from[i]) && !w.nothingNew(i) {
			continue
		}
		if e.tag != 0 && !w.push(&desc, e.tag) {
			continue
		}
		if !e.socket.Send(desc) { // it is not as it was
			b.desc[i], b.verdict[i] = desc, TxFull
			w.stuck(to.Index(), TxFull)
			continue
		}
		b.verdict[i] = gone
		sent++
	}
	return sent
}

// isTagged reports whether a frame has a tag.
func (w *Worker) isTagged(desc ring.Desc) bool {
	return isTag(binary.BigEndian.Uint16(w.mem.Bytes(desc.Addr, ethernet)[atType:]))
}

// toBeyond sends row i's frame, or a copy of it, to a port that is not one of this worker's
// sockets with frames as they are: b says how it leaves.
func (w *Worker) toBeyond(i int, b *beyond, desc ring.Desc, kind kind) Verdict {
	v := ToPort
	switch {
	case b.socket == nil && b.lane == nil:
		v = PortDown
	case b.bare && w.isTagged(desc):
		v = InnerVLAN
	case desc.Len > b.limit:
		limit := b.limit
		if b.tag != 0 {
			limit += tagLen // of which none is left for another one
		}
		return w.tooBigForPort(i, desc, limit, kind)
	case b.tag != 0 && !w.push(&desc, b.tag):
		v = NoHeadroom
	case b.lane != nil:
		return w.cross(b.lane, b.port, w.way, kind, desc)
	case !b.socket.Send(desc):
		v = TxFull
	default:
		return ToPort
	}
	w.pool.Put(desc.Addr)
	return v
}
