package dataplane

import (
	"vxgw/ring"
	"vxgw/vxlan"
)

// toRemote puts the remote's outer headers in front of a frame and sends it on the
// underlay, or hands it to the kernel while the next hop is unresolved. Row i is
// what is known of the inner frame.
func (w *Worker) toRemote(i int, number uint32, desc ring.Desc) Verdict {
	d, in := w.batch.domain[i], &w.batch.inner[i]
	t := d.Tunnel
	paths := w.snap.Paths[t.Set]
	path := &unbuilt
	if number < uint32(len(paths)) {
		path = &paths[number]
	}
	v := undecided
	switch {
	case !w.snap.Underlay || w.tunnel == nil:
		v = PortDown
	case path.State == PathNoRoute:
		v = NoRoute
	case int(desc.Len)+innerOverhead > path.MTU:
		v = TooBig
	case desc.Addr&w.offsets < vxlan.Overhead:
		v = NoHeadroom
	case path.State == PathSlow, path.State == PathDraining && w.plane.Remotes.Pending(number) > 0:
		return w.toKernel(SlowFrame{Desc: desc, Tunnel: t, Remote: number, VNI: d.VNI,
			SrcPort: vxlan.SourcePort(in.Hash, t.SrcPortLo, t.SrcPortHi), TOS: outerTOS(t, in), DF: t.InheritDF && in.DF})
	default:
		out := encap(w.mem, &path.Template, t, desc, d.VNI, vxlan.SourcePort(in.Hash, t.SrcPortLo, t.SrcPortHi),
			outerTOS(t, in), t.InheritDF && in.DF, w.nextID())
		return w.put(w.tunnel, out, ToRemote)
	}
	w.pool.Put(desc.Addr)
	return v
}

// unbuilt is the path to a remote that the snapshot does not know yet.
var unbuilt = Path{State: PathSlow, MTU: 1 << 16}

// encap writes the outer headers into the headroom and returns the whole packet. df
// sets DF where the tunnel's own options do not; id is the IPv4 ID of packets that
// a router may fragment, 0 leaves it to the kernel. What differs per packet comes
// in registers: a struct put together for the call costs a stall.
func encap(m *ring.Memory, t *vxlan.Template, opts *Tunnel, inner ring.Desc, vni uint32, srcPort uint16, tos uint8, df bool, id uint16) ring.Desc {
	out := ring.Desc{Addr: inner.Addr - vxlan.Overhead, Len: inner.Len + vxlan.Overhead}
	head := m.Bytes(out.Addr, vxlan.Overhead)
	t.Put(head, int(inner.Len), vni, srcPort, tos, id)
	if df {
		vxlan.PutInherit(head, t.TTL(), true)
	}
	if opts.Outer.UDPChecksum {
		t.PutChecksum(m.Bytes(out.Addr, out.Len))
	}
	return out
}

// nextID counts the IPv4 IDs of this worker's packets: w, w+n, w+2n and so on for
// worker w of n, never 0 (RFC 6864 section 4.3).
func (w *Worker) nextID() uint16 {
	w.id += w.idStep
	if w.id == 0 {
		w.id = w.idStep
	}
	return w.id
}

// outerTOS returns the outer TOS of a frame: DSCP fixed or inherited, ECN always
// by RFC 6040 (normal mode).
func outerTOS(t *Tunnel, in *vxlan.Inner) uint8 {
	if t.InheritTOS {
		return vxlan.EncapECN(in.TOS, in.TOS)
	}
	return vxlan.EncapECN(t.Outer.TOS, in.TOS)
}
