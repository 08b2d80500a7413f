package dataplane

import (
	"math/bits"
	"sync/atomic"
)

// SizeBuckets is how many bounds Sizes has: bucket i counts what is at most 1<<i and more than
// the bound before it, and one more bucket what is larger than all bounds.
const SizeBuckets = 12

// Sizes is a histogram of how many frames something had. A worker writes it with its Counters,
// anyone may read.
type Sizes struct {
	Counts [SizeBuckets + 1]atomic.Uint64
	Sum    atomic.Uint64 // frames
}

// sizes is what a worker counts until it adds to Sizes: an addition to each field per batch.
type sizes struct {
	counts [sizeSlots]uint32
	sum    uint32
}

// sizeSlots is a power of two, so that no index is out of bounds.
const sizeSlots = 16

// note counts n frames: at least 1, at most 1<<15, sixteen times the largest ring that the gateway makes.
func (s *sizes) note(n uint32) {
	s.counts[bits.Len32(n-1)%sizeSlots]++
	s.sum += n
}

// addTo moves what was counted to where everyone sees it.
func (s *sizes) addTo(all *Sizes) {
	if s.sum == 0 {
		return
	}
	for i, n := range s.counts {
		if n != 0 {
			all.Counts[min(i, SizeBuckets)].Add(uint64(n))
			s.counts[i] = 0
		}
	}
	all.Sum.Add(uint64(s.sum))
	s.sum = 0
}
