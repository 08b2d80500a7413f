package dataplane

import (
	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// Hold: while the way to a remote is draining, frames to it wait at their worker until
// none of its earlier ones is with the kernel any more. Then they leave directly, in the
// order they came. Handing them to the kernel instead would never end under load.

// holdSize is how many frames a worker holds at most.
const holdSize = 1024

// held is a frame that waits, and what is known of it.
type held struct {
	desc   ring.Desc
	flow   vxlan.Flow
	key    fdb.Key // of its source
	port   uint32  // that received it, or Underlay
	remote uint32  // number
	vni    uint32
	kind   kind
}

// hold is what a worker holds, in the order it came.
type hold struct {
	frames []held
	counts []uint16 // of frames, by number of the remote, and waits
}

// waits marks a remote of which an earlier frame has to wait: the way may open while
// release goes through the frames.
const waits = 1 << 15

func newHold(remotes int) hold {
	return hold{frames: make([]held, 0, holdSize), counts: make([]uint16, remotes)}
}

// keep holds row i's frame, or a copy of it, back.
func (w *Worker) keep(i int, number uint32, desc ring.Desc, kind kind) Verdict {
	h, b := &w.hold, &w.batch
	if len(h.frames) == holdSize {
		w.pool.Put(desc.Addr)
		return NoNeighbour
	}
	h.frames = append(h.frames, held{desc, b.flow[i], b.keys[i], w.from, number, w.domain(i).VNI, kind})
	h.counts[number]++
	return gone
}

// release sends what need not wait any longer, before anything that comes later.
func (w *Worker) release() (sent int) {
	h := &w.hold
	kept := h.frames[:0]
	for _, f := range h.frames {
		if h.counts[f.remote]&waits != 0 || w.mustWait(&f) {
			h.counts[f.remote] |= waits
			kept = append(kept, f)
			continue
		}
		h.counts[f.remote]--
		w.sendHeld(&f)
	}
	for _, f := range kept {
		h.counts[f.remote] &^= waits
	}
	sent = len(h.frames) - len(kept)
	h.frames = kept
	return sent
}

// mustWait reports whether a frame's way is still draining.
func (w *Worker) mustWait(f *held) bool {
	d := w.snap.domain(f.key.Domain())
	if d == nil {
		return false
	}
	p := w.path(d, f.remote)
	return p.State == PathDraining && w.Slow.pending[f.remote].Load() > 0
}

// sendHeld sends a frame as if it came now, with its verdict.
func (w *Worker) sendHeld(f *held) {
	b, to := &w.batch, fdb.RemoteDest(f.remote)
	b.flow[0], b.keys[0], b.from[0], w.from = f.flow, f.key, nobody, f.port // nobody is told that it is too big now
	if w.taps != nil {
		w.tapHeld(f)
	}
	if d := w.snap.domain(f.key.Domain()); d == nil || d.VNI != f.vni {
		w.pool.Put(f.desc.Addr) // its VNI was removed meanwhile
		w.count(NoTarget, f.kind)
		if w.taps != nil {
			w.tapLost(0, to, NoTarget)
		}
		return
	}
	w.releasing = true
	v := w.send(0, to, f.desc, f.kind)
	w.releasing = false
	w.count(v, f.kind)
	if !v.Drop() || f.kind == duplicate {
		return
	}
	if f.port == Underlay || w.snap.port(f.port) != nil {
		w.lost(0, v)
	}
	if w.taps != nil {
		w.tapLost(0, to, v)
	}
}

// dropHeld frees what is held. The worker runs no more.
func (w *Worker) dropHeld() {
	for _, f := range w.hold.frames {
		w.pool.Put(f.desc.Addr)
	}
	w.hold.frames = nil
}
