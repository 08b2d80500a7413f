package dataplane

import (
	"encoding/binary"
	"math/bits"
	"time"

	"vxgw/fdb"
	"vxgw/ring"
	"vxgw/vxlan"
)

// untouched is the target of a row that never came to have one.
const untouched = answeredAlone - 1

// tapBatch is what a worker notes of a batch until its verdicts are given.
type tapBatch struct {
	want [BatchSize]uint8     // taps that want each frame, a bit each
	left [BatchSize]ring.Desc // of frames that leave
	rows [BatchSize]tapRow
	n    int    // rows of it that some tap wants
	size int    // of the batch
	data []byte // of the frames, one behind the other
	used int
	now  int64
	port uint32 // that received them, or Underlay
	mark Mark   // of all of them
	tapBudget
}

// tapRow is a received frame as it came.
type tapRow struct {
	row    int   // of the batch
	want   uint8 // taps whose filter has chosen it, a bit each
	length uint32
	at     int // of its bytes in data
	kept   uint32
	vni    uint32
	remote vxlan.Addr
}

// tapReceived notes the n frames of the batch that port has received.
func (w *Worker) tapReceived(port uint32, n int, mark Mark) {
	n = min(n, BatchSize)
	b := w.taps.batches[w.ID]
	b.begin(port, n, mark)
	w.tapAside(port, n)
	b.spend(b.now)
}

// tapAside copies those aside that some tap wants.
func (w *Worker) tapAside(port uint32, n int) {
	t, b := w.taps, w.taps.batches[w.ID]
	targets := w.batch.target[:n]
	for i := range targets {
		targets[i] = untouched
	}
	wanting, full := t.receiving(w.ID, port, n)
	if wanting == 0 {
		return
	}
	if !w.tapChoose(w.batch.desc[:n], wanting, full, port == Underlay) {
		return
	}
	for i, want := range b.want[:n] {
		if want != 0 {
			desc := &w.batch.desc[i]
			t.keep(b, i, want, w.mem.Bytes(desc.Addr, desc.Len))
		}
	}
}

// tapChoose finds out which of the wanting taps want which of the frames, and reports whether any does. The full ones count those as
// lost.
func (w *Worker) tapChoose(frames []ring.Desc, wanting, full uint8, underlay bool) (any bool) {
	t, b := w.taps, w.taps.batches[w.ID]
	want := b.want[:len(frames)]
	clear(want)
	for ; wanting != 0; wanting &= wanting - 1 {
		k := bits.TrailingZeros8(wanting)
		p, lost, bit := t.list[k].cfg.Filter, uint64(0), uint8(1)<<k
		for i := range frames {
			switch {
			case !p.Match(w.mem.Bytes(frames[i].Addr, frames[i].Len), underlay):
			case full&bit != 0:
				lost++
			default:
				want[i] |= bit
				any = true
			}
		}
		if lost > 0 {
			t.list[k].rings[w.ID].lost.Add(lost)
		}
	}
	return any
}

// begin starts a batch.
func (b *tapBatch) begin(port uint32, size int, mark Mark) {
	b.n, b.used, b.size, b.port, b.mark, b.now = 0, 0, size, port, mark, time.Now().UnixNano()
	b.earn(b.now)
}

// receiving are the taps that may want what port receives, a bit each, and those of them that have no room for it.
func (t *taps) receiving(ring int, port uint32, n int) (wanting, full uint8) {
	for k, tap := range t.list {
		if (tap.cfg.Received || tap.cfg.Dropped) && tap.at(port) {
			wanting |= 1 << k
			if tap.plain && tap.cfg.Received && (t.batches[ring].overdrawn() || tap.rings[ring].full(tap.cfg.Snaplen)) {
				full |= 1 << k
			}
		}
	}
	return t.lose(ring, wanting, full, n)
}

// lose counts n frames as lost for those of the full taps that would have chosen them all, which want them no more.
func (t *taps) lose(ring int, wanting, full uint8, n int) (uint8, uint8) {
	for k, tap := range t.list {
		if full&(1<<k) != 0 && tap.cfg.Filter.All() {
			tap.rings[ring].lost.Add(uint64(n))
			wanting &^= 1 << k
		}
	}
	return wanting, full & wanting
}

// at reports whether a tap wants what passes an interface.
func (t *Tap) at(port uint32) bool {
	p := t.port.Load()
	return p == AnyPort || p == port
}

// choose returns those of the wanting taps whose filter chooses a frame.
func (t *taps) choose(wanting uint8, frame []byte, underlay bool) (chosen uint8) {
	for ; wanting != 0; wanting &= wanting - 1 {
		k := bits.TrailingZeros8(wanting)
		if t.list[k].cfg.Filter.Match(frame, underlay) {
			chosen |= 1 << k
		}
	}
	return chosen
}

// keep copies the bytes of row i aside.
func (t *taps) keep(b *tapBatch, i int, want uint8, frame []byte) {
	row := &b.rows[b.n]
	b.n++
	*row = tapRow{row: i, want: want, length: uint32(len(frame)), at: b.used, vni: NoVNI}
	row.kept = uint32(copy(b.data[b.used:], frame[:min(len(frame), int(t.most))]))
	b.used += int(row.kept)
	if b.port == Underlay {
		row.vni, row.remote = outerEnds(frame, false)
	}
}

// tapJudged makes records of the batch, whose verdicts are given, and notes where its frames are from.
func (w *Worker) tapJudged() {
	t, s := w.taps, w.taps.batches[w.ID]
	begin := time.Now().UnixNano()
	if t.sent {
		w.tapNote(s.size)
	}
	for i := range s.n {
		w.tapRecord(&s.rows[i])
	}
	s.n = 0
	s.spend(begin)
}

// tapNote notes where those of the n frames of the batch are from that are still there. Those of which copies were made have their note.
func (w *Worker) tapNote(n int) {
	t, b, n := w.taps, &w.batch, min(n, BatchSize)
	for i := range n {
		if b.verdict[i] != gone && (b.given[i].Drop() || b.target[i] >= answeredAlone) {
			continue
		}
		t.notes[w.mem.Frame(b.desc[i].Addr)] = note{from: b.from[i], domain: b.keys[i].Domain(), there: true}
	}
}

// tapRecord makes a record of a row.
func (w *Worker) tapRecord(row *tapRow) {
	t, b, s, i := w.taps, &w.batch, w.taps.batches[w.ID], row.row
	v, to, marks := b.given[i], NoPlace, s.mark
	switch {
	case b.verdict[i] == gone: // sent right after the look-up
		v, to = ToPort, b.values[s.size+i].Dest()
		if s.port != Underlay {
			v = ToRemote
		}
	case b.target[i] >= answered && !v.Drop():
		marks |= MarkFlooded
	case b.target[i] >= answeredAlone:
	case b.target[i] != untouched:
		to = b.target[i]
	}
	if v == gone {
		v = undecided
	}
	h := Record{Time: s.now, Len: row.length, Port: s.port, VNI: row.vni, Remote: row.remote, From: NoPlace, To: to,
		Way: Received, Verdict: v, Marks: marks}
	w.tapComplete(&h, w.tapDomain(i, s.port))
	t.put(w.ID, row.want, &h, s.data[row.at:row.at+int(row.kept)])
}

// tapDomain is the bridge domain of row i, NoDomain if it is not known.
func (w *Worker) tapDomain(i int, port uint32) uint16 {
	if k := w.batch.keys[i]; k != 0 {
		return k.Domain()
	}
	if p := w.snap.port(port); port != Underlay && p != nil {
		return w.domainOf(i, p)
	}
	return NoDomain
}

// tapComplete says of which VNI a frame is that came without one, and the address of the remote that it goes to.
func (w *Worker) tapComplete(h *Record, domain uint16) {
	if d := w.snap.domain(domain); d != nil && h.VNI == NoVNI {
		h.VNI = d.VNI
	}
	if h.To != NoPlace && h.To.IsRemote() && h.Port != Underlay {
		h.Remote = w.addrOf(h.To)
	}
}

// addrOf is the address of a remote, the zero Addr for nobody and for ports.
func (w *Worker) addrOf(d fdb.Dest) vxlan.Addr {
	if slots := w.plane.Remotes.slots; d.IsRemote() && int(d.Index()) < len(slots) {
		return slots[d.Index()].key
	}
	return vxlan.Addr{}
}

// put gives a record to those of the wanting taps that choose it.
func (t *taps) put(ring int, wanting uint8, h *Record, frame []byte) {
	for ; wanting != 0; wanting &= wanting - 1 {
		tap := t.list[bits.TrailingZeros8(wanting)]
		switch {
		case !tap.chooses(h):
		case ring < len(t.batches) && t.batches[ring].overdrawn():
			tap.rings[ring].lost.Add(1)
		default:
			tap.rings[ring].add(h, frame[:min(uint32(len(frame)), tap.cfg.Snaplen)])
		}
	}
}

// chooses judges a record by all but the filter and the port.
func (t *Tap) chooses(h *Record) bool {
	c := &t.cfg
	if c.VNI != NoVNI && c.VNI != h.VNI || c.Remote != (vxlan.Addr{}) && c.Remote != h.Remote {
		return false
	}
	switch {
	case c.Dropped && h.Dropped():
		return true
	case h.Way == Received:
		return c.Received
	case h.Way == Sent:
		return c.Sent
	}
	return false
}

// outerEnds finds the VNI and the source or destination in an outer packet that may be anything.
func outerEnds(p []byte, destination bool) (vni uint32, remote vxlan.Addr) {
	at := 12
	for at+2 <= len(p) && isTag(binary.BigEndian.Uint16(p[at:])) {
		at += tagLen
	}
	if at+2 > len(p) {
		return NoVNI, remote
	}
	etherType, ip := binary.BigEndian.Uint16(p[at:]), p[at+2:]
	header, protocol := 0, byte(0)
	switch {
	case etherType == 0x0800 && len(ip) >= 20:
		header, protocol = int(ip[0]&0x0f)*4, ip[9]
		end := ip[12:]
		if destination {
			end = ip[16:]
		}
		remote = vxlan.Addr4(binary.BigEndian.Uint32(end))
	case etherType == 0x86dd && len(ip) >= 40:
		header, protocol = 40, ip[6]
		end := ip[8:]
		if destination {
			end = ip[24:]
		}
		remote = vxlan.Addr{Hi: binary.BigEndian.Uint64(end), Lo: binary.BigEndian.Uint64(end[8:])}
	}
	const udp, vxlanHeader = 8, 8
	if protocol != 17 || header < 20 || len(ip) < header+udp+vxlanHeader || ip[header+udp]&0x08 == 0 {
		return NoVNI, remote
	}
	return binary.BigEndian.Uint32(ip[header+udp+4:]) >> 8, remote
}
