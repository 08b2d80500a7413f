package dataplane

import (
	"vxgw/fdb"
	"vxgw/vxlan"
)

// From a port: parse -> finish checksums -> look up -> learn and decide -> emit.

// fromPort works on the n frames that were received on a port.
func (w *Worker) fromPort(port uint32, n int) {
	b := &w.batch
	p := w.snap.Ports[port]
	d := w.snap.Domains[p.Domain]
	from := fdb.PortDest(port)
	for i := range n {
		desc := b.desc[i]
		b.length[i] = desc.Len
		frame := w.mem.Bytes(desc.Addr, desc.Len)
		in := &b.inner[i]
		if vxlan.ParseInner(frame, in) != vxlan.OK {
			b.drop(i, n, InnerShort)
			continue
		}
		if v := admit(in); v != undecided {
			b.drop(i, n, v)
			continue
		}
		vxlan.Mend(frame, in)
		b.verdict[i] = undecided
		b.parsed(i, n, d, from)
	}
	w.plane.FDB.LookupBatch(b.keys[:2*n], b.values[:2*n])
	for i := range n {
		if b.verdict[i] == undecided {
			w.learn(i)
			w.decide(i, n)
		}
	}
	w.emit(n)
}

// learn notes where row i's source is. It reports false when a static or extern
// entry pins that address to another place.
func (w *Worker) learn(i int) bool {
	b := &w.batch
	v, from := b.values[i], b.from[i]
	switch {
	case !b.domain[i].Learning, v.Fresh(from, w.now):
		return true
	case from == nobody:
		return !v.Found() || v.Kind() == fdb.Learned
	}
	return w.plane.FDB.Learn(b.keys[i], from, w.now) != fdb.RefusedStatic
}

// decide finds the target of row i: what the FDB knows, or flood.
func (w *Worker) decide(i, n int) {
	b := &w.batch
	v := b.values[n+i]
	if !v.Found() {
		b.target[i] = flood
		return
	}
	to := v.Dest()
	b.target[i] = to
	switch {
	case to.IsRemote() && b.from[i].IsRemote():
		b.verdict[i] = SplitHorizon
	case to == b.from[i]:
		b.verdict[i] = SamePort
	}
}
