package dataplane

import (
	"vxgw/fdb"
	"vxgw/vxlan"
)

// From a port: parse -> finish checksums -> look up -> learn and decide -> emit.

// fromPort works on the n frames that were received on a port and returns how
// many bytes they had.
func (w *Worker) fromPort(port uint32, n int) (bytes uint64) {
	b, n := &w.batch, min(n, BatchSize)
	d, from := w.snap.Domains[w.snap.Ports[port].Domain], fdb.PortDest(port)
	domain := fdb.MakeKey(d.Index, 0)
	for i := range n {
		desc := &b.desc[i]
		bytes += uint64(desc.Len)
		if head := w.mem.Head(desc.Addr); head != nil {
			if dst, src, flow, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(head[:]), int(desc.Len)); ok {
				b.parsed(i, n, domain, from, dst, src, flow)
				continue
			}
		}
		dst, src, flow, v := parse(w.mem.Bytes(desc.Addr, desc.Len))
		if v != undecided {
			b.drop(i, n, v)
			continue
		}
		b.parsed(i, n, domain, from, dst, src, flow)
	}
	w.plane.FDB.LookupBatch(b.keys[:2*n], b.values[:2*n])
	fresh := fdb.Seen(from, w.now)
	for i := range n {
		if b.verdict[i] != undecided {
			continue
		}
		if b.values[i] != fresh {
			w.learn(i)
		}
		b.decide(i, n)
	}
	w.encapAll(d, n)
	w.emit(n)
	return bytes
}

// parse judges a frame that QuickInner leaves to it, and finishes its checksums.
func parse(frame []byte) (dst, src uint64, flow vxlan.Flow, v Verdict) {
	var in vxlan.Inner
	if vxlan.ParseInner(frame, &in) != vxlan.OK {
		return 0, 0, 0, InnerShort
	}
	if v := admit(in.Dst, in.Src); v != undecided {
		return 0, 0, 0, v
	}
	vxlan.Mend(frame, &in)
	return in.Dst, in.Src, in.Flow(), undecided
}

// learn notes where row i's source is. It reports false when a static or extern
// entry pins that address to another place.
func (w *Worker) learn(i int) bool {
	b := &w.batch
	v, from := b.values[i], b.from[i]
	switch {
	case !w.domain(i).Learning, v.Fresh(from, w.now):
		return true
	case from == nobody:
		return !v.Found() || v.Kind() == fdb.Learned
	}
	return w.plane.FDB.Learn(b.keys[i], from, w.now) != fdb.RefusedStatic
}

// domain is the bridge domain of row i.
func (w *Worker) domain(i int) *Domain { return w.snap.Domains[w.batch.keys[i].Domain()] }

// decide finds the target of row i: what the FDB knows, or flood.
func (b *batch) decide(i, n int) {
	v := b.values[n+i]
	if !v.Found() {
		b.target[i] = flood
		return
	}
	to, from := v.Dest(), b.from[i]
	b.target[i] = to
	if to == from || to.IsRemote() && from.IsRemote() {
		b.verdict[i] = SamePort
		if from.IsRemote() {
			b.verdict[i] = SplitHorizon
		}
	}
}
