package dataplane

import (
	"vxgw/ring"
	"vxgw/vxlan"
)

// toRemote puts the remote's outer headers in front of a frame and sends it on the
// underlay. Row i is what is known of the inner frame.
func (w *Worker) toRemote(i int, number uint32, desc ring.Desc) Verdict {
	d := w.domain(i)
	t := d.Tunnel
	paths := w.snap.Paths[t.Set]
	if number >= uint32(len(paths)) {
		return w.detour(i, number, desc, &unbuilt)
	}
	path := &paths[number]
	if path.State != PathDirect || int(desc.Len)+innerOverhead > path.MTU || desc.Addr&w.offsets < vxlan.Overhead || w.tunnel == nil {
		return w.detour(i, number, desc, path)
	}
	return w.direct(i, d, path, desc)
}

// direct sends a frame that nothing stands in the way of.
func (w *Worker) direct(i int, d *Domain, path *Path, desc ring.Desc) Verdict {
	desc.Addr -= vxlan.Overhead
	desc.Len += vxlan.Overhead
	encap(w.mem.Bytes(desc.Addr, desc.Len), &path.Template, d.Tunnel, d.VNI, w.batch.flow[i], w.nextID())
	if !w.tunnel.Socket.Send(desc) {
		w.pool.Put(desc.Addr)
		return TxFull
	}
	return ToRemote
}

// detour takes a frame that cannot be sent directly: it goes through the kernel
// while the next hop is unresolved, or is dropped.
func (w *Worker) detour(i int, number uint32, desc ring.Desc, path *Path) Verdict {
	d, v := w.domain(i), undecided
	switch {
	case w.tunnel == nil:
		v = PortDown
	case path.State == PathNoRoute:
		v = NoRoute
	case int(desc.Len)+innerOverhead > path.MTU:
		v = TooBig
	case desc.Addr&w.offsets < vxlan.Overhead:
		v = NoHeadroom
	case path.State == PathDraining && w.plane.Remotes.Pending(number) == 0:
		return w.direct(i, d, path, desc)
	default:
		return w.toKernel(SlowFrame{Desc: desc, Tunnel: d.Tunnel, Remote: number, VNI: d.VNI, Flow: w.batch.flow[i]})
	}
	w.pool.Put(desc.Addr)
	return v
}

// unbuilt is the path to a remote that the snapshot does not know yet.
var unbuilt = Path{State: PathSlow, MTU: 1 << 16}

// encap writes the outer headers to the start of packet, in front of the inner
// frame. id is the IPv4 ID of packets that a router may fragment, 0 leaves it to
// the kernel.
func encap(packet []byte, t *vxlan.Template, opts *Tunnel, vni uint32, f flow, id uint16) {
	tos := opts.Outer.TOS
	if opts.InheritTOS {
		tos = f.tos
	}
	// ECN always by RFC 6040, normal mode.
	t.Put(packet, vni, vxlan.SourcePort(f.hash, opts.SrcPortLo, opts.SrcPortHi), vxlan.EncapECN(tos, f.tos), id)
	if opts.InheritDF && f.df {
		vxlan.PutInherit(packet, t.TTL(), true)
	}
	if opts.Outer.UDPChecksum {
		t.PutChecksum(packet)
	}
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
