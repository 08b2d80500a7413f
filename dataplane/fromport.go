package dataplane

import (
	"vxgw/fdb"
	"vxgw/vxlan"
)

// From a port: parse -> finish checksums -> look up -> send what nothing is left to
// decide of -> learn, decide and emit the rest.

// fromPort works on the n frames that were received on a port and returns how
// many bytes they had.
func (w *Worker) fromPort(port uint32, n int) (bytes uint64) {
	b, n := &w.batch, min(n, BatchSize)
	d, from := w.snap.Domains[w.snap.Ports[port].Domain], fdb.PortDest(port)
	domain := fdb.MakeKey(d.Index, 0)
	w.from = port
	for i := range n {
		desc := &b.desc[i]
		bytes += uint64(desc.Len)
		if head := w.mem.Head(desc.Addr); head != nil {
			if dst, src, flow, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(head[:]), int(desc.Len)); ok {
				b.parsed(i, n, domain, from, dst, src, flow)
				continue
			}
		}
		dst, src, flow, v := w.parse(d, from, w.mem.Bytes(desc.Addr, desc.Len))
		if v != undecided {
			b.drop(i, n, v)
			continue
		}
		b.parsed(i, n, domain, from, dst, src, flow)
	}
	w.plane.FDB.LookupBatch(b.keys[:2*n], b.values[:2*n])
	sent := w.encapAll(d, from, n)
	w.tally.verdicts[ToRemote] += uint32(sent)
	if sent > 0 {
		w.encapped(d, sent, n, bytes)
	}
	if sent < n {
		w.settle(n, false)
	}
	return bytes
}

// parse judges a frame from a port of d, from, that QuickInner leaves to it, and finishes its
// checksums.
func (w *Worker) parse(d *Domain, from fdb.Dest, frame []byte) (dst, src uint64, flow vxlan.Flow, v Verdict) {
	var in vxlan.Inner
	if vxlan.ParseInner(frame, &in) != vxlan.OK {
		return 0, 0, 0, InnerShort
	}
	if v := admit(in.Dst, in.Src); v != undecided {
		return 0, 0, 0, v
	}
	vxlan.Mend(frame, &in)
	if d.Neighbours != nil {
		w.snoop(d, from, frame, &in)
	}
	return in.Dst, in.Src, in.Flow(), undecided
}
