package dataplane

import (
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// From an interface whose tags do not stay in its frames: find the VLAN, take the tag off
// -> parse -> finish checksums -> look up -> send what nothing is left to decide of
// -> learn, decide and emit the rest.

// fromTagged works on n frames of an interface whose tags do not stay in them, as fromPort
// does on others.
func (w *Worker) fromTagged(port uint32, t *Tagging, n int) (bytes uint64) {
	b, n := &w.batch, min(n, BatchSize)
	w.from = port
	for i := range n {
		desc := &b.desc[i]
		bytes += uint64(desc.Len)
		of, v := w.untag(t, port, desc)
		from := fdb.PortDest(of.Port)
		if !of.Mapped {
			from = nobody
		}
		if v != undecided {
			b.from[i] = from
			b.drop(i, n, v)
			continue
		}
		domain := fdb.MakeKey(of.Domain, 0)
		if head := w.mem.Head(desc.Addr); head != nil {
			if dst, src, flow, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(head[:]), int(desc.Len)); ok {
				b.parsed(i, n, domain, from, dst, src, flow)
				continue
			}
		}
		dst, src, flow, v := w.parse(w.snap.Domains[of.Domain], from, w.mem.Bytes(desc.Addr, desc.Len))
		if v != undecided {
			b.from[i] = from
			b.drop(i, n, v)
			continue
		}
		b.parsed(i, n, domain, from, dst, src, flow)
	}
	w.plane.FDB.LookupBatch(b.keys[:2*n], b.values[:2*n])
	sent := w.encapEach(n)
	w.tally.verdicts[ToRemote] += uint32(sent)
	if sent < n {
		w.settle(n, false)
	}
	return bytes
}

// encapEach is encapAll for rows of different bridge domains.
func (w *Worker) encapEach(n int) (sent int) {
	b, n := &w.batch, min(n, BatchSize)
	out := w.wires[0].socket
	if out == nil {
		return 0
	}
	for i := range n {
		to := b.values[n+i].Dest()
		if !to.IsRemote() { // dropped rows have no value
			continue
		}
		d, number := &w.snap.briefs[b.keys[i].Domain()], int(to.Index())
		paths := w.snap.Paths[d.set]
		if !d.plain || number >= len(paths) || b.values[i] != fdb.Seen(b.from[i], w.now) && !w.nothingNew(i) {
			continue
		}
		path, desc := &paths[number], b.desc[i]
		if desc.Len > path.room || desc.Addr&w.offsets < vxlan.Overhead {
			continue
		}
		desc.Addr -= vxlan.Overhead
		head := w.mem.Head(desc.Addr)
		if head == nil {
			continue
		}
		if w.several {
			out = w.wires[wayOf(b.flow[i])].socket
		}
		if !out.Send(ring.Desc{Addr: desc.Addr, Len: desc.Len + vxlan.Overhead}) {
			continue
		}
		path.Headers.Template.Put((*[vxlan.Overhead]byte)(head[:]), int(desc.Len), d.vni, b.flow[i], w.nextID())
		w.forwarded(i, uint32(number), desc.Len)
		b.verdict[i] = gone
		sent++
	}
	return sent
}
