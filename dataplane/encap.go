package dataplane

import (
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// encapAll sends the rows of a batch from a port of d that nothing is left to decide
// of: the source is where the FDB has it, the destination is behind a remote whose
// next hop is known, the headers are plain, and the tunnel's options need no second
// look at them.
// It leaves the others undecided and returns how many it sent.
func (w *Worker) encapAll(d *Domain, from fdb.Dest, n int) (sent int) {
	b, n := &w.batch, min(n, BatchSize)
	t, out, several := d.Tunnel, w.wires[0].socket, w.several
	if out == nil || t.looksTwice() {
		return 0
	}
	paths, fresh := w.snap.Paths[t.Set], fdb.Seen(from, w.now)
	ledger := w.ledger.Remotes[:len(paths)]
	for i := range n {
		to := b.values[n+i].Dest()
		number := int(to.Index())
		if !to.IsRemote() || number >= len(paths) { // dropped rows have no value
			continue
		}
		if b.values[i] != fresh { // nested: of one condition the compiler would first store the result
			if !w.nothingNew(i) {
				continue
			}
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
		if several {
			out = w.wires[wayOf(b.flow[i])].socket
		}
		if !out.Send(ring.Desc{Addr: desc.Addr, Len: desc.Len + vxlan.Overhead}) {
			continue
		}
		ledger[number].TxPackets++
		ledger[number].TxBytes += uint64(desc.Len)
		path.Headers.Template.Put((*[vxlan.Overhead]byte)(head[:]), int(desc.Len), d.VNI, b.flow[i], w.nextID())
		b.verdict[i] = gone
		sent++
	}
	return sent
}

// looksTwice reports whether an option wants more of the headers than what the template has.
func (t *Tunnel) looksTwice() bool { return t.InheritTTL || t.InheritDF || t.UDPChecksum }

// toRemote puts the remote's outer headers in front of a frame and sends it on the
// underlay. Row i is what is known of the inner frame.
func (w *Worker) toRemote(i int, number uint32, desc ring.Desc, kind kind) Verdict {
	d := w.domain(i)
	t, path := d.Tunnel, w.path(d, number)
	head := path.Headers.Len()
	if !w.wireUp() || int(desc.Len) > path.most() || desc.Addr&w.offsets < uint64(head) || !w.isOpen(path, number) {
		return w.detour(i, number, desc, path, kind)
	}
	desc.Addr -= uint64(head)
	desc.Len += uint32(head)
	flow := w.batch.flow[i]
	encap(w.mem.Bytes(desc.Addr, desc.Len), &path.Headers, t, d.VNI, flow, w.nextID())
	way := wayOf(flow)
	out := &w.wires[way]
	if out.socket == nil {
		return w.cross(out.lane, underlayCrossing, way, kind, desc)
	}
	if !out.socket.Send(desc) {
		w.pool.Put(desc.Addr)
		return TxFull
	}
	return ToRemote
}

// path is the way to a remote with a domain's tunnel options.
func (w *Worker) path(d *Domain, number uint32) *Path {
	if paths := w.snap.Paths[d.Tunnel.Set]; number < uint32(len(paths)) {
		return &paths[number]
	}
	return &unbuilt
}

// isOpen reports whether frames may take the direct way to a remote.
func (w *Worker) isOpen(p *Path, number uint32) bool {
	return p.State == PathDirect ||
		p.State == PathDraining && w.Slow.pending[number].Load() == 0 && (w.hold.counts[number] == 0 || w.releasing)
}

// detour takes a frame that cannot be sent directly: it goes through the kernel
// while the next hop is unresolved, waits for earlier ones that are there, or is
// dropped, with an answer if it is too big.
func (w *Worker) detour(i int, number uint32, desc ring.Desc, path *Path, kind kind) Verdict {
	v := undecided
	switch {
	case !w.wireUp():
		v = PortDown
	case path.State == PathNoRoute, !w.domain(i).Tunnel.Source(w.plane.Remotes.slots[number].key.Netip()).IsValid():
		v = NoRoute
	case int(desc.Len) > path.most():
		return w.tooBig(i, desc, path.most())
	case desc.Addr&w.offsets < vxlan.MaxOverhead:
		v = NoHeadroom
	case path.State == PathDraining:
		return w.keep(i, number, desc, kind)
	default:
		d := w.domain(i)
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
func encap(packet []byte, h *vxlan.Headers, opts *Tunnel, vni uint32, f vxlan.Flow, id uint16) {
	h.Put(packet, vni, f, id)
	if opts.InheritTTL || opts.InheritDF {
		inherit(packet, h, opts, f)
	}
	if opts.checksums(h.Six()) {
		h.PutChecksum(packet)
	}
}

// inherit takes over what the inner header says of TTL and DF. A frame that is not IP, or has a TTL of 0,
// gets the TTL that the headers have.
func inherit(packet []byte, h *vxlan.Headers, opts *Tunnel, f vxlan.Flow) {
	ttl, df := h.TTL(), opts.Outer.DF
	if opts.InheritTTL && f.TTL() != 0 {
		ttl = f.TTL()
	}
	if opts.InheritDF {
		df = f.DF()
	}
	h.PutInherit(packet, ttl, df)
}

// nextID counts the IPv4 IDs of this worker's packets: w, w+n, w+2n and so on for
// worker w of n (RFC 6864 section 4.3).
func (w *Worker) nextID() uint16 {
	w.id += w.idStep
	return w.id
}
