package dataplane

import (
	"slices"

	"vxgw/fdb"
	"vxgw/vxlan"
)

// From a tunnel: check the outer headers -> domain -> who may send to it -> check the outer checksum, finish
// inner ones -> ECN -> look up -> send what nothing is left to decide of
// -> learn, decide and emit the rest.

// outerVerdicts gives each fault that package vxlan finds its place in the one
// list of verdicts.
var outerVerdicts = [...]Verdict{
	vxlan.OK:          undecided,
	vxlan.Short:       Short,
	vxlan.NotIP:       NotIP,
	vxlan.NotUDP:      NotIP,
	vxlan.IPLength:    IPLength,
	vxlan.IPChecksum:  IPChecksum,
	vxlan.IPOptions:   IPOptions,
	vxlan.Fragment:    Fragment,
	vxlan.TTL:         TTL,
	vxlan.Martian:     Martian,
	vxlan.UDPLength:   UDPLength,
	vxlan.UDPChecksum: UDPChecksum,
	vxlan.BadFlags:    BadFlags,
	vxlan.InnerShort:  InnerShort,
}

// fromTunnel works on the n packets that were received on the underlay and
// returns how many bytes they had.
func (w *Worker) fromTunnel(n int) (bytes uint64) {
	b, n := &w.batch, min(n, BatchSize)
	mac := w.snap.LocalMAC
	w.from = Underlay
	w.greet(n)
	for i := range n {
		desc := &b.desc[i]
		bytes += uint64(desc.Len)
		if head := w.mem.Head(desc.Addr); head != nil {
			// A packet of the most common kind, from a VTEP that is known.
			to, src, vni, end, ok := vxlan.QuickOuter((*[vxlan.Overhead]byte)(head[:]), int(desc.Len))
			if m := w.meeting(src, vni); ok && to == mac && (m.is(src, vni) || w.meet(src, vni)) {
				dst, source, flow, ok := vxlan.QuickInner((*[vxlan.InnerHead]byte)(head[vxlan.Overhead:]), end-vxlan.Overhead)
				if ok && source != m.deviceMAC {
					desc.Addr += vxlan.Overhead
					desc.Len = uint32(end - vxlan.Overhead)
					m.packets++
					m.bytes += uint64(desc.Len)
					b.parsed(i, n, m.domain, m.from, dst, source, flow)
					continue
				}
			}
		}
		if v := w.open(i, n); v != undecided {
			b.drop(i, n, v)
		}
	}
	w.plane.FDB.LookupBatch(b.keys[:2*n], b.values[:2*n])
	var sent int
	if w.dressed {
		sent = w.deliverEach(n)
	} else {
		sent = w.deliverAll(n)
	}
	w.tally.verdicts[ToPort] += uint32(sent)
	if sent < n {
		w.settle(n, true)
	}
	return bytes
}

// open judges the outer packet of row i of n and makes the row that of its inner
// frame.
func (w *Worker) open(i, n int) Verdict {
	desc := &w.batch.desc[i]
	pkt := w.mem.Bytes(desc.Addr, desc.Len)
	var o vxlan.Outer
	if f := vxlan.ParseOuter(pkt, &o); f != vxlan.OK {
		return outerVerdicts[f]
	}
	if slices.Contains(w.snap.Locals, o.Src) {
		return Martian
	}
	if o.DstMAC != w.snap.LocalMAC && o.DstMAC&vxlan.GroupBit == 0 {
		return OuterMAC
	}
	index := w.snap.VNIs.Domain(o.VNI)
	if index == NoDomain {
		return UnknownVNI
	}
	frame := pkt[o.HeaderLen:o.Len]
	desc.Addr += uint64(o.HeaderLen)
	desc.Len = uint32(len(frame))
	d, v := w.snap.Domains[index], RemoteNotAllowed
	if d.Allow == nil || d.Allow.has(o.Src) {
		v = w.unwrap(i, n, &o, pkt, d)
	}
	if v != undecided {
		w.ledger.Dropped[index].drop(v)
	}
	return v
}

// unwrap judges the inner frame of a packet to d, and what of the outer one is a setting of d's.
func (w *Worker) unwrap(i, n int, o *vxlan.Outer, pkt []byte, d *Domain) Verdict {
	if o.Reserved&d.Tunnel.Reserved != 0 {
		return ReservedBits
	}
	if o.Checksum == 0 && !o.Src.Is4() && !d.Tunnel.ZeroChecksumRx {
		return ZeroChecksum
	}
	frame := pkt[o.HeaderLen:o.Len]
	var in vxlan.Inner
	if vxlan.ParseInner(frame, &in) != vxlan.OK {
		return InnerShort
	}
	right := d.Tunnel.AnyChecksum || o.ChecksumOK(pkt) // as it came; else as its sender meant it
	if vxlan.Mend(frame, &in) && !right {
		right = o.ChecksumOK(pkt)
	}
	if !right {
		return UDPChecksum
	}
	if !decapECN(frame, &in, o.TOS) {
		return ECN
	}
	if v := admit(in.Dst, in.Src); v != undecided {
		return v
	}
	if in.Src == d.DeviceMAC {
		return OwnMACLoop
	}
	from, ok := w.remote(o.Src, d)
	if !ok {
		return Martian
	}
	w.heard(o.Src, d, len(frame))
	if d.Neighbours != nil {
		w.snoop(d, from, frame, &in)
	}
	w.batch.parsed(i, n, fdb.MakeKey(d.Index, 0), from, in.Dst, in.Src, in.Flow())
	return undecided
}

// decapECN carries a congestion mark from the outer header over to the inner one
// (RFC 6040 section 4.2). It reports false when the frame has to be dropped.
func decapECN(frame []byte, in *vxlan.Inner, outer uint8) bool {
	if outer&3 == 0 || in.IPVersion == 0 {
		return true
	}
	tos, ok := vxlan.DecapECN(outer, in.TOS)
	if ok && tos != in.TOS {
		vxlan.SetTOS(frame, in, tos)
	}
	return ok
}
