package dataplane

import "vxgw/fdb"

// Settle: learn -> decide -> emit, for the rows of a batch that could not be sent
// right after the look-up.

// settle works on those of the n rows that are still undecided, and frees what was
// dropped before. Only from a tunnel (strict) does a frame whose source is pinned
// elsewhere go no further; from nowhere does one whose source is frozen elsewhere.
func (w *Worker) settle(n int, strict bool) {
	b, n := &w.batch, min(n, BatchSize)
	w.isolated = w.from != Underlay && w.snap.Ports[w.from].Isolated
	for i := range n {
		if b.verdict[i] == undecided {
			if v := w.learn(i); v == MoveFrozen || v == StaticConflict && strict {
				b.verdict[i] = v
			} else {
				w.decide(i, n)
			}
		}
	}
	w.emit(n)
}

// learn notes where row i's source is. It says StaticConflict when a static or extern
// entry pins that address to another place, and MoveFrozen when it has moved too often.
func (w *Worker) learn(i int) Verdict {
	b := &w.batch
	v, from := b.values[i], b.from[i]
	switch {
	case w.nothingNew(i):
		return undecided
	case from == nobody:
		if v.Found() && v.Kind() != fdb.Learned {
			return StaticConflict
		}
		return undecided
	}
	if to := v.Dest(); v.Found() && w.sameVTEP(to, from) {
		from = to // an entry that says by which port or VNI to answer stays as it is
	}
	switch w.plane.FDB.Learn(b.keys[i], from, w.now) {
	case fdb.RefusedStatic:
		return StaticConflict
	case fdb.RefusedFrozen:
		return MoveFrozen
	}
	return undecided
}

// sameVTEP reports whether two destinations are one VTEP, whatever they say of ports and VNIs.
func (w *Worker) sameVTEP(a, b fdb.Dest) bool {
	return a.IsRemote() && b.IsRemote() && w.plane.Remotes.sameVTEP(a.Index(), b.Index())
}

// nothingNew reports whether there is nothing to learn of row i's source. Not
// inlined: whoever asks has compared with the most common value already.
//
//go:noinline
func (w *Worker) nothingNew(i int) bool {
	return w.batch.values[i].Fresh(w.batch.from[i], w.now) || !w.domain(i).Learning
}

// domain is the bridge domain of row i.
func (w *Worker) domain(i int) *Domain { return w.snap.Domains[w.batch.keys[i].Domain()] }

// decide finds the target of row i: what the FDB knows, or flood where that may be.
func (w *Worker) decide(i, n int) {
	b := &w.batch
	v := b.values[n+i]
	if !v.Found() {
		mac := b.keys[n+i].MAC()
		b.target[i] = flood
		if w.domain(i).Neighbours != nil {
			w.suppress(i, mac)
		}
		b.verdict[i] = w.curb(i, mac)
		if b.target[i] == answered && b.verdict[i] != undecided {
			b.target[i], b.verdict[i] = answeredAlone, undecided
		}
		return
	}
	to, from := v.Dest(), b.from[i]
	b.target[i] = to
	switch {
	case to.IsRemote() && from.IsRemote():
		b.verdict[i] = SplitHorizon
	case to == from:
		b.verdict[i] = SamePort
	case w.isolated && !to.IsRemote() && w.apart(to.Index()) && w.apart(from.Index()):
		b.verdict[i] = Isolated
	}
}
