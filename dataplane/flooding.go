package dataplane

import (
	"sync/atomic"

	"vxgw/vxlan"
)

// What may be flooded: by switches, and so many frames in a second.

// Class tells frames that are flooded apart by their destination, as a Linux bridge does.
type Class uint8

// The classes.
const (
	Broadcast      Class = iota // ff:ff:ff:ff:ff:ff
	UnknownUnicast              // an address of one station, which the FDB does not have
	Multicast                   // any other group

	classCount
)

// ClassCount is the number of classes, for arrays indexed by one.
const ClassCount = int(classCount)

const broadcastMAC = 1<<48 - 1

// classOf is the class of frames to a MAC address that the FDB does not have.
func classOf(mac uint64) Class {
	switch {
	case mac == broadcastMAC:
		return Broadcast
	case mac&vxlan.GroupBit != 0:
		return Multicast
	}
	return UnknownUnicast
}

// Flooding says what a bridge domain floods. The zero value lets everything be flooded.
type Flooding struct {
	Off   [ClassCount]bool
	Limit [ClassCount]uint32 // frames received in a second from ports, and as many from tunnels; 0: none
	Storm *Storm             // counts them; nil without limits
}

// Storm counts what a bridge domain floods in the current second of Plane.Tick, for all
// workers and snapshots together. The zero value is ready to use.
type Storm struct {
	// By class and origin: the second in the upper half, frames in the lower one.
	counts [2 * ClassCount]atomic.Uint64
	_      [16]byte // no two share a cache line
}

// admit counts a frame, unless limit were exceeded. A worker whose second is older than
// that of others counts in theirs.
func (s *Storm) admit(i int, limit, now uint32) bool {
	word := &s.counts[i]
	for {
		old := word.Load()
		second, n := uint32(old>>32), uint32(old)
		if second < now {
			second, n = now, 0
		}
		if n >= limit {
			return false
		}
		if word.CompareAndSwap(old, uint64(second)<<32|uint64(n+1)) {
			return true
		}
	}
}

// curb says why row i's frame, whose destination is mac, is not flooded; undecided if it is.
func (w *Worker) curb(i int, mac uint64) Verdict {
	f, class := &w.domain(i).Flooding, classOf(mac)
	if f.Off[class] {
		return FloodOff
	}
	if limit := f.Limit[class]; limit > 0 {
		count := int(class)
		if w.batch.from[i].IsRemote() {
			count += ClassCount
		}
		if !f.Storm.admit(count, limit, w.now) {
			return StormLimit
		}
	}
	return undecided
}

// apart reports whether port is isolated from other such ports.
func (w *Worker) apart(port uint32) bool {
	p := w.snap.port(port)
	return p != nil && p.Isolated
}
