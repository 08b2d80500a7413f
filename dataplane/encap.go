package dataplane

import (
	"vxgw/ring"
	"vxgw/vxlan"
)

// toRemote puts the remote's outer headers in front of a frame and sends it on the
// underlay, or hands it to the kernel while the next hop is unresolved. Row i is
// what is known of the inner frame.
func (w *Worker) toRemote(i int, number uint32, desc ring.Desc) Verdict {
	d := w.batch.domain[i]
	in := &w.batch.inner[i]
	t := d.Tunnel
	f := SlowFrame{Desc: desc, Remote: number, VNI: d.VNI, Tunnel: t,
		SrcPort: vxlan.SourcePort(in.Hash, t.SrcPortLo, t.SrcPortHi), TOS: outerTOS(t, in), DF: t.InheritDF && in.DF}

	paths := w.snap.Paths[t.Set]
	if number >= uint32(len(paths)) {
		paths, number = unbuilt[:], 0 // numbered after the snapshot was built
	}
	path := &paths[number]
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
		return w.toKernel(f)
	default:
		return w.put(w.tunnel, encap(w.mem, &path.Template, f, w.nextID()), ToRemote)
	}
	w.pool.Put(desc.Addr)
	return v
}

// unbuilt is the path to a remote that the snapshot does not know yet.
var unbuilt = [1]Path{{State: PathSlow, MTU: 1 << 16}}

// encap writes the outer headers into the headroom and returns the whole packet.
// id is the IPv4 ID of packets that a router may fragment; 0 leaves it to the
// kernel.
func encap(m *ring.Memory, t *vxlan.Template, f SlowFrame, id uint16) ring.Desc {
	out := ring.Desc{Addr: f.Desc.Addr - vxlan.Overhead, Len: f.Desc.Len + vxlan.Overhead}
	head := m.Bytes(out.Addr, vxlan.Overhead)
	t.Put(head, int(f.Desc.Len), f.VNI, f.SrcPort, f.TOS)
	if f.DF {
		vxlan.PutInherit(head, t.TTL(), true)
	}
	if id != 0 {
		vxlan.PutID(head, id)
	}
	if f.Tunnel.Outer.UDPChecksum {
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
