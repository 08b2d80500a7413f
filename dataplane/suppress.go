package dataplane

import (
	"vxgw/fdb"
	"vxgw/neigh"
	"vxgw/vxlan"
)

// ARP and ND suppression: what frames tell of neighbours is noted down where they are parsed; a question from a port that would be
// flooded is answered on behalf of a host behind a tunnel, and does not go into tunnels. The rules are those of the kernel's bridge
// whose vxlan port has neigh_suppress (net/bridge/br_arp_nd_proxy.c), but that questions to one station are its own to answer.
//
//	snoop       a claim to be at an address -> the neighbour table of the domain
//	suppress    a frame that is to be flooded -> answered, kept to ports, or flooded as ever
//	reply       a frame -> its own answer, once the other ports have their copies

// neighReply is what a question is answered with.
type neighReply struct {
	question vxlan.Neigh
	mac      uint64
	router   bool
}

// snoop notes what a frame of d from a port or a VTEP tells of its sender, which ParseInner has read. A claim counts only if it is
// for the frame's own source address, and that may be where the frame comes from: the FDB then knows the way to whom is answered for.
func (w *Worker) snoop(d *Domain, from fdb.Dest, frame []byte, in *vxlan.Inner) {
	var m vxlan.Neigh
	if !d.Learning || !vxlan.ParseNeigh(frame, in, &m) || m.Claim == vxlan.NeighNoClaim {
		return
	}
	if m.MAC != in.Src || w.elsewhere(fdb.MakeKey(d.Index, in.Src), from) {
		d.Neighbours.Counts.RefusedForged.Add(1)
		return
	}
	d.Neighbours.Learn(neighKey(m.IP, m.VLAN), neigh.Claim{
		MAC: m.MAC, Enter: m.Claim >= vxlan.NeighEnters, Move: m.Claim == vxlan.NeighMoves,
		Router: m.Router == vxlan.IsRouter, Sure: m.Router != vxlan.RouterUnknown || m.IP.Is4(),
	}, w.now)
}

// elsewhere says whether learning would refuse that k is at from.
func (w *Worker) elsewhere(k fdb.Key, from fdb.Dest) bool {
	v := w.plane.FDB.Lookup(k)
	switch {
	case from == nobody:
		return true
	case !v.Found(), v.Dest() == from, w.sameVTEP(v.Dest(), from):
		return false
	}
	return v.Kind() != fdb.Learned || w.plane.FDB.Frozen(k, w.now)
}

func neighKey(a vxlan.IP, vlan uint16) neigh.Key { return neigh.Key{Hi: a.Hi, Lo: a.Lo, VLAN: vlan} }

// suppress gives row i, which is to be flooded to the group mac, another target if that is a matter of neighbours. Whoever is
// answered is so whether or not its question may be flooded.
func (w *Worker) suppress(i int, mac uint64) {
	b, d := &w.batch, w.domain(i)
	if mac&vxlan.GroupBit == 0 || b.from[i].IsRemote() {
		return
	}
	var in vxlan.Inner
	var m vxlan.Neigh
	frame := w.mem.Bytes(b.desc[i].Addr, b.desc[i].Len)
	if vxlan.ParseInner(frame, &in) != vxlan.OK || !vxlan.ParseNeigh(frame, &in, &m) {
		return
	}
	switch m.Kind {
	case vxlan.NeighAnnounce:
		if !d.Announce {
			b.target[i] = portsOnly
		}
	case vxlan.NeighAsk:
		w.question(i, d, &m)
	}
}

// question gives row i, which is the question m, its target: who is asked for must be known, and where its MAC address is.
func (w *Worker) question(i int, d *Domain, m *vxlan.Neigh) {
	b := &w.batch
	e, ok := d.Neighbours.Lookup(neighKey(m.Target, m.VLAN), w.now)
	if !ok || !e.Sure {
		return
	}
	v := w.plane.FDB.Lookup(fdb.MakeKey(d.Index, e.MAC))
	switch {
	case !v.Found():
	case !v.Dest().IsRemote():
		b.target[i] = portsOnly
	case b.desc[i].Addr&w.offsets+vxlan.NeighAnswerRoom > w.offsets+1: // the memory ends before the answer would
	default:
		b.target[i] = answered
		w.replies[i] = neighReply{*m, e.MAC, e.Router}
	}
}

// reply makes row i's frame its own answer and sends it back.
func (w *Worker) reply(i int) Verdict {
	desc, r := w.batch.desc[i], &w.replies[i]
	frame := w.mem.Bytes(desc.Addr, max(desc.Len, vxlan.NeighAnswerRoom))
	desc.Len = uint32(vxlan.PutNeighAnswer(frame, &r.question, r.mac, r.router))
	v := w.send(i, w.batch.from[i], desc, original)
	if v == ToPort {
		if w.taps != nil {
			w.tapAnswer(i, desc.Addr)
		}
		w.domain(i).Neighbours.Counts.Answered.Add(1)
		return Answered
	}
	return v
}

// withheld is the verdict on row i that was to be v if it had not been kept from tunnels.
func (w *Worker) withheld(i int, v Verdict) Verdict {
	if w.batch.target[i] == flood {
		return v
	}
	w.domain(i).Neighbours.Counts.Suppressed.Add(1)
	return Suppressed
}
