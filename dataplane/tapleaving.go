package dataplane

import (
	"time"

	"vxgw/fdb"
)

// tapLeaving makes records of what is staged in this round, and shows who reads all that the round has made.
func (w *Worker) tapLeaving() {
	t, b := w.taps, w.taps.batches[w.ID]
	now := int64(0)
	for _, q := range w.queues {
		staged := q.Socket.Staged()
		if staged == 0 || !t.sent {
			continue
		}
		wanting, full := t.sending(w.ID, q.Port, int(staged))
		if wanting == 0 {
			continue
		}
		if now == 0 {
			now = time.Now().UnixNano()
		}
		for at := uint32(0); at < staged; at += BatchSize {
			w.tapStaged(q, at, min(staged-at, BatchSize), wanting, full, now)
		}
	}
	for _, tap := range t.list {
		tap.rings[w.ID].records.Publish()
	}
	if now != 0 {
		b.spend(now)
	}
}

// tapStaged makes records of n frames that are staged in a queue, from one on.
func (w *Worker) tapStaged(q *Queue, at, n uint32, wanting, full uint8, now int64) {
	b := w.taps.batches[w.ID]
	left := b.left[:n]
	for i := range left {
		left[i] = q.Socket.StagedAt(at + uint32(i))
	}
	if !w.tapChoose(left, wanting, full, q.Port == Underlay) {
		return
	}
	for i, want := range b.want[:n] {
		if want != 0 {
			h := Record{Time: now, Port: q.Port, Way: Sent, From: NoPlace, To: NoPlace, VNI: NoVNI}
			w.tapSent(want, &h, left[i].Addr, w.mem.Bytes(left[i].Addr, left[i].Len))
		}
	}
}

// sending are the taps that may want what leaves by port, a bit each, and those of them that have no room for it.
func (t *taps) sending(ring int, port uint32, n int) (wanting, full uint8) {
	for k, tap := range t.list {
		if tap.cfg.Sent && tap.at(port) {
			wanting |= 1 << k
			if tap.plain && (t.batches[ring].overdrawn() || tap.rings[ring].full(tap.cfg.Snaplen)) {
				full |= 1 << k
			}
		}
	}
	return t.lose(ring, wanting, full, n)
}

// tapSent completes the record of a frame as it leaves, or should have left.
func (w *Worker) tapSent(chosen uint8, h *Record, addr uint64, frame []byte) {
	t := w.taps
	h.Len = uint32(len(frame))
	n, domain := &t.notes[w.mem.Frame(addr)], NoDomain
	if n.there {
		h.From, domain = n.from, n.domain
		h.Marks |= n.marks
	}
	if h.Port == Underlay {
		h.VNI, h.Remote = outerEnds(frame, true)
	} else {
		if p := w.snap.port(h.Port); domain == NoDomain && p != nil {
			domain = p.Domain
		}
		if h.From != NoPlace {
			h.Remote = w.addrOf(h.From)
		}
	}
	w.tapComplete(h, domain)
	t.put(w.ID, chosen, h, frame)
}

// tapFlooding notes where row i's frame comes from, of which copies will be made.
func (w *Worker) tapFlooding(i int) {
	b := &w.batch
	marks := MarkFlooded
	if b.target[i] == answeredAlone {
		marks = 0
	}
	w.taps.notes[w.mem.Frame(b.desc[i].Addr)] = note{from: b.from[i], domain: b.keys[i].Domain(), marks: marks, there: true}
}

// tapCopied notes the same of a copy.
func (w *Worker) tapCopied(i int, addr uint64) {
	w.taps.notes[w.mem.Frame(addr)] = w.taps.notes[w.mem.Frame(w.batch.desc[i].Addr)]
}

// tapAnswer notes that a frame of row i goes back as its own answer.
func (w *Worker) tapAnswer(i int, addr uint64) {
	w.taps.notes[w.mem.Frame(addr)] = note{from: w.batch.from[i], domain: w.tapDomain(i, w.from), marks: MarkAnswer, there: true}
}

// tapLost makes a record of row i's frame as it was received: it, or a copy of it, did not leave to where it should have.
func (w *Worker) tapLost(i int, to fdb.Dest, v Verdict) {
	s := w.taps.batches[w.ID]
	for k := range s.n {
		row := &s.rows[k]
		if row.row != i {
			continue
		}
		h := Record{Time: s.now, Len: row.length, Port: s.port, VNI: row.vni, Remote: row.remote, From: NoPlace, To: to,
			Way: Lost, Verdict: v, Marks: s.mark}
		w.tapComplete(&h, w.tapDomain(i, s.port))
		w.taps.put(w.ID, row.want, &h, s.data[row.at:row.at+int(row.kept)])
	}
}

// tapHeld takes a frame up that was held back, as row 0.
func (w *Worker) tapHeld(f *held) {
	t, b := w.taps, w.taps.batches[w.ID]
	b.begin(f.port, 1, 0)
	frame := w.mem.Bytes(f.desc.Addr, f.desc.Len)
	wanting, _ := t.receiving(w.ID, f.port, 0)
	if want := t.choose(wanting, frame, f.port == Underlay); want != 0 {
		t.keep(b, 0, want, frame)
	}
}

// tapStray makes a record of a frame that came from another worker and could not leave by port. It is still the caller's.
func (w *Worker) tapStray(port uint32, v Verdict, addr uint64, frame []byte) {
	if port == underlayCrossing {
		port = Underlay
	}
	wanting := uint8(0)
	for k, tap := range w.taps.list {
		if tap.cfg.Dropped && tap.at(port) {
			wanting |= 1 << k
		}
	}
	if wanting = w.taps.choose(wanting, frame, port == Underlay); wanting == 0 {
		return
	}
	h := Record{Time: time.Now().UnixNano(), Port: port, Way: Lost, Verdict: v, From: NoPlace, To: NoPlace, VNI: NoVNI}
	w.tapSent(wanting, &h, addr, frame)
}

// tapSlow makes a record of a packet that the kernel was given, and refused if err is not nil. Of the slow path's goroutine.
func (s *SlowPath) tapSlow(t *taps, addr uint64, packet []byte, err error) {
	wanting := uint8(0)
	for k, tap := range t.list {
		if (tap.cfg.Sent || err != nil && tap.cfg.Dropped) && tap.at(Underlay) {
			wanting |= 1 << k
		}
	}
	ring := len(t.batches) + s.worker
	if wanting = t.choose(wanting, packet, true); wanting == 0 {
		return
	}
	h := Record{Time: time.Now().UnixNano(), Len: uint32(len(packet)), Port: Underlay, From: NoPlace, To: NoPlace, Way: Sent, Marks: MarkViaKernel}
	if err != nil {
		h.Way, h.Marks = Lost, MarkViaKernel|MarkRefused
	}
	if n := &t.notes[s.plane.Memory.Frame(addr)]; n.there {
		h.From = n.from
		h.Marks |= n.marks
	}
	h.VNI, h.Remote = outerEnds(packet, true)
	t.put(ring, wanting, &h, packet)
	for _, tap := range t.list {
		tap.rings[ring].records.Publish()
	}
}
