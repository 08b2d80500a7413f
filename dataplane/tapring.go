package dataplane

import "sync/atomic"

// tapRing carries records, and the bytes that are kept of their frames, from one goroutine to the one that reads them. It is bounded
// by both: what finds no room is lost.
type tapRing struct {
	records *Exchange[Record]
	data    []byte        // a power of two
	lost    atomic.Uint64 // written by the producer

	put  uint64 // producer's own: the next byte
	seen uint64 // producer's copy of released

	released atomic.Uint64 // written by the consumer
	read     uint64        // consumer's own
}

// Sizes of a worker's ring. At a million frames a second of which 96 bytes are kept, it takes who reads 8 ms to lose one.
const (
	tapRecords = 1 << 14
	tapBytes   = 4 << 20
)

func newTapRing(records uint32, bytes int) *tapRing {
	return &tapRing{records: NewExchange[Record](records), data: make([]byte, bytes)}
}

// add stages a record with the bytes of its frame, or counts it as lost. Producer only.
func (r *tapRing) add(h *Record, frame []byte) {
	size, at := uint64(len(r.data)), r.put
	if rest := size - at&(size-1); rest < uint64(len(frame)) {
		at += rest // they lie in one piece
	}
	h.at, h.Kept = at, uint32(len(frame))
	if !r.room(at+uint64(len(frame))) || !r.records.Push(*h) {
		r.lost.Add(1)
		return
	}
	copy(r.data[at&(size-1):], frame)
	r.put = at + uint64(len(frame))
}

// room reports whether what ends at end fits. Producer only.
func (r *tapRing) room(end uint64) bool {
	if end-r.seen <= uint64(len(r.data)) {
		return true
	}
	r.seen = r.released.Load()
	return end-r.seen <= uint64(len(r.data))
}

// full reports whether there is no room for another frame of so many bytes, wherever it would lie. Producer only.
func (r *tapRing) full(bytes uint32) bool {
	return !r.records.hasRoom() || !r.room(r.put+2*uint64(bytes))
}

// bytes are those of a record, until they are released. Consumer only.
func (r *tapRing) bytes(h *Record) []byte {
	at := h.at & uint64(len(r.data)-1)
	return r.data[at : at+uint64(h.Kept) : at+uint64(h.Kept)]
}
